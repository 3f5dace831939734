//! Making a peer connection: connect or accept, then the handshake, each with a deadline that does
//! not move.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use aqueduct_core::connection::{Connection, Event};
use aqueduct_core::types::InfoHashV1;
use aqueduct_core::wire::{Handshake, WireError};
use aqueduct_core::{CloseReason, Handshaken};
use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use crate::net::Bind;

/// An address that does not answer for so long is given up.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
/// Both handshakes must be through by then, counted from the connection.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that is past the handshake.
#[derive(Debug)]
pub struct Peer {
    /// The socket.
    pub stream: TcpStream,
    /// Reads messages from now on.
    pub link: Connection,
    /// What came behind the handshake.
    pub rest: BytesMut,
    /// What the remote said.
    pub handshake: Handshaken,
}

/// Connects to `addr` from our address `bind`, and shakes hands as `ours`.
///
/// # Errors
/// Nobody answers, the deadline passes, or the remote is of another swarm or protocol.
pub async fn connect(addr: SocketAddr, bind: Bind, ours: Handshake) -> Result<Peer, CloseReason> {
    let connected = timeout(CONNECT_TIMEOUT, bind.connect(addr))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let stream = connected.map_err(not_connected)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    within_deadline(async {
        let (mut stream, mut link) = (stream, Connection::dialling(ours));
        stream.write_all(&ours.encode()).await.map_err(not_shaken)?;
        let (handshake, rest) = receive(&mut stream, &mut link).await?;
        Ok(Peer {
            stream,
            link,
            rest,
            handshake: handshaken(handshake),
        })
    })
    .await
}

/// Shakes hands with somebody who connected to us. `ours` says who we are in the swarm that the
/// remote names; `None`: we are not in it.
///
/// # Errors
/// The deadline passes, the swarm is not ours, or the remote speaks another protocol.
pub async fn accept(
    stream: TcpStream,
    ours: impl FnOnce(InfoHashV1) -> Option<Handshake>,
) -> Result<Peer, CloseReason> {
    within_deadline(async {
        let (mut stream, mut link) = (stream, Connection::accepting());
        stream.set_nodelay(true).map_err(unreachable)?;
        let (handshake, rest) = receive(&mut stream, &mut link).await?;
        let ours = ours(handshake.info_hash).ok_or(CloseReason::Inactive)?;
        stream
            .write_all(&link.answer(ours))
            .await
            .map_err(unreachable)?;
        Ok(Peer {
            stream,
            link,
            rest,
            handshake: handshaken(handshake),
        })
    })
    .await
}

async fn within_deadline(
    shaking: impl Future<Output = Result<Peer, CloseReason>>,
) -> Result<Peer, CloseReason> {
    let deadline = Instant::now() + HANDSHAKE_TIMEOUT;
    timeout_at(deadline, shaking)
        .await
        .unwrap_or(Err(CloseReason::HandshakeTimeout))
}

async fn receive(
    stream: &mut TcpStream,
    link: &mut Connection,
) -> Result<(Handshake, BytesMut), CloseReason> {
    let mut buf = BytesMut::with_capacity(1024);
    loop {
        match link.read(&mut buf).map_err(refused)? {
            Some(Event::Handshake(handshake)) => return Ok((handshake, buf)),
            Some(Event::Message(_)) | None => {}
        }
        if stream.read_buf(&mut buf).await.map_err(not_shaken)? == 0 {
            return Err(CloseReason::ClosedInHandshake);
        }
    }
}

fn handshaken(
    Handshake {
        info_hash,
        peer_id,
        reserved,
    }: Handshake,
) -> Handshaken {
    Handshaken {
        info_hash,
        peer_id,
        reserved,
    }
}

fn refused(error: WireError) -> CloseReason {
    match error {
        WireError::InfoHash { .. } => CloseReason::WrongInfoHash,
        other => CloseReason::Protocol(other),
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

/// Who closes a socket with our handshake unread resets the connection.
fn not_shaken(error: io::Error) -> CloseReason {
    match error.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => CloseReason::ClosedInHandshake,
        _ => unreachable(error),
    }
}

#[cfg(test)]
mod tests;
