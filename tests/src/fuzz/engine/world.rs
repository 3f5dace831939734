//! An engine and a driver that executes its wishes late, wrongly or never, and watches what it
//! wishes.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use aqueduct_core::connection::Transport;
use aqueduct_core::extensions::ExtendedHandshake;
use aqueduct_core::meta::Magnet;
use aqueduct_core::types::{Bitfield, ConnId, InfoHash, PeerId, PeerSource, Piece, RequestId};
use aqueduct_core::wire::{Message, RawBlock, Reserved};
use aqueduct_core::{
    CloseReason, Command, Config, Engine, Event, FileChange, Handshaken, Input, Instant, Op,
    OpError, OpResult, Output, PriorityRange, Resumed, TorrentId,
};
use bytes::{Bytes, BytesMut};

use super::operation::{Operation, Order, Outcome, Said, Start};
use super::torrent::{TORRENT, digest};

/// Outputs of one input beyond which the engine is taken to be going round in circles.
const MAX_OUTPUTS: usize = 20_000;
/// Times a second of virtual time that the engine may ask to be woken, and times that it may
/// without time passing at all.
const MAX_WAKES: usize = 2_000;
/// Steps in which an engine whose wishes are all granted must have shut down.
const SHUT_DOWN_STEPS: usize = 1_000;

/// Work under way. A flush remembers what it makes durable.
struct Pending {
    op: Op,
    written_before: Bitfield,
    cancelled: bool,
}

pub(super) struct World {
    engine: Engine,
    config: Config,
    now: Instant,
    torrent: TorrentId,
    accepted: u64,
    dials: Vec<ConnId>,
    /// What we asked of each peer and have not got.
    peers: BTreeMap<ConnId, VecDeque<RawBlock>>,
    requests: BTreeMap<RequestId, Pending>,
    newest_request: Option<RequestId>,
    /// What the disk holds, and what a power loss would leave of it.
    written: Bitfield,
    durable: Bitfield,
    has_shut_down: bool,
}

impl World {
    pub(super) fn new() -> Self {
        let config = Config {
            max_peers: 5,
            max_unwritten: 96 * 1024,
            max_candidates: 10,
            max_requests_in: 8,
            ..Config::default()
        };
        let none = Bitfield::none(TORRENT.pieces());
        Self {
            engine: Engine::new(config.clone(), PeerId([9; 20]), [7; 32], Instant::ZERO),
            config,
            now: Instant::ZERO,
            torrent: TorrentId(0),
            accepted: 0,
            dials: Vec::new(),
            peers: BTreeMap::new(),
            requests: BTreeMap::new(),
            newest_request: None,
            written: none.clone(),
            durable: none,
            has_shut_down: false,
        }
    }

    pub(super) fn carry_out(&mut self, operation: Operation) {
        match operation {
            Operation::Wait(millis) => self.wait(Duration::from_millis(millis.into())),
            Operation::Accept {
                from,
                fast,
                extended,
            } => self.accept(from, fast, extended),
            Operation::Connect { dial, fast } => self.connect(dial, fast),
            Operation::Break(which) => self.break_one(which),
            Operation::Say(from, said) => self.say(from, said),
            Operation::Sent(to, bytes) => {
                if let Some(conn) = nth(self.peers.keys(), to) {
                    self.input(Input::Sent {
                        conn,
                        bytes: bytes.into(),
                    });
                }
            }
            Operation::Answer(which, outcome) => self.answer(which, outcome),
            Operation::Peers(addrs) => {
                let addrs = addrs
                    .into_iter()
                    .map(|(host, port)| ([1, 2, 3, host], port).into())
                    .collect();
                self.input(Input::Peers {
                    torrent: self.torrent,
                    source: PeerSource::Tracker,
                    addrs,
                });
            }
            Operation::Order(order) => self.order(order),
        }
    }

