//! From an address to a peer that has answered the handshake for the right info-hash, and nothing
//! less.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use aqueduct_core::connection::Event;
use aqueduct_core::wire::Handshake;
use aqueduct_native::dial::{HalfOpen, HandshakeError};
use aqueduct_native::net::{Denied, Permit as _, is_remote_fault};
use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use crate::limits::targets::Permit;
use crate::swarm::pipe::Pipe;

/// A connection whose handshake is done.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) pipe: Pipe,
    /// What the remote said.
    pub(crate) theirs: Handshake,
    /// What it sent after its handshake.
    pub(crate) leftover: BytesMut,
    /// Its share of the sockets there may be, if it has one.
    pub(crate) _permit: Option<OwnedSemaphorePermit>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("no handshake within {} s", .0.as_secs())]
    Timeout(Duration),
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("connected to {actual} instead of {expected}")]
    Elsewhere {
        expected: SocketAddr,
        actual: SocketAddr,
    },
    #[error("connected to ourselves")]
    Ourselves,
    #[error("the other tab has left the swarm")]
    Gone,
    #[error("the other tab wants no more peers")]
    Unwanted,
    /// Not dialled.
    #[error(transparent)]
    Denied(#[from] Denied),
}

/// Connects and shakes hands within `limit`, counted from now, however busily the remote trickles
/// bytes.
pub(crate) async fn dial(
    addr: SocketAddr,
    ours: Handshake,
    limit: Duration,
    descriptor: OwnedSemaphorePermit,
    mut permit: Permit,
) -> Result<Connected, DialError> {
    let started = Instant::now();
    let connected = timeout_at(started + limit, TcpStream::connect(addr))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    match &connected {
        Ok(_) => permit.reached(),
        // Nothing that comes later counts: a peer that hangs up does so because of what the tab
        // wants of it.
        Err(error) if is_remote_fault(error) => permit.failed(),
        Err(_) => {}
    }
    shake_hands(connected?, addr, ours, (started, limit), descriptor).await
}

async fn shake_hands(
    socket: TcpStream,
    addr: SocketAddr,
    ours: Handshake,
    (started, limit): (Instant, Duration),
    descriptor: OwnedSemaphorePermit,
) -> Result<Connected, DialError> {
    let actual = socket.peer_addr()?;
    if actual != addr {
        return Err(DialError::Elsewhere {
            expected: addr,
            actual,
        });
    }
    socket.set_nodelay(true)?;
    let mut half_open = HalfOpen::dialled(socket, ours, started, limit);
    let theirs = handshaken(&mut half_open).await?;
    if theirs.peer_id == ours.peer_id {
        return Err(DialError::Ourselves);
    }
    Ok(Connected::new(half_open, theirs, descriptor))
}

/// Waits for the remote's handshake.
pub(crate) async fn handshaken(
    half_open: &mut HalfOpen<TcpStream>,
) -> Result<Handshake, HandshakeError> {
    loop {
        if let Event::Handshaken(theirs) = half_open.next_event().await? {
            return Ok(theirs);
        }
    }
}

impl Connected {
    /// A peer whose handshake, and ours, are through.
    pub(crate) fn new(
        half_open: HalfOpen<TcpStream>,
        theirs: Handshake,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            pipe: Pipe::Socket(half_open.stream),
            theirs,
            leftover: half_open.input,
            _permit: Some(permit),
        }
    }
}
