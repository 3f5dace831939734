//! A scripted peer on a real socket. A test that uses it reads like a transcript of `expect` and
//! `send`.

mod listener;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aqueduct_core::connection::{Connection, Event};
use aqueduct_core::types::{self, Bitfield, InfoHashV1, PeerId};
use aqueduct_core::wire::{Handshake, Message, RawBlock, Reserved};
use bytes::{Bytes, BytesMut};

use crate::torrent::Computed;

pub use listener::{Listener, read_handshake};

/// The limit for each message that a script expects.
const PATIENCE: Duration = Duration::from_secs(20);

/// The connection's own deadline is not used; scripts apply [`PATIENCE`].
const DEADLINE: types::Instant = types::Instant::ZERO;

/// A connection after the handshake.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
    connection: Connection,
    received: BytesMut,
    /// The other side's handshake.
    pub theirs: Handshake,
}

impl Peer {
    /// Connects, sends a handshake, and reads the answer.
    ///
    /// # Panics
    /// Nothing listens there, or the answer is not a handshake.
    #[must_use]
    pub fn dial(addr: SocketAddr, ours: Handshake) -> Self {
        let stream =
            TcpStream::connect(addr).unwrap_or_else(|e| panic!("nobody answers at {addr}: {e}"));
        Self::shake(stream, Connection::dial(ours, DEADLINE), ours.peer_id)
            .unwrap_or_else(|| panic!("{addr} hung up during the handshake"))
    }

    /// Accepts a connection, reads the handshake and answers it.
    ///
    /// # Panics
    /// No connection came, or it was closed during the handshake.
    #[must_use]
    pub fn accept(listener: &TcpListener, peer_id: PeerId) -> Self {
        let (stream, from) = listener.accept().expect("somebody dials");
        Self::shake(stream, Connection::accept(DEADLINE), peer_id)
            .unwrap_or_else(|| panic!("{from} hung up during the handshake"))
    }

    fn shake(stream: TcpStream, connection: Connection, id: PeerId) -> Option<Self> {
        stream.set_nodelay(true).unwrap();
        let theirs = handshake(PeerId([0; 20]), InfoHashV1([0; 20]));
        let mut peer = Self {
            stream,
            connection,
            received: BytesMut::new(),
            theirs,
        };
        loop {
            peer.flush().ok()?;
            match peer.receive(PATIENCE)? {
                Some(Event::Wanted(info_hash)) => peer.connection.answer(handshake(id, info_hash)),
                Some(Event::Handshaken(theirs)) => return Some(Self { theirs, ..peer }),
                other => panic!("{other:?} instead of a handshake"),
            }
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        while let Some(part) = self.connection.poll_part() {
            self.stream.write_all(&part)?;
        }
        Ok(())
    }

    /// Sends a message.
    ///
    /// # Panics
    /// The connection is closed.
    pub fn send(&mut self, message: &Message) {
        self.try_send(message)
            .unwrap_or_else(|e| panic!("the other side was gone before {message:?} was said: {e}"));
    }

    /// Sends a message, unless the connection is closed.
    ///
    /// # Errors
    /// The connection is closed.
    pub fn try_send(&mut self, message: &Message) -> std::io::Result<()> {
        self.connection.send(message);
        self.flush()
    }

    /// Sends arbitrary bytes.
    ///
    /// # Panics
    /// The connection is closed.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.stream
            .write_all(bytes)
            .expect("the other side listens");
    }

    /// Skips messages until this one arrives.
    ///
    /// # Panics
    /// It does not arrive in time, or the connection is closed; the message lists what arrived
    /// instead.
    pub fn expect(&mut self, message: &Message) {
        self.expect_some(&format!("{message:?}"), |came| came == message);
    }

    /// Skips messages until one fulfils `holds`.
    ///
    /// # Panics
    /// None does in time, or the connection is closed; the message lists what arrived instead.
    pub fn expect_some(&mut self, what: &str, holds: impl Fn(&Message) -> bool) -> Message {
        let deadline = Instant::now() + PATIENCE;
        let mut skipped = Vec::new();
        while let Some(received) = self.receive(deadline.saturating_duration_since(Instant::now()))
        {
            match received {
                Some(Event::Message(message)) if holds(&message) => return message,
                Some(received) => skipped.push(format!("{received:.80?}")),
                None => panic!("{what} did not come within {PATIENCE:?}; there came {skipped:?}"),
            }
        }
        panic!("the other side hung up before {what} came; there came {skipped:?}")
    }