    /// The user leaves. From here on every wish is granted, so that the engine must come to its
    /// end.
    pub(super) fn shut_down(&mut self) {
        // Refused only if it is shutting down already.
        self.command(Command::ShutDown);
        for _ in 0..SHUT_DOWN_STEPS {
            if self.has_shut_down && self.requests.is_empty() {
                return assert!(
                    self.peers.is_empty(),
                    "connections outlive the engine: {:?}",
                    self.peers.keys()
                );
            }
            if self.requests.is_empty() {
                self.wait(Duration::from_secs(1));
            } else {
                self.answer(0, Outcome::Right);
            }
        }
        panic!("the engine does not shut down although everything it asks for succeeds");
    }

    fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        let most = MAX_WAKES * (1 + usize::try_from(span.as_secs()).unwrap());
        let mut wakes = 0;
        while let Some((due, reason)) = self.engine.poll_timeout().filter(|(due, _)| *due <= until)
        {
            wakes += 1;
            assert!(
                wakes <= most,
                "{reason:?} is due again and again, now at {due:?}"
            );
            self.now = self.now.max(due);
            self.input(Input::Timeout);
        }
        self.now = until;
    }

    fn accept(&mut self, from: u8, fast: bool, extended: bool) {
        self.accepted += 1;
        let conn = ConnId::accepted(self.accepted);
        self.peers.insert(conn, VecDeque::new());
        let handshake = handshake(from, fast, extended);
        self.input(Input::Accepted {
            conn,
            addr: ([10, 0, 0, from], 4000).into(),
            dialled: from.is_multiple_of(2),
            handshake,
        });
    }

    fn connect(&mut self, dial: u8, fast: bool) {
        let Some(conn) = nth(self.dials.iter(), dial) else {
            return;
        };
        self.dials.retain(|c| *c != conn);
        self.peers.insert(conn, VecDeque::new());
        self.input(Input::Connected {
            conn,
            handshake: handshake(dial, fast, true),
        });
    }

    fn break_one(&mut self, which: u8) {
        let Some(conn) = nth(self.dials.iter().chain(self.peers.keys()), which) else {
            return;
        };
        self.forget(conn);
        self.input(Input::Closed {
            conn,
            reason: CloseReason::Remote,
        });
    }

    fn forget(&mut self, conn: ConnId) {
        self.dials.retain(|c| *c != conn);
        self.peers.remove(&conn);
    }

    fn say(&mut self, from: u8, said: Said) {
        let Some(conn) = nth(self.peers.keys(), from) else {
            return;
        };
        if let Some(message) = self.message(conn, said) {
            self.input(Input::Message { conn, message });
        }
    }

    fn message(&mut self, conn: ConnId, said: Said) -> Option<Message> {
        let asked = self.peers.get_mut(&conn)?;
        Some(match said {
            Said::KeepAlive => Message::KeepAlive,
            Said::Choke => Message::Choke,
            Said::Unchoke => Message::Unchoke,
            Said::Interested => Message::Interested,
            Said::NotInterested => Message::NotInterested,
            Said::Have(index) => Message::Have((index % 8).into()),
            Said::Bitfield(bytes) => Message::Bitfield(bytes.into()),
            Said::HaveAll => Message::HaveAll,
            Said::HaveNone => Message::HaveNone,
            Said::Suggest(index) => Message::Suggest(index.into()),
            Said::AllowedFast(index) => Message::AllowedFast((index % 8).into()),
            Said::Port(port) => Message::Port(port),
            Said::Request(range) => Message::Request(range.raw()),
            Said::Cancel(range) => Message::Cancel(range.raw()),
            Said::Reject(range) => Message::Reject(range.raw()),
            Said::Unasked(range) => block(
                RawBlock {
                    length: range.raw().length.min(16_384),
                    ..range.raw()
                },
                true,
            ),
            Said::Block { right } => block(asked.pop_front()?, right),
            Said::RejectFirst => Message::Reject(asked.pop_front()?),
            Said::Hello => hello(),
            Said::Metadata { block, right } => metadata(block, right),
            Said::Extended(id, payload) => Message::Extended {
                id,
                payload: payload.into(),
            },
        })
    }

    fn answer(&mut self, which: u8, outcome: Outcome) {
        let Some(id) = nth(self.requests.keys(), which) else {
            return;
        };
        let Some(pending) = self.requests.remove(&id) else {
            return;
        };
        let failed = match (outcome, &pending.op) {
            (Outcome::Right, _) => None,
            (Outcome::Failed { .. }, _) if pending.cancelled => Some(OpError::Cancelled),
            (Outcome::Failed { .. }, Op::Hash(_)) => None,
            (Outcome::Failed { full }, _) => Some(OpError::Storage {
                full,
                message: "the disk failed".to_owned(),
            }),
        };
        let result = failed.map_or_else(|| Ok(self.perform(pending)), Err);
        self.input(Input::Done { id, result });
    }

    fn perform(&mut self, pending: Pending) -> OpResult {
        let lengths = TORRENT.lengths();
        match pending.op {
            Op::Hash(rope) => OpResult::Digest(digest(&rope)),
            Op::Write { offset, .. } => {
                for piece in lengths.pieces_of(offset, 1) {
                    self.written.set(piece);
                }
                OpResult::Unit
            }
            Op::Read { offset, length } => OpResult::Bytes(
                TORRENT
                    .slice(offset, length.into())
                    .expect("checked when it was asked for"),
            ),
            Op::Check(range) if self.written.has(range.piece) => TORRENT
                .info
                .piece_hash(range.piece)
                .map_or(OpResult::Missing, OpResult::Digest),
            Op::Check(_) => OpResult::Missing,
            Op::Flush => {
                for index in pending.written_before.ones() {
                    self.durable.set(piece(index));
                }
                OpResult::Unit
            }
            Op::Save { .. } => OpResult::Unit,
        }
    }

    fn order(&mut self, order: Order) {
        let torrent = self.torrent;
        match order {
            Order::Add { start, paused } => self.add(start, paused),
            Order::Remove => self.command(Command::Remove(torrent)),
            Order::Pause => self.command(Command::Pause(torrent)),
            Order::Resume => self.command(Command::Resume(torrent)),
            Order::Want(flags) => {
                self.command(Command::Want(torrent, vec![flags & 1 != 0, flags & 2 != 0]))
            }
            Order::Prioritise(first, length) => {
                self.command(Command::Prioritise(torrent, ranges(first, length)))
            }
            Order::Touch(file) => self.input(Input::FileChanged {
                torrent,
                file: u32::from(file % 3),
                change: FileChange::Replaced,
            }),
            Order::SeedOnly => self.command(Command::SeedOnly(torrent)),
            Order::Limits(download, upload) => self.command(Command::Limits {
                download: download.map(u64::from),
                upload: upload.map(u64::from),
            }),
        }
    }

    fn add(&mut self, start: Start, paused: bool) {
        let torrent = TorrentId(self.torrent.0 + 1);
        let info = TORRENT.info.clone();
        let command = match start {
            Start::Magnet => Command::AddMagnet {
                torrent,
                magnet: magnet(info.info_hash),
                paused,
            },
            _ => Command::Add {
                torrent,
                info,
                resumed: self.resumed(start),
                wanted: None,
                paused,
            },
        };
        if self.engine.command(self.now, command).is_ok() {
            self.torrent = torrent;
        }
        self.drain();
    }

    fn resumed(&self, start: Start) -> Resumed {
        match start {
            Start::Nothing | Start::Magnet => Resumed::Nothing,
            Start::Check => Resumed::Check,
            Start::Record { check } => {
                let check = (0..TORRENT.pieces())
                    .filter(|piece| check & (1 << piece) != 0)
                    .collect();
                Resumed::Record {
                    have: self.durable.clone(),
                    check,
                    sample: Vec::new(),
                    uploaded: 1,
                    downloaded: 2,
                }
            }
        }
    }

    /// A refusal changes nothing, which is all there is to see here.
    fn command(&mut self, command: Command) {
        let _refused = self.engine.command(self.now, command);
        self.drain();
    }

    fn input(&mut self, input: Input) {
        self.engine.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        let mut metadata = false;
        for count in 0.. {
            assert!(
                count < MAX_OUTPUTS,
                "there is no end to what the engine wants"
            );
            let Some(output) = self.engine.poll_output() else {
                break;
            };
            metadata |= matches!(&output, Output::Event(Event::Metadata(..)));
            self.take(output);
        }
        self.holds_no_more_than_it_may();
        if metadata {
            let resumed = Resumed::Check;
            self.engine
                .attach(self.now, self.torrent, resumed)
                .expect("the torrent waits for its data");
            self.drain();
        }
    }

    fn take(&mut self, output: Output) {
        match output {
            Output::Dial { conn, addr, .. } => {
                assert!(addr.socket_addr().is_some_and(|addr| addr.port() != 0));
                assert!(
                    !conn.is_accepted()
                        && !self.peers.contains_key(&conn)
                        && !self.dials.contains(&conn),
                    "{conn:?} twice"
                );
                self.dials.push(conn);
            }
            Output::Send { conn, message } => self.sent(conn, &message),
            Output::Close { conn, .. } => {
                assert!(
                    self.dials.contains(&conn) || self.peers.contains_key(&conn),
                    "{conn:?} is closed, but was not open"
                );
                self.forget(conn);
            }
            Output::Request { id, op, .. } => self.requested(id, op),
            Output::Cancel(id) => {
                self.requests
                    .get_mut(&id)
                    .expect("only what is under way is cancelled")
                    .cancelled = true
            }
            Output::Event(Event::ShutDown) => self.has_shut_down = true,
            Output::Event(Event::Piece(_, piece)) => self.is_had(piece),
            Output::Event(_)
            | Output::Discover { .. }
            | Output::Hint { .. }
            | Output::DhtNode(_) => {}
        }
    }

    /// Whatever peers are told is true, and right on the wire.
    fn sent(&mut self, conn: ConnId, message: &Message) {
        let asked = self
            .peers
            .get_mut(&conn)
            .expect("only to connected peers something is said");
        match message {
            Message::Request(raw) => {
                assert!(
                    TORRENT
                        .lengths()
                        .block(raw.index, raw.begin, raw.length)
                        .is_some_and(|b| b.length() <= 16 * 1024),
                    "{raw:?}"
                );
                asked.push_back(*raw);
            }
            Message::Cancel(raw) => asked.retain(|r| r != raw),
            Message::Have(index) => self.is_had(piece(*index)),
            Message::HaveAll => assert!(self.written.is_all()),
            Message::Bitfield(bytes) => {
                let told = Bitfield::from_wire(bytes, TORRENT.pieces())
                    .expect("our own bitfield is right");
                told.ones().for_each(|index| self.is_had(piece(index)));
            }
            Message::Piece { index, begin, data } => {
                self.is_had(piece(*index));
                let offset = TORRENT.lengths().offset(piece(*index)) + u64::from(*begin);
                assert_eq!(
                    TORRENT.slice(offset, data.len() as u64).as_ref(),
                    Some(data)
                );
            }
            _ => {}
        }
        let mut wire = BytesMut::new();
        let data = message.encode(&mut wire);
        wire.extend(data.into_iter().flatten());
        assert_eq!(
            Message::decode(&mut wire).as_ref(),
            Ok(&Some(message.clone()))
        );
    }

    fn requested(&mut self, id: RequestId, op: Op) {
        assert!(
            self.newest_request.is_none_or(|newest| newest < id),
            "{id:?} is used twice"
        );
        self.newest_request = Some(id);
        match &op {
            Op::Write { offset, data } => {
                let piece = TORRENT
                    .lengths()
                    .pieces_of(*offset, 1)
                    .next()
                    .expect("a write lies in the torrent");
                assert_eq!(*offset, TORRENT.lengths().offset(piece));
                assert_eq!(
                    data.0.concat(),
                    TORRENT.piece(piece),
                    "{piece:?} is written with wrong bytes"
                );
            }
            Op::Read { offset, length } => {
                assert!(
                    TORRENT.slice(*offset, (*length).into()).is_some()
                        && *length > 0
                        && *length <= 256 * 1024
                );
                TORRENT
                    .lengths()
                    .pieces_of(*offset, (*length).into())
                    .for_each(|piece| self.is_had(piece));
            }
            Op::Save { have, .. } => {
                let early = have.ones().find(|index| !self.durable.has(piece(*index)));
                assert_eq!(
                    early, None,
                    "the record claims a piece before it is durable"
                );
            }
            Op::Hash(_) | Op::Check(_) | Op::Flush => {}
        }
        let written_before = self.written.clone();
        self.requests.insert(
            id,
            Pending {
                op,
                written_before,
                cancelled: false,
            },
        );
    }

    fn is_had(&self, piece: Piece) {
        assert!(self.written.has(piece), "{piece:?} is not there");
    }

    fn holds_no_more_than_it_may(&self) {
        let held = |op: &Op| match op {
            Op::Hash(rope) | Op::Write { data: rope, .. } => rope.len() as u64,
            _ => 0,
        };
        let unwritten: u64 = self
            .requests
            .values()
            .map(|pending| held(&pending.op))
            .sum();
        assert!(
            unwritten <= self.config.max_unwritten,
            "{unwritten} bytes are not written yet"
        );
    }
}

