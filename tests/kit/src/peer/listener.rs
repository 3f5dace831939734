//! A listening peer that leaves everything after the handshake to the test.

use std::net::SocketAddr;

use aqueduct_core::connection::{Connection, Event};
use aqueduct_core::types::{InfoHashV1, PeerId};
use aqueduct_core::wire::{Handshake, WireError};
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{DEADLINE, handshake};
use crate::soon;

/// A peer that waits for connections.
#[derive(Debug)]
pub struct Listener {
    /// The address that the peer listens at.
    pub addr: SocketAddr,
    /// The listening socket, for tests that check whether anything connects.
    pub socket: TcpListener,
    /// The peer id in its handshakes.
    pub peer_id: PeerId,
}

impl Listener {
    /// Listens on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1").await
    }

    /// Listens on a free port of this address.
    ///
    /// # Panics
    /// The host lacks that address.
    pub async fn start_at(ip: &str) -> Self {
        let socket = TcpListener::bind((ip, 0)).await.unwrap();
        Self {
            addr: socket.local_addr().unwrap(),
            socket,
            peer_id: PeerId(*b"-XX0001-a real peer."),
        }
    }

    /// Accepts the next connection and reads its handshake. Connections that begin otherwise, for
    /// example encrypted ones, are closed.
    ///
    /// # Panics
    /// No connection or no handshake arrives within [`crate::PATIENCE`].
    pub async fn accept(&self) -> (TcpStream, Handshake) {
        loop {
            let (mut stream, _) = soon("a dial", self.socket.accept()).await.unwrap();
            if let Ok(theirs) = try_read_handshake(&mut stream).await {
                return (stream, theirs);
            }
        }
    }

    /// Accepts the next connection, reads its handshake and answers for this info-hash. `more` is
    /// sent directly after the answer.
    ///
    /// # Panics
    /// As [`Listener::accept`].
    pub async fn answer(&self, info_hash: InfoHashV1, more: &[u8]) -> (TcpStream, Handshake) {
        let (mut stream, theirs) = self.accept().await;
        let ours = handshake(self.peer_id, info_hash).encode();
        stream.write_all(&[&ours[..], more].concat()).await.unwrap();
        (stream, theirs)
    }
}

/// Reads a handshake.
///
/// # Panics
/// None arrives within [`crate::PATIENCE`].
pub async fn read_handshake(stream: &mut TcpStream) -> Handshake {
    try_read_handshake(stream).await.unwrap()
}

/// As [`read_handshake`]; an error if something else arrives.
async fn try_read_handshake(stream: &mut TcpStream) -> Result<Handshake, WireError> {
    let (mut connection, mut input) = (Connection::accept(DEADLINE), BytesMut::new());
    loop {
        match connection.poll_event(&mut input)? {
            Some(Event::Handshaken(theirs)) => return Ok(theirs),
            Some(_) => {}
            None => {
                // Read exactly the handshake: the bytes that follow are left to the test.
                let (before, missing) = (input.len(), connection.missing(&input));
                input.resize(before + missing, 0);
                let reading = stream.read_exact(&mut input[before..]);
                soon("a handshake", reading).await.unwrap();
            }
        }
    }
}