    /// Skips messages until a request arrives.
    ///
    /// # Panics
    /// As [`Peer::expect_some`].
    pub fn expect_request(&mut self) -> RawBlock {
        match self.expect_some("a request", |message| {
            matches!(message, Message::Request(_))
        }) {
            Message::Request(raw) => raw,
            other => unreachable!("{other:?} is no request"),
        }
    }

    /// Skips messages until the other side closes the connection.
    ///
    /// # Panics
    /// It does not do so in time.
    pub fn expect_end(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while let Some(received) = self.receive(deadline.saturating_duration_since(Instant::now()))
        {
            assert!(
                received.is_some(),
                "the other side did not hang up within {PATIENCE:?}"
            );
        }
    }

    /// The outer `None` means that the connection is closed, the inner one that nothing arrived
    /// within `limit`.
    fn receive(&mut self, limit: Duration) -> Option<Option<Event>> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(received) = self
                .connection
                .poll_event(&mut self.received)
                .expect("the other side keeps the protocol")
            {
                return Some(Some(received));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Some(None);
            }
            self.stream.set_read_timeout(Some(left)).unwrap();
            let mut chunk = [0; 64 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(length) => self.received.extend_from_slice(&chunk[..length]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Some(None);
                }
                Err(_) => return None,
            }
        }
    }
}

/// A handshake that announces the capabilities of Aqueduct.
#[must_use]
pub fn handshake(peer_id: PeerId, info_hash: InfoHashV1) -> Handshake {
    Handshake {
        reserved: Reserved::OURS,
        info_hash,
        peer_id,
    }
}

/// Binds a listener to a free port of loopback.
///
/// # Panics
/// No port is free.
#[must_use]
pub fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// Starts a peer that runs `act` for each connection, one after the other, until the test process
/// ends. Returns its address.
#[must_use]
pub fn on_each_connection(act: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let (listener, addr) = listener();
    thread::spawn(move || listener.incoming().flatten().for_each(act));
    addr
}

/// How a [`ScriptedSeed`] answers requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Sends every requested block.
    Honest,
    /// Sends every block with one bit flipped.
    Corrupt,
    /// Unchokes, and never answers a request.
    Stall,
    /// Sends unrequested blocks as fast as they are read.
    Flood,
    /// As `Honest`, limited to this many KiB per second and connection.
    Slow(u32),
    /// As `Honest`, but with the first half of the pieces only until [`ScriptedSeed::complete`].
    Half,
}

/// A seed of a computed torrent over TCP. Each connection has its own thread, which ends with the
/// connection.
#[derive(Debug)]
pub struct ScriptedSeed {
    /// The address that the seed listens at.
    pub addr: SocketAddr,
    tally: Arc<Tally>,
}

/// Counters over all connections of a seed.
#[derive(Debug, Default)]
struct Tally {
    blocks: AtomicU32,
    ended: AtomicU32,
    /// Whether a seed that began with half of the pieces has all.
    complete: AtomicBool,
}

