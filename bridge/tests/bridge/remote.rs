//! A real client's end of a connection: core's `Connection` over TCP or uTP.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use aqueduct_core::connection::{Connection, Encryption, Event, obfuscated};
use aqueduct_core::utp;
use aqueduct_core::wire::{Handshake, Message};
use aqueduct_native::dial::{self, HalfOpen, Peer, Wanted, Ways};
use aqueduct_native::net::utp::{Endpoint, Rest};
use aqueduct_native::net::{Bind, OwnUser};
use aqueduct_native::transport::{ByteStream as _, PeerStream};
use aqueduct_testkit::peer::handshake;
use aqueduct_testkit::soon;
use aqueduct_testkit::torrent::noise;
use bytes::{Bytes, BytesMut};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::support::{HASH, PEER_ID};
use crate::tab::Tab;

/// What a peer sends when it has received everything.
const LAST: Message = Message::Unchoke;

/// A connection with a complete handshake.
pub(crate) struct Remote {
    stream: PeerStream,
    connection: Connection,
    input: BytesMut,
}

impl From<Peer<PeerStream>> for Remote {
    fn from(peer: Peer<PeerStream>) -> Self {
        Self {
            stream: peer.stream,
            connection: peer.connection,
            input: peer.rest,
        }
    }
}

impl Remote {
    /// Dials the bridge by one way.
    pub(crate) async fn dial(port: u16, ways: Ways, encryption: Encryption) -> Self {
        let addr = SocketAddr::from(([127, 0, 0, 1], port));
        let ours = handshake(PEER_ID, HASH);
        let dial = dial::connect(addr, &ways, encryption, ours);
        soon("a connection", dial).await.unwrap().into()
    }

    /// Accepts a dial over TCP. `None`: what the bridge did was not accepted, or not finished.
    pub(crate) async fn accept(listener: &TcpListener, encryption: Encryption) -> Option<Self> {
        let (socket, _) = soon("a dial", listener.accept()).await.unwrap();
        Self::welcome(socket.into(), encryption).await
    }

    /// Accepts a dial over uTP.
    pub(crate) async fn accept_utp(endpoint: &Endpoint, encryption: Encryption) -> Option<Self> {
        let (stream, _) = soon("a dial", endpoint.accept()).await;
        Self::welcome(stream.into(), encryption).await
    }

    async fn welcome(stream: PeerStream, encryption: Encryption) -> Option<Self> {
        let accepted = dial::accept(stream, encryption, async { Ok(()) }, answer);
        Some(soon("a handshake", accepted).await.ok()?.into())
    }

    /// Exchanges a MiB of blocks with a tab in each direction, which must arrive unchanged.
    pub(crate) async fn talk(&mut self, tab: &mut Tab, stream: u32) {
        let (down, up) = (blocks(1), blocks(2));
        for message in &up {
            let bytes = encoded(message);
            tab.client.send(stream, bytes.into()).unwrap();
        }
        let mut expected: Vec<u8> = down.iter().flat_map(encoded).collect();
        expected.extend(encoded(&LAST));
        let (received, read) = tokio::join!(
            self.exchange(&down, up.len()),
            tab.read(stream, expected.len())
        );
        assert!(read == expected, "the download differs");
        assert!(received == up, "the upload differs");
    }

    /// Sends messages and receives this many, and then sends the last.
    async fn exchange(&mut self, messages: &[Message], count: usize) -> Vec<Message> {
        messages
            .iter()
            .for_each(|message| self.connection.send(message));
        let mut received = Vec::new();
        while received.len() < count {
            self.step(&mut received).await;
        }
        self.connection.send(&LAST);
        while !self.connection.is_flushed() {
            self.step(&mut received).await;
        }
        received
    }

    /// Waits until the bridge has ended the connection.
    pub(crate) async fn closed(&mut self) {
        let closing = async {
            loop {
                match self.read(&mut Vec::new()) {
                    Ok(true) => {}
                    Ok(false) => drop(self.stream.ready(Interest::READABLE).await),
                    Err(_) => return,
                }
            }
        };
        soon("the end", closing).await;
    }

