//! From an address to a peer that has answered the handshake for the right info-hash, and nothing
//! less.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use aqueduct_core::connection::{Connection, Event};
use aqueduct_core::wire::{Handshake, WireError};
use aqueduct_native::net::{Denied, Permit as _, is_remote_fault};
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use crate::limits::targets::Permit;
use crate::swarm::pipe::Pipe;

/// Bytes read at once while shaking hands; what follows the handshake in them goes to the tab
/// first.
const FIRST_READ: usize = 4096;

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
    Io(#[from] io::Error),
    #[error("connected to {actual} instead of {expected}")]
    Elsewhere {
        expected: SocketAddr,
        actual: SocketAddr,
    },
    #[error(transparent)]
    Wire(#[from] WireError),
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
    let end = Instant::now() + limit;
    let connected = timeout_at(end, TcpStream::connect(addr))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    match &connected {
        Ok(_) => permit.reached(),
        // Nothing that comes later counts: a peer that hangs up does so because of what the tab
        // wants of it.
        Err(error) if is_remote_fault(error) => permit.failed(),
        Err(_) => {}
    }
    timeout_at(end, shake_hands(connected?, addr, ours, descriptor))
        .await
        .unwrap_or(Err(DialError::Timeout(limit)))
}

async fn shake_hands(
    mut socket: TcpStream,
    addr: SocketAddr,
    ours: Handshake,
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
    socket.write_all(&ours.encode()).await?;
    let mut leftover = BytesMut::with_capacity(FIRST_READ);
    let theirs =
        read_handshake(&mut socket, &mut Connection::dialling(ours), &mut leftover).await?;
    if theirs.peer_id == ours.peer_id {
        return Err(DialError::Ourselves);
    }
    Ok(Connected {
        pipe: Pipe::Socket(socket),
        theirs,
        leftover,
        _permit: Some(descriptor),
    })
}

/// Reads until the handshake is there; `buf` keeps what follows it.
pub(crate) async fn read_handshake(
    socket: &mut TcpStream,
    link: &mut Connection,
    buf: &mut BytesMut,
) -> Result<Handshake, DialError> {
    loop {
        if let Some(Event::Handshake(theirs)) = link.read(buf)? {
            return Ok(theirs);
        }
        if socket.read_buf(buf).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
}
