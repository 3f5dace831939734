//! An engine with a driver that completes its requests late, wrongly or never, and that checks the
//! engine's outputs.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use aqueduct_core::types::{Bitfield, ConnId, PeerId, PeerSource};
use aqueduct_core::wire::{Message, RawBlock};
use aqueduct_core::{
    CloseReason, Command, Config, Engine, Event, FileChange, Input, Instant, NewTorrent, Output,
    Resumed, TorrentId, TorrentSource,
};
use bytes::BytesMut;

use super::disk::Disk;
use super::inputs::{block, handshake, hello, magnet, metadata, piece, ranges};
use super::operation::{Operation, Order, Outcome, Said, Start};
use super::torrent::TORRENT;

/// The maximum number of outputs per input; more count as an endless loop.
const MAX_OUTPUTS: usize = 20_000;
/// The maximum number of wake-ups per second of virtual time, and at a single instant.
const MAX_WAKES: usize = 2_000;
/// The maximum number of steps that a shutdown may take when all requests succeed.
const SHUT_DOWN_STEPS: usize = 1_000;

pub(super) struct World {
    engine: Engine,
    config: Config,
    now: Instant,
    torrent: TorrentId,
    accepted: u64,
    dials: Vec<ConnId>,
    /// Blocks that are requested from each peer and have not been received.
    peers: BTreeMap<ConnId, VecDeque<RawBlock>>,
    disk: Disk,
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
        Self {
            engine: Engine::new(config.clone(), PeerId([9; 20]), [7; 32], Instant::ZERO),
            config,
            now: Instant::ZERO,
            torrent: TorrentId(0),
            accepted: 0,
            dials: Vec::new(),
            peers: BTreeMap::new(),
            disk: Disk::new(),
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

    /// Shuts the engine down. From here on every request succeeds, so the shutdown must complete.
    pub(super) fn shut_down(&mut self) {
        // Refused only if the engine is already shutting down.
        self.command(Command::ShutDown);
        for _ in 0..SHUT_DOWN_STEPS {
            if self.has_shut_down && self.disk.is_idle() {
                return assert!(
                    self.peers.is_empty(),
                    "connections outlive the engine: {:?}",
                    self.peers.keys()
                );
            }
            if self.disk.is_idle() {
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
        if let Some((id, result)) = self.disk.answer(which, outcome) {
            self.input(Input::Done { id, result });
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
        let source = match start {
            Start::Magnet => TorrentSource::Magnet(magnet(info.info_hash)),
            _ => TorrentSource::Info {
                info,
                resumed: self.resumed(start),
                wanted: None,
            },
        };
        let new = NewTorrent {
            torrent,
            source,
            paused,
        };
        if self.engine.command(self.now, Command::Add(new)).is_ok() {
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
                    have: self.disk.durable().clone(),
                    check,
                    sample: Vec::new(),
                    uploaded: 1,
                    downloaded: 2,
                }
            }
        }
    }

    /// A refused command changes nothing, so there is nothing else to check.
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
        let unwritten = self.disk.unwritten();
        assert!(
            unwritten <= self.config.max_unwritten,
            "{unwritten} bytes are not written yet"
        );
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
            Output::Request { id, op, .. } => self.disk.request(id, op),
            Output::Cancel(id) => self.disk.cancel(id),
            Output::Event(Event::ShutDown) => self.has_shut_down = true,
            Output::Event(Event::Piece(_, piece)) => self.disk.assert_has(piece),
            Output::Event(_)
            | Output::Discover { .. }
            | Output::Hint { .. }
            | Output::DhtNode(_) => {}
        }
    }

    /// Checks that a message to a peer is true and that encoding preserves it.
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
            Message::Have(index) => self.disk.assert_has(piece(*index)),
            Message::HaveAll => assert!(self.disk.has_all()),
            Message::Bitfield(bytes) => {
                let told = Bitfield::from_wire(bytes, TORRENT.pieces())
                    .expect("our own bitfield is right");
                told.ones()
                    .for_each(|index| self.disk.assert_has(piece(index)));
            }
            Message::Piece { index, begin, data } => {
                self.disk.assert_has(piece(*index));
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
}

/// The `n`-th of the items, modulo their count; `None` if there are none.
pub(super) fn nth<'a, T: Copy + 'a>(
    mut those: impl Iterator<Item = &'a T> + Clone,
    which: u8,
) -> Option<T> {
    let count = those.clone().count();
    those.nth(usize::from(which) % count.max(1)).copied()
}
