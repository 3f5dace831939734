//! Making a peer connection: connect or accept, then the handshake, each with a deadline that does
//! not move.

mod half_open;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use aqueduct_core::connection::{Connection, Event};
use aqueduct_core::types::InfoHashV1;
use aqueduct_core::wire::{Handshake, WireError};
use aqueduct_core::{CloseReason, Handshaken};
use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

pub use self::half_open::{HalfOpen, HandshakeError};
use crate::net::Bind;
use crate::transport::ByteStream;

/// An address that does not answer for so long is given up.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
/// Both handshakes must be through by then, counted from the connection.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that is past the handshake.
#[derive(Debug)]
pub struct Peer<S> {
    /// What carries its bytes.
    pub stream: S,
    /// What is said on it; messages from now on.
    pub connection: Connection,
    /// What came behind the handshake.
    pub rest: BytesMut,
    /// What the remote said.
    pub handshake: Handshaken,
}

impl<S: ByteStream> Peer<S> {
    fn new(half_open: HalfOpen<S>, theirs: Handshake) -> Self {
        let HalfOpen {
            stream,
            connection,
            input,
            ..
        } = half_open;
        Self {
            handshake: Handshaken::new(theirs, stream.transport()),
            stream,
            connection,
            rest: input,
        }
    }
}

/// Connects to `addr` from our address `bind`, and shakes hands as `ours`.
///
/// # Errors
/// Nothing answers, the deadline passes, or the remote is of another swarm or protocol.
pub async fn connect(
    addr: SocketAddr,
    bind: Bind,
    ours: Handshake,
) -> Result<Peer<TcpStream>, CloseReason> {
    let connected = timeout(CONNECT_TIMEOUT, bind.connect(addr))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let stream = connected.map_err(not_connected)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    let mut half_open = HalfOpen::dialled(stream, ours, Instant::now(), HANDSHAKE_TIMEOUT);
    loop {
        if let Event::Handshaken(theirs) = half_open.next_event().await.map_err(failed)? {
            return Ok(Peer::new(half_open, theirs));
        }
    }
}

/// Shakes hands with a remote that connected to us. `ours` says who we are in the swarm that the
/// remote names; `None`: we are not in it.
///
/// # Errors
/// The deadline passes, the swarm is not ours, or the remote speaks another protocol.
pub async fn accept<S: ByteStream>(
    stream: S,
    ours: impl FnOnce(InfoHashV1) -> Option<Handshake>,
) -> Result<Peer<S>, CloseReason> {
    let mut half_open = HalfOpen::accepted(stream, Instant::now(), HANDSHAKE_TIMEOUT);
    let mut ours = Some(ours);
    loop {
        match half_open.next_event().await.map_err(failed)? {
            Event::Wanted(info_hash) => {
                let ours = ours.take().and_then(|ours| ours(info_hash));
                let ours = ours.ok_or(CloseReason::Inactive)?;
                half_open.connection.answer(ours);
            }
            Event::Handshaken(theirs) => {
                half_open.flush().await.map_err(failed)?;
                return Ok(Peer::new(half_open, theirs));
            }
            Event::Message(_) => {}
        }
    }
}

fn failed(error: HandshakeError) -> CloseReason {
    match error {
        HandshakeError::Timeout(_) => CloseReason::HandshakeTimeout,
        HandshakeError::Closed => CloseReason::ClosedInHandshake,
        HandshakeError::Io(error) => unreachable(error),
        HandshakeError::Wire(WireError::InfoHash { .. }) => CloseReason::WrongInfoHash,
        HandshakeError::Wire(other) => CloseReason::Protocol(other),
    }
}

fn unreachable(error: io::Error) -> CloseReason {
    CloseReason::Unreachable(error.to_string())
}

fn not_connected(error: io::Error) -> CloseReason {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => CloseReason::Refused,
        io::ErrorKind::TimedOut => CloseReason::TimedOut,
        _ => unreachable(error),
    }
}

#[cfg(test)]
mod tests;