    async fn step(&mut self, received: &mut Vec<Message>) {
        let wrote = self.write().unwrap();
        let read = self.read(received).unwrap();
        if !wrote && !read {
            let ready = self.stream.ready(self.interest());
            soon("a ready stream", ready).await.unwrap();
        }
    }

    fn interest(&self) -> Interest {
        if self.connection.is_flushed() {
            Interest::READABLE
        } else {
            Interest::READABLE | Interest::WRITABLE
        }
    }

    fn write(&mut self) -> io::Result<bool> {
        let mut slices = [IoSlice::new(&[]); 16];
        let count = self.connection.poll_transmit(&mut slices);
        if count == 0 {
            return Ok(false);
        }
        match self.stream.try_write_vectored(&slices[..count]) {
            Ok(written) => self.connection.handle_written(written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    fn read(&mut self, received: &mut Vec<Message>) -> io::Result<bool> {
        self.input.reserve(64 * 1024);
        let read = match self.stream.try_read(&mut self.input) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => return Err(error),
        };
        while let Some(event) = self.connection.poll_event(&mut self.input).unwrap() {
            if let Event::Message(message) = event {
                received.push(message);
            }
        }
        Ok(read)
    }
}

/// The answer of a peer in the swarm of [`HASH`].
fn answer(wanted: Wanted) -> Option<Handshake> {
    let is_ours = match wanted {
        Wanted::InfoHash(info_hash) => info_hash == HASH,
        Wanted::Obfuscated(swarm) => swarm == obfuscated(HASH),
    };
    is_ours.then(|| handshake(PEER_ID, HASH))
}

/// One MiB of blocks.
fn blocks(seed: u64) -> Vec<Message> {
    let data = Bytes::from(noise(1 << 20, seed));
    (0..64)
        .map(|index| Message::Piece {
            index,
            begin: 0,
            data: data.slice(index as usize * 16_384..(index as usize + 1) * 16_384),
        })
        .collect()
}

/// A message in plaintext.
fn encoded(message: &Message) -> Vec<u8> {
    let mut connection = Connection::established();
    connection.send(message);
    let parts = std::iter::from_fn(|| connection.poll_part());
    parts.collect::<Vec<_>>().concat()
}

/// TCP alone.
pub(crate) fn tcp() -> Ways {
    Ways::tcp(Bind::default())
}

/// A peer's UDP port at 127.0.0.1, and uTP over it alone.
pub(crate) fn utp() -> (Endpoint, Ways, Rest) {
    let bind = Bind::from(IpAddr::from([127, 0, 0, 1]));
    let config = utp::Config::default();
    let (endpoint, rest) = Endpoint::bind(bind, 0, config, Arc::new(OwnUser)).unwrap();
    let ways = Ways {
        tcp: None,
        utp: Some(endpoint.clone()),
    };
    (endpoint, ways, rest)
}

/// A connection to the peer port that has named nothing yet, from this address.
pub(crate) async fn knock(port: u16, from: [u8; 4]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    let to = SocketAddr::from(([127, 0, 0, 1], port));
    soon("a connection", socket.connect(to)).await.unwrap()
}

/// The first part of an encrypted handshake for this torrent, up to where the remote side's key is
/// needed.
pub(crate) fn half_handshake() -> Bytes {
    let deadline = aqueduct_core::Instant::ZERO;
    let ours = handshake(PEER_ID, HASH);
    let mut connection = Connection::dial_encrypted(ours, Encryption::Allow, [3; 32], deadline);
    let parts = std::iter::from_fn(|| connection.poll_part());
    parts.collect::<Vec<_>>().concat().into()
}

/// Dials with this handshake, and returns how the bridge ended it.
pub(crate) async fn outcome_of(socket: TcpStream, ours: Handshake) -> String {
    let deadline = aqueduct_core::Instant::ZERO + aqueduct_testkit::PATIENCE;
    let connection = Connection::dial_encrypted(ours, Encryption::Allow, [4; 32], deadline);
    let mut half_open = HalfOpen::new(socket, connection, tokio::time::Instant::now());
    match half_open.next_event().await {
        Ok(event) => format!("{event:?}"),
        Err(error) => error.to_string(),
    }
}