/// One of those that are there, if any is.
fn nth<'a, T: Copy + 'a>(mut those: impl Iterator<Item = &'a T> + Clone, which: u8) -> Option<T> {
    let count = those.clone().count();
    those.nth(usize::from(which) % count.max(1)).copied()
}

fn piece(index: u32) -> Piece {
    TORRENT
        .lengths()
        .piece(index)
        .expect("only pieces of the torrent are spoken of")
}

fn handshake(from: u8, fast: bool, extended: bool) -> Handshaken {
    let reserved = Reserved([
        0,
        0,
        0,
        0,
        0,
        if extended { 0x10 } else { 0 },
        0,
        if fast { 0x04 } else { 0 },
    ]);
    Handshaken {
        info_hash: TORRENT.info.info_hash.wire(),
        peer_id: PeerId([from; 20]),
        reserved,
        transport: Transport::Tcp,
    }
}

fn magnet(info_hash: InfoHash) -> Magnet {
    Magnet {
        info_hash,
        name: None,
        trackers: Vec::new(),
        web_seeds: Vec::new(),
        peers: vec![([1, 2, 3, 4], 5).into()],
        select: None,
    }
}

/// A block with its bytes, or with one of them changed; of what is outside the torrent, zeros.
fn block(raw: RawBlock, right: bool) -> Message {
    let lengths = TORRENT.lengths();
    let offset = lengths
        .piece(raw.index)
        .map(|piece| lengths.offset(piece) + u64::from(raw.begin));
    let there = offset.and_then(|offset| TORRENT.slice(offset, raw.length.into()));
    let mut data =
        BytesMut::from(&there.unwrap_or_else(|| Bytes::from(vec![0; raw.length as usize]))[..]);
    if let (Some(byte), false) = (data.first_mut(), right) {
        *byte ^= 1;
    }
    Message::Piece {
        index: raw.index,
        begin: raw.begin,
        data: data.freeze(),
    }
}

