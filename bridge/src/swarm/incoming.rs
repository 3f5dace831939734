//! The peer port, over TCP and uTP: a dialling peer names an info-hash, and is passed to a tab that
//! has joined the swarm.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::connection::{Connection, Encryption, Event};
use aqueduct_core::types;
use aqueduct_core::wire::{EncryptionError, Handshake, Reserved, WireError};
use aqueduct_native::dial::{HalfOpen, HandshakeError};
use aqueduct_native::net::utp::Endpoint;
use aqueduct_native::transport::PeerStream;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout_at};

use crate::limits::descriptors::SocketPermit;
use crate::limits::half_open::HalfOpen as HalfOpenPeers;
use crate::limits::key_exchanges::Denied;
use crate::swarm::connected::Connected;
use crate::swarm::context::SwarmContext;
use crate::swarm::dial::seed;
use crate::swarm::registry::Arrival;

/// The pause after a failed accept, whose cause may last.
const PAUSE: Duration = Duration::from_millis(100);

/// Why a peer that dialled in is not passed to a tab.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("no tab is in the swarm")]
    NoTab,
    #[error(transparent)]
    KeyExchange(#[from] Denied),
}

impl From<EncryptionError> for Refused {
    fn from(error: EncryptionError) -> Self {
        Self::Handshake(WireError::from(error).into())
    }
}

/// The peer port. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct PeerPort {
    pub(crate) half_open: Arc<HalfOpenPeers>,
    pub(crate) context: Arc<SwarmContext>,
}

impl PeerPort {
    /// Accepts peers over TCP until the task is dropped.
    pub(crate) async fn listen(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((socket, addr)) => {
                    // Without it only the latency is worse.
                    let _ = socket.set_nodelay(true);
                    let permit = self.context.sockets.try_acquire();
                    self.admit(socket.into(), addr, permit);
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Accepts peers over uTP until the task is dropped.
    pub(crate) async fn listen_utp(self, endpoint: Endpoint) {
        loop {
            let (mut stream, addr) = endpoint.accept().await;
            // Otherwise connections that were closed could use up all that there may be.
            stream.set_linger(false);
            self.admit(stream.into(), addr, None);
        }
    }

    /// `permit`: for its socket; a peer over TCP is refused without one.
    fn admit(&self, stream: PeerStream, addr: SocketAddr, permit: Option<SocketPermit>) {
        let metrics = &self.context.metrics.peers;
        let Some(place) = self.half_open.admit(addr.ip()).map(Arc::new) else {
            metrics.refused_incoming_total.add(1);
            return;
        };
        metrics.incoming_total.add(1);
        if matches!(stream, PeerStream::Tcp(_)) && permit.is_none() {
            return;
        }
        let (context, held) = (Arc::clone(&self.context), Arc::clone(&place));
        let task = tokio::spawn(async move {
            if let Err(error) = hand_to_tab(stream, addr, &context, permit).await {
                tracing::debug!(%error, "a peer that dialled in was turned away");
            }
            drop(held);
        });
        place.set_task(task.abort_handle());
    }
}

async fn hand_to_tab(
    stream: PeerStream,
    addr: SocketAddr,
    context: &SwarmContext,
    permit: Option<SocketPermit>,
) -> Result<(), Refused> {
    let (mut half_open, theirs) = shake_hands(stream, addr, context).await?;
    let tab = context.registry.choose(&theirs).ok_or(Refused::NoTab)?;
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

/// Waits for the handshake of the remote side, which may encrypt it.
async fn shake_hands(
    stream: PeerStream,
    addr: SocketAddr,
    context: &SwarmContext,
) -> Result<(HalfOpen<PeerStream>, Handshake), Refused> {
    let (mode, started) = (context.encryption, Instant::now());
    let deadline = types::Instant::ZERO + context.limits.handshake_timeout.0;
    let mut half_open = HalfOpen::new(stream, Connection::accept(deadline), started);
    loop {
        match half_open.next_event().await {
            // Its first bytes are no handshake. They are still in the input.
            Err(HandshakeError::Wire(WireError::Protocol)) if mode != Encryption::Off => {
                return exchange_keys(half_open, addr, context, started).await;
            }
            Ok(Event::Wanted(_)) if mode == Encryption::Require => {
                return Err(EncryptionError::Required.into());
            }
            Ok(Event::Handshaken(theirs)) => return Ok((half_open, theirs)),
            event => drop(event?),
        }
    }
}

/// Continues with a key exchange, which costs processor time and is limited.
async fn exchange_keys(
    half_open: HalfOpen<PeerStream>,
    addr: SocketAddr,
    context: &SwarmContext,
    started: Instant,
) -> Result<(HalfOpen<PeerStream>, Handshake), Refused> {
    let limit = context.limits.encrypted_handshake_timeout.0;
    let admitted = timeout_at(started + limit, context.key_exchanges.incoming(addr.ip())).await;
    admitted
        .unwrap_or(Err(Denied::Total))
        .inspect_err(|_| context.metrics.peers.refused_key_exchanges_total.add(1))?;
    let deadline = types::Instant::ZERO + limit;
    let connection = Connection::accept_encrypted(context.encryption, seed()?, deadline);
    let HalfOpen { stream, input, .. } = half_open;
    let mut half_open = HalfOpen::new(stream, connection, started);
    half_open.input = input;
    loop {
        match half_open.next_event().await? {
            Event::Sought(swarm) => {
                let info_hash = context.registry.reveal(&swarm).ok_or(Refused::NoTab)?;
                half_open.connection.reveal(info_hash);
            }
            Event::Handshaken(theirs) => return Ok((half_open, theirs)),
            Event::Wanted(_) | Event::Message(_) => {}
        }
    }
}
