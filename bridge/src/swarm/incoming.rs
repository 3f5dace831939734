//! The peer port: a dialling peer names an info-hash, and is passed to a tab that has joined the
//! swarm.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::connection::Connection;
use aqueduct_core::types;
use aqueduct_core::wire::{Handshake, Reserved};
use aqueduct_native::dial::HalfOpen;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::limits::descriptors::SocketPermit;
use crate::limits::half_open::HalfOpen as HalfOpenPeers;
use crate::swarm::connected::Connected;
use crate::swarm::context::SwarmContext;
use crate::swarm::dial::{DialError, read_handshake};
use crate::swarm::registry::Arrival;

/// The pause after a failed accept, whose cause may last.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts peers until the task is dropped.
pub(crate) async fn listen(
    listener: TcpListener,
    half_open: Arc<HalfOpenPeers>,
    context: Arc<SwarmContext>,
) {
    loop {
        match listener.accept().await {
            Ok((socket, addr)) => accept(socket, addr, &half_open, &context),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn accept(
    socket: TcpStream,
    addr: SocketAddr,
    half_open: &Arc<HalfOpenPeers>,
    context: &Arc<SwarmContext>,
) {
    let Some(place) = half_open.admit(addr.ip()).map(Arc::new) else {
        context.metrics.peers.refused_incoming_total.add(1);
        return;
    };
    let (context, held) = (Arc::clone(context), Arc::clone(&place));
    let task = tokio::spawn(async move {
        handle_peer(socket, addr, &context).await;
        drop(held);
    });
    place.set_task(task.abort_handle());
}

async fn handle_peer(socket: TcpStream, addr: SocketAddr, context: &SwarmContext) {
    context.metrics.peers.incoming_total.add(1);
    let Some(permit) = context.sockets.try_acquire() else {
        return;
    };
    if let Err(error) = hand_to_tab(socket, addr, context, permit).await {
        tracing::debug!(%error, "a peer that dialled in was turned away");
    }
}

async fn hand_to_tab(
    socket: TcpStream,
    addr: SocketAddr,
    context: &SwarmContext,
    permit: SocketPermit,
) -> Result<(), DialError> {
    socket.set_nodelay(true)?;
    let limit = context.limits.handshake_timeout.0;
    let connection = Connection::accept(types::Instant::ZERO + limit);
    let mut half_open = HalfOpen::new(socket, connection, Instant::now());
    let theirs = read_handshake(&mut half_open).await?;
    let Some(tab) = context.registry.choose(&theirs) else {
        return Ok(());
    };
    half_open.connection.answer(Handshake {
        reserved: Reserved::OURS,
        info_hash: theirs.info_hash,
        peer_id: tab.peer_id,
    });
    half_open.flush().await?;
    // A session whose queue is full has more peers than it can handle.
    let _ = tab.arrivals.try_send(Arrival {
        join: tab.join,
        addr: addr.into(),
        connected: Connected::new(half_open, theirs, permit),
        answer: None,
    });
    Ok(())
}
