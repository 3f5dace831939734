//! A peer whose bytes after the handshake are the test's business.

use std::net::SocketAddr;

use aqueduct_core::connection::{Connection, Event};
use aqueduct_core::types::{InfoHashV1, PeerId};
use aqueduct_core::wire::Handshake;
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{DEADLINE, handshake};
use crate::soon;

/// A peer that waits to be dialled.
#[derive(Debug)]
pub struct Listener {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Its socket, for tests that want to see whether anybody dials at all.
    pub socket: TcpListener,
    /// What it answers handshakes with.
    pub peer_id: PeerId,
}

impl Listener {
    /// On any free port of 127.0.0.1.
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1").await
    }

    /// On any free port of this address.
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

    /// Takes the next connection and reads its handshake.
    ///
    /// # Panics
    /// Neither comes within [`crate::PATIENCE`].
    pub async fn accept(&self) -> (TcpStream, Handshake) {
        let (mut stream, _) = soon("a dial", self.socket.accept()).await.unwrap();
        let theirs = read_handshake(&mut stream).await;
        (stream, theirs)
    }

    /// Takes the next connection, reads its handshake and answers for this info-hash, with `more`
    /// right behind.
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
/// None comes within [`crate::PATIENCE`].
pub async fn read_handshake(stream: &mut TcpStream) -> Handshake {
    let (mut connection, mut input) = (Connection::accept(DEADLINE), BytesMut::new());
    loop {
        match connection.poll_event(&mut input).unwrap() {
            Some(Event::Handshaken(theirs)) => return theirs,
            Some(_) => {}
            None => {
                // Not a byte more than the handshake has: the rest is the test's.
                let (before, missing) = (input.len(), connection.missing(&input));
                input.resize(before + missing, 0);
                let reading = stream.read_exact(&mut input[before..]);
                soon("a handshake", reading).await.unwrap();
            }
        }
    }
}
