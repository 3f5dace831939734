//! Dialling a peer: succeeds only if it has answered the handshake for the right info-hash.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use aqueduct_core::connection::{Connection, Event};
use aqueduct_core::types;
use aqueduct_core::wire::Handshake;
use aqueduct_native::dial::{HalfOpen, HandshakeError};
use aqueduct_native::net::{Permit as _, is_remote_fault};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::limits::targets::Permit;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("connected to {actual} instead of {expected}")]
    Elsewhere {
        expected: SocketAddr,
        actual: SocketAddr,
    },
    /// The remote side sent our own handshake back.
    #[error("connected to ourselves")]
    Ourselves,
}

/// Connects and exchanges handshakes within `limit`, counted from now, however slowly the remote
/// side sends.
pub(crate) async fn dial(
    addr: SocketAddr,
    ours: Handshake,
    limit: Duration,
    permit: &mut Permit,
) -> Result<(HalfOpen<TcpStream>, Handshake), DialError> {
    let started = Instant::now();
    let connected = timeout_at(started + limit, TcpStream::connect(addr))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    match &connected {
        Ok(_) => permit.reached(),
        // Only this counts as the fault of the address. A peer that closes the connection later
        // does so because of the info-hash, which the tab chose.
        Err(error) if is_remote_fault(error) => permit.failed(),
        Err(_) => {}
    }
    let socket = connected?;
    let actual = socket.peer_addr()?;
    if actual != addr {
        return Err(DialError::Elsewhere {
            expected: addr,
            actual,
        });
    }
    socket.set_nodelay(true)?;
    let connection = Connection::dial(ours, types::Instant::ZERO + limit);
    let mut half_open = HalfOpen::new(socket, connection, started);
    let theirs = read_handshake(&mut half_open).await?;
    if theirs.peer_id == ours.peer_id {
        return Err(DialError::Ourselves);
    }
    Ok((half_open, theirs))
}

/// Waits for the handshake of the remote side.
pub(crate) async fn read_handshake(
    half_open: &mut HalfOpen<TcpStream>,
) -> Result<Handshake, HandshakeError> {
    loop {
        if let Event::Handshaken(theirs) = half_open.next_event().await? {
            return Ok(theirs);
        }
    }
}
