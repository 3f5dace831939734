//! The peer port: a peer that dials in names an info-hash and is handed to a tab that joined it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::wire::{Handshake, Reserved};
use aqueduct_native::dial::HalfOpen;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::bridge::Bridge;
use crate::swarm::dial::{Connected, DialError, handshaken};
use crate::swarm::registry::Arrival;

/// Takes in peers until the task is dropped.
pub(crate) async fn listen(listener: TcpListener, bridge: Arc<Bridge>) {
    loop {
        match listener.accept().await {
            Ok((socket, addr)) => admit(socket, addr, &bridge),
            // Descriptors have run out, or the remote has gone already: a pause keeps a lasting
            // trouble from spinning.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

fn admit(socket: TcpStream, addr: SocketAddr, bridge: &Arc<Bridge>) {
    let Some(place) = bridge.half_open.enter(addr.ip()).map(Arc::new) else {
        bridge.metrics.refused_incoming_total.add(1);
        return;
    };
    let (bridge, kept) = (Arc::clone(bridge), Arc::clone(&place));
    let task = tokio::spawn(async move {
        welcome(socket, addr, &bridge).await;
        drop(kept);
    });
    place.ends(task.abort_handle());
}

async fn welcome(socket: TcpStream, addr: SocketAddr, bridge: &Bridge) {
    bridge.metrics.incoming_total.add(1);
    let Ok(permit) = Arc::clone(&bridge.sockets).try_acquire_owned() else {
        return;
    };
    if let Err(error) = seat(socket, addr, bridge, permit).await {
        tracing::debug!(%error, "a peer that dialled in was turned away");
    }
}

async fn seat(
    socket: TcpStream,
    addr: SocketAddr,
    bridge: &Bridge,
    permit: OwnedSemaphorePermit,
) -> Result<(), DialError> {
    socket.set_nodelay(true)?;
    let limit = bridge.config.limits.handshake_timeout.0;
    let mut half_open = HalfOpen::accepted(socket, Instant::now(), limit);
    let theirs = handshaken(&mut half_open).await?;
    let Some(seat) = bridge.registry.find(&theirs) else {
        return Ok(());
    };
    let ours = Handshake {
        reserved: Reserved::OURS,
        info_hash: theirs.info_hash,
        peer_id: seat.peer_id,
    };
    half_open.connection.answer(ours);
    half_open.flush().await?;
    let connected = Connected::new(half_open, theirs, permit);
    // A tab whose arrivals are full has more peers than it can take.
    let _ = seat.arrivals.try_send(Arrival {
        join: seat.join,
        addr: addr.into(),
        connected,
        answer: None,
    });
    Ok(())
}