impl ScriptedSeed {
    /// Starts a seed that serves every peer.
    #[must_use]
    pub fn start(torrent: Arc<Computed>, manner: Manner) -> Self {
        let (listener, addr) = listener();
        let tally = Arc::<Tally>::default();
        let shared = Arc::clone(&tally);
        // Seeds must have different peer ids, since two with the same one count as the same peer.
        let id = PeerId(
            format!("-SC0001-{:012}", addr.port())
                .into_bytes()
                .try_into()
                .expect("twenty bytes"),
        );
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (torrent, tally) = (Arc::clone(&torrent), Arc::clone(&shared));
                thread::spawn(move || {
                    serve(stream, id, &torrent, manner, &tally);
                    tally.ended.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        Self { addr, tally }
    }

    /// The number of blocks sent so far, over all connections.
    #[must_use]
    pub fn blocks_sent(&self) -> u32 {
        self.tally.blocks.load(Ordering::Relaxed)
    }

    /// Gives a seed with [`Manner::Half`] all other pieces, which it announces to its peers.
    pub fn complete(&self) {
        self.tally.complete.store(true, Ordering::Relaxed);
    }

    /// The number of connections that have ended so far.
    #[must_use]
    pub fn connections_ended(&self) -> u32 {
        self.tally.ended.load(Ordering::Relaxed)
    }
}

fn serve(stream: TcpStream, id: PeerId, torrent: &Computed, manner: Manner, tally: &Tally) {
    let Some(mut peer) = Peer::shake(stream, Connection::accept(DEADLINE), id) else {
        return;
    };
    let mut metadata = Metadata {
        raw: &torrent.info().raw,
        theirs: 0,
    };
    let pieces = torrent.lengths().pieces();
    let mut withheld = if manner == Manner::Half {
        pieces / 2..pieces
    } else {
        pieces..pieces
    };
    let hello = [
        bitfield(torrent, withheld.start),
        metadata.handshake(),
        Message::Unchoke,
    ];
    // A peer may close the connection at any time, which ends the loop.
    let mut alive = hello.iter().all(|message| peer.try_send(message).is_ok());
    while alive {
        if tally.complete.load(Ordering::Relaxed) {
            alive = withheld.all(|piece| peer.try_send(&Message::Have(piece)).is_ok());
        }
        let patience = match manner {
            Manner::Flood => Duration::from_millis(1),
            Manner::Half => Duration::from_millis(20),
            _ => PATIENCE * 6,
        };
        alive &= match peer.receive(patience) {
            Some(Some(Event::Message(Message::Request(raw)))) => {
                answer(&mut peer, torrent, raw, manner, &tally.blocks)
            }
            Some(Some(Event::Message(Message::Extended { id, payload }))) => metadata
                .answer(id, &payload)
                .is_none_or(|message| peer.try_send(&message).is_ok()),
            Some(None) if manner == Manner::Flood => peer.try_send(&unasked()).is_ok(),
            Some(_) => true,
            None => false,
        }
    }
}

/// States that the first `count` pieces are there.
fn bitfield(torrent: &Computed, count: u32) -> Message {
    let lengths = torrent.lengths();
    let mut pieces = Bitfield::none(lengths.pieces());
    for piece in lengths.iter().take(count as usize) {
        pieces.set(piece);
    }
    Message::Bitfield(Bytes::copy_from_slice(pieces.as_bytes()))
}

/// Serves the `info` dictionary to peers that know only its hash (BEP 9).
struct Metadata<'a> {
    raw: &'a Bytes,
    /// The other side's id for the extension.
    theirs: u8,
}

impl Metadata<'_> {
    /// Our id for the extension.
    const OURS: u8 = 1;
    const PART: usize = 16 * 1024;

    fn handshake(&self) -> Message {
        let text = format!(
            "d1:md11:ut_metadatai{}ee13:metadata_sizei{}ee",
            Self::OURS,
            self.raw.len()
        );
        Message::Extended {
            id: 0,
            payload: Bytes::from(text),
        }
    }

    fn answer(&mut self, id: u8, payload: &[u8]) -> Option<Message> {
        if id == 0 {
            self.theirs = u8::try_from(number_after(payload, "11:ut_metadatai")?).ok()?;
            return None;
        }
        let asks = id == Self::OURS && number_after(payload, "8:msg_typei") == Some(0);
        let part = number_after(payload, "5:piecei").filter(|_| asks)?;
        let rest = self.raw.get(part * Self::PART..)?;
        let head = format!(
            "d8:msg_typei1e5:piecei{part}e10:total_sizei{}ee",
            self.raw.len()
        );
        let payload = [head.as_bytes(), &rest[..rest.len().min(Self::PART)]].concat();
        Some(Message::Extended {
            id: self.theirs,
            payload: Bytes::from(payload),
        })
    }
}

/// The bencoded integer that follows a key in `payload`.
fn number_after(payload: &[u8], key: &str) -> Option<usize> {
    let text = String::from_utf8_lossy(payload);
    text.split_once(key)?.1.split_once('e')?.0.parse().ok()
}

/// Answers a message. Returns false once the connection is closed.
fn answer(
    peer: &mut Peer,
    torrent: &Computed,
    raw: RawBlock,
    manner: Manner,
    blocks: &AtomicU32,
) -> bool {
    match manner {
        Manner::Stall => return true,
        Manner::Slow(kib) => thread::sleep(Duration::from_secs(1) * (raw.length / 1024) / kib),
        Manner::Honest | Manner::Corrupt | Manner::Flood | Manner::Half => {}
    }
    blocks.fetch_add(1, Ordering::Relaxed);
    peer.try_send(&block(torrent, raw, manner)).is_ok()
}

fn block(torrent: &Computed, raw: RawBlock, manner: Manner) -> Message {
    let offset =
        u64::from(raw.index) * u64::from(torrent.lengths().piece_length()) + u64::from(raw.begin);
    let mut data = torrent.slice(offset, u64::from(raw.length)).to_vec();
    if manner == Manner::Corrupt {
        data[0] ^= 1;
    }
    Message::Piece {
        index: raw.index,
        begin: raw.begin,
        data: Bytes::from(data),
    }
}

fn unasked() -> Message {
    Message::Piece {
        index: 0,
        begin: 0,
        data: Bytes::from_static(&[0; 16 * 1024]),
    }
}