fn hello() -> Message {
    let extensions = [
        ("ut_metadata".to_owned(), 3),
        ("ut_pex".to_owned(), 4),
        ("lt_donthave".to_owned(), 5),
    ]
    .into();
    let metadata_size = Some(TORRENT.info.raw.len() as u64);
    let hello = ExtendedHandshake {
        extensions,
        metadata_size,
        requests: Some(4),
        ..ExtendedHandshake::default()
    };
    Message::Extended {
        id: 0,
        payload: hello.encode().into(),
    }
}

/// Data of `ut_metadata` (BEP 9), which we gave the number 1.
fn metadata(block: u8, right: bool) -> Message {
    let raw = &TORRENT.info.raw;
    let head = format!(
        "d8:msg_typei1e5:piecei{}e10:total_sizei{}ee",
        block % 2,
        raw.len()
    );
    let mut payload = [head.as_bytes(), raw].concat();
    if let (Some(byte), false) = (payload.last_mut(), right) {
        *byte ^= 1;
    }
    Message::Extended {
        id: 1,
        payload: payload.into(),
    }
}

/// None, one or two ranges that may lie beyond the torrent's end.
fn ranges(first: u8, length: u8) -> Vec<PriorityRange> {
    let start = u64::from(first) * 1024;
    let range = PriorityRange {
        start,
        end: start + u64::from(length) * 1024,
        deadline: Instant::from_micros(1),
    };
    [range, PriorityRange::ALL]
        .into_iter()
        .take(usize::from(length % 3))
        .collect()
}
