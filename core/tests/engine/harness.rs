//! A test harness for an engine with a disk.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::connection::{Line, Transport};
use aqueduct_core::meta::Info;
use aqueduct_core::types::{ConnId, InfoHashV1, PeerAddr, PeerId, PieceDigest, RequestId};
use aqueduct_core::wire::{Message, RawBlock, Reserved};
use aqueduct_core::{
    CloseReason, Command, Config, DialKind, Engine, Event, FileChange, Handshaken, Input, Instant,
    NewTorrent, Op, OpError, OpResult, Output, Rechecked, Resumed, TorrentId, TorrentSnapshot,
    TorrentSource,
};
use aqueduct_testkit::torrent::{Computed, Recipe};
use bytes::Bytes;
use sha1::{Digest as _, Sha1};

pub(crate) const TORRENT: TorrentId = TorrentId(1);
pub(crate) const OURS: PeerId = PeerId([7; 20]);
pub(crate) const PIECE: u32 = 32 * 1024;
pub(crate) const PIECES: u32 = 12;
/// The reason why a disk that cannot be read fails.
pub(crate) const UNREADABLE: &str = "could not read the disk";

/// An engine with a disk, and a record of what it sent, closed and dialled.
pub(crate) struct Harness {
    pub(crate) engine: Engine,
    pub(crate) now: Instant,
    disk: Vec<u8>,
    swarm: InfoHashV1,
    pub(crate) sent: Vec<(ConnId, Message)>,
    closed: Vec<(ConnId, CloseReason)>,
    pub(crate) dialled: Vec<(Instant, PeerAddr)>,
    pub(crate) dials: Vec<(ConnId, PeerAddr, DialKind)>,
    answered: BTreeMap<ConnId, usize>,
    /// The requests that the disk has not answered yet.
    requests: VecDeque<(RequestId, Op)>,
    /// How many more requests the disk answers, and whether the newest one first.
    answers: (usize, bool),
    /// The resume records that the engine has had saved, and whether the disk refuses them.
    pub(crate) records: usize,
    refuses_records: bool,
    /// The offset from which on the disk writes nothing.
    full_from: u64,
    /// Whether the disk reads nothing.
    unreadable: bool,
    pub(crate) rechecked: Option<Rechecked>,
    pub(crate) is_shut_down: bool,
}

impl Harness {
    pub(crate) fn seed() -> Self {
        Self::with(Config::default(), Resumed::Check)
    }

    pub(crate) fn leech() -> Self {
        Self::with(Config::default(), Resumed::Nothing)
    }

    fn with(config: Config, resumed: Resumed) -> Self {
        let size = u64::from(PIECE * PIECES);
        let torrent = Recipe::single("twelve", 1, size, PIECE).build();
        Self::sharing(&torrent, config, resumed)
    }

    /// From now on the disk saves resume records or refuses them, and answers a thousand requests.
    pub(crate) fn refuse_records(&mut self, refuses: bool) {
        self.refuses_records = refuses;
        self.let_disk_answer(1000);
    }

    /// From now on the disk writes nothing from this offset on.
    pub(crate) const fn fill_disk_from(&mut self, offset: u64) {
        self.full_from = offset;
    }

    /// From now on the disk answers this many requests.
    pub(crate) fn let_disk_answer(&mut self, count: usize) {
        self.answers.0 = count;
        self.settle();
    }

    /// An engine with this torrent.
    pub(crate) fn sharing(torrent: &Computed, config: Config, resumed: Resumed) -> Self {
        let disk = data_of(torrent);
        let harness = Self::new(torrent.info().info_hash.wire(), disk, config);
        harness.adding(Arc::clone(torrent.info()), resumed)
    }

    /// Adds a second torrent, of which all is wanted. Peers that connect from now on are in its swarm,
    /// and its data replace those of the first on the disk.
    pub(crate) fn add_another(&mut self, torrent: &Computed) {
        (self.swarm, self.disk) = (torrent.info().info_hash.wire(), data_of(torrent));
        let new = NewTorrent {
            torrent: TorrentId(TORRENT.0 + 1),
            source: TorrentSource::Info {
                info: Arc::clone(torrent.info()),
                resumed: Resumed::Nothing,
                wanted: None,
            },
            paused: false,
        };
        self.command(Command::Add(new));
    }

    /// From now on the disk can be read, or cannot.
    pub(crate) const fn set_unreadable(&mut self, unreadable: bool) {
        self.unreadable = unreadable;
    }

    /// A seed whose disk answers no more than `count` requests of the check. `newest_first`: the
    /// order of the answers.
    pub(crate) fn checking(count: usize, newest_first: bool) -> Self {
        Self::checking_as(Resumed::Check, (count, newest_first))
    }

    /// The same, which begins with `resumed`.
    pub(crate) fn checking_as(resumed: Resumed, answers: (usize, bool)) -> Self {
        let size = u64::from(PIECE * PIECES);
        let torrent = Recipe::single("twelve", 1, size, PIECE).build();
        let disk = torrent.slice(0, size).to_vec();
        let mut harness = Self::new(torrent.info().info_hash.wire(), disk, Config::default());
        harness.answers = answers;
        harness.adding(Arc::clone(torrent.info()), resumed)
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.engine.command(self.now, command).unwrap();
        self.settle();
    }

    /// The program ends. The disk answers what is still to be answered.
    pub(crate) fn shut_down(&mut self) {
        self.engine.command(self.now, Command::ShutDown).unwrap();
        self.let_disk_answer(usize::MAX);
    }

    /// An engine that wants all of this torrent, whose data are `disk`.
    pub(crate) fn lacking(info: Arc<Info>, disk: Vec<u8>) -> Self {
        let harness = Self::new(info.info_hash.wire(), disk, Config::default());
        harness.adding(info, Resumed::Nothing)
    }

    fn new(swarm: InfoHashV1, disk: Vec<u8>, config: Config) -> Self {
        Self {
            engine: Engine::new(config, OURS, [1; 32], Instant::ZERO),
            now: Instant::ZERO,
            disk,
            swarm,
            sent: Vec::new(),
            closed: Vec::new(),
            dialled: Vec::new(),
            dials: Vec::new(),
            answered: BTreeMap::new(),
            requests: VecDeque::new(),
            answers: (usize::MAX, false),
            records: 0,
            refuses_records: false,
            full_from: u64::MAX,
            unreadable: false,
            rechecked: None,
            is_shut_down: false,
        }
    }

    fn adding(mut self, info: Arc<Info>, resumed: Resumed) -> Self {
        let new = NewTorrent {
            torrent: TORRENT,
            source: TorrentSource::Info {
                info,
                resumed,
                wanted: None,
            },
            paused: false,
        };
        self.engine.command(self.now, Command::Add(new)).unwrap();
        self.settle();
        self
    }

    /// Takes all outputs of the engine, and answers requests of the disk.
    fn settle(&mut self) {
        self.take_outputs();
        while self.answers.0 > 0 {
            let next = match self.answers.1 {
                true => self.requests.pop_back(),
                false => self.requests.pop_front(),
            };
            let Some((id, op)) = next else {
                return;
            };
            self.answers.0 -= 1;
            let is_record = matches!(op, Op::Save { .. });
            self.records += usize::from(is_record);
            let is_read = matches!(op, Op::Check(_) | Op::Read { .. });
            let failed = |full, message: &str| {
                let message = message.to_owned();
                Err(OpError::Storage { full, message })
            };
            let result = match self.refuses_records {
                true if is_record => failed(true, "no space"),
                _ if matches!(op, Op::Write { offset, .. } if offset >= self.full_from) => {
                    failed(true, "no space")
                }
                _ if is_read && self.unreadable => failed(false, UNREADABLE),
                _ => Ok(self.perform(op)),
            };
            self.engine.handle(self.now, Input::Done { id, result });
            self.take_outputs();
        }
    }

    fn take_outputs(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Request { id, op, .. } => self.requests.push_back((id, op)),
                Output::Event(Event::ShutDown) => self.is_shut_down = true,
                Output::Event(Event::Rechecked(_, outcome)) => self.rechecked = Some(outcome),
                Output::Send { conn, message } => self.sent.push((conn, message)),
                Output::Close { conn, reason } => self.closed.push((conn, reason)),
                Output::Dial {
                    conn, addr, kind, ..
                } => {
                    self.dialled.push((self.now, addr));
                    self.dials.push((conn, addr, kind));
                }
                _ => {}
            }
        }
    }

    fn perform(&self, op: Op) -> OpResult {
        let bytes = |offset: u64, length: u32| &self.disk[offset as usize..][..length as usize];
        match op {
            Op::Check(range) => {
                let digest = Sha1::digest(bytes(range.offset, range.length));
                OpResult::Digest(PieceDigest::V1(digest.into()))
            }
            Op::Read { offset, length } => {
                OpResult::Bytes(Bytes::copy_from_slice(bytes(offset, length)))
            }
            Op::Hash(rope) => {
                OpResult::Digest(PieceDigest::V1(Sha1::digest(rope.0.concat()).into()))
            }
            Op::Write { .. } | Op::Flush | Op::Save { .. } => OpResult::Unit,
        }
    }

    pub(crate) fn hear(&mut self, input: Input) {
        self.engine.handle(self.now, input);
        self.settle();
    }

    /// A peer connects. It supports the fast extension (BEP 6) and has no pieces.
    pub(crate) fn accept(&mut self, n: u64, addr: &str) -> ConnId {
        let mut id = [100; 20];
        id[..8].copy_from_slice(&n.to_be_bytes());
        self.accept_as(n, addr, PeerId(id))
    }

    pub(crate) fn accept_as(&mut self, n: u64, addr: &str, peer_id: PeerId) -> ConnId {
        self.accept_with(n, addr, peer_id, Reserved::OURS)
    }

    /// A peer connects over uTP.
    pub(crate) fn accept_utp(&mut self, n: u64, addr: &str) -> ConnId {
        let peer_id = PeerId([n as u8 + 100; 20]);
        self.accept_over(Transport::Utp, n, addr, (peer_id, Reserved::OURS))
    }

    fn accept_with(&mut self, n: u64, addr: &str, peer_id: PeerId, reserved: Reserved) -> ConnId {
        self.accept_over(Transport::Tcp, n, addr, (peer_id, reserved))
    }

    fn accept_over(
        &mut self,
        transport: Transport,
        n: u64,
        addr: &str,
        (peer_id, reserved): (PeerId, Reserved),
    ) -> ConnId {
        let conn = ConnId::accepted(n);
        let handshake = Handshaken {
            info_hash: self.swarm,
            peer_id,
            reserved,
            line: Line::clear(transport),
        };
        self.hear(Input::Accepted {
            conn,
            addr: addr.parse::<SocketAddr>().unwrap().into(),
            dialled: false,
            handshake,
        });
        conn
    }

    /// The `n`-th dial succeeds.
    pub(crate) fn connect(&mut self, n: u64) -> ConnId {
        let conn = ConnId::dialled(n);
        let handshake = Handshaken {
            info_hash: self.swarm,
            peer_id: PeerId([200; 20]),
            reserved: Reserved::OURS,
            line: Line::clear(Transport::Tcp),
        };
        self.hear(Input::Connected { conn, handshake });
        conn
    }

    /// Another program overwrites the first piece on the disk.
    pub(crate) fn damage(&mut self) {
        self.disk[..PIECE as usize].fill(0);
        self.hear(Input::FileChanged {
            torrent: TORRENT,
            file: 0,
            change: FileChange::Written,
        });
    }

    /// A dial fails.
    pub(crate) fn fail(&mut self, conn: ConnId, reason: CloseReason) {
        self.hear(Input::Closed { conn, reason });
    }

    /// A seed connects and unchokes us. `fast`: whether it supports the fast extension (BEP 6).
    pub(crate) fn accept_seed(&mut self, n: u8, fast: bool) -> ConnId {
        let reserved = if fast {
            Reserved::OURS
        } else {
            Reserved::default()
        };
        let conn = self.accept_with(
            n.into(),
            &format!("9.9.9.{n}:1000"),
            PeerId([n; 20]),
            reserved,
        );
        let pieces = self.disk.len().div_ceil(PIECE as usize);
        let mut bits = vec![0xff_u8; pieces.div_ceil(8)];
        *bits.last_mut().unwrap() <<= (8 - pieces % 8) % 8;
        assert_eq!(self.say(conn, Message::Bitfield(bits.into())), None);
        assert_eq!(self.say(conn, Message::Unchoke), None);
        conn
    }

    /// All requests that were sent to this peer.
    pub(crate) fn asked(&self, conn: ConnId) -> Vec<RawBlock> {
        self.sent
            .iter()
            .filter_map(|sent| request_to(conn, sent))
            .collect()
    }

    /// The peer sends a requested block.
    pub(crate) fn answer(&mut self, conn: ConnId, raw: RawBlock) {
        let at = (raw.index * PIECE + raw.begin) as usize;
        let data = Bytes::copy_from_slice(&self.disk[at..][..raw.length as usize]);
        let parted = self.say(
            conn,
            Message::Piece {
                index: raw.index,
                begin: raw.begin,
                data,
            },
        );
        // After the last wanted block neither side needs the other, so the connection may be closed.
        let TorrentSnapshot { done, wanted, .. } = self.snapshot();
        assert!(parted.is_none_or(|reason| reason == CloseReason::Redundant && done == wanted));
    }

    /// The number of requests that the peer has answered.
    pub(crate) fn answered(&self, conn: ConnId) -> usize {
        self.answered.get(&conn).copied().unwrap_or_default()
    }

    /// The peer answers the oldest request that it has not answered yet.
    pub(crate) fn answer_next(&mut self, conn: ConnId) {
        let next = self.answered(conn);
        let raw = self.asked(conn)[next];
        self.answered.insert(conn, next + 1);
        self.answer(conn, raw);
    }

    /// The peer answers all requests that it has not answered yet, including those that follow in
    /// return, except those for which `keeps` is true.
    pub(crate) fn answer_all(&mut self, conn: ConnId, keeps: impl Fn(RawBlock) -> bool) {
        loop {
            let next = self.answered.entry(conn).or_default();
            let Some(raw) = self
                .sent
                .iter()
                .filter_map(|sent| request_to(conn, sent))
                .nth(*next)
            else {
                return;
            };
            *next += 1;
            if !keeps(raw) {
                self.answer(conn, raw);
            }
        }
    }

    /// The peer drops all outstanding requests.
    pub(crate) fn forget(&mut self, conn: ConnId) {
        self.answered.insert(conn, self.asked(conn).len());
    }

    /// Runs until `holds` returns true; it is called ten times per second and may act for peers.
    /// Returns the time that this took.
    pub(crate) fn run_until(
        &mut self,
        limit: Duration,
        mut holds: impl FnMut(&mut Self) -> bool,
    ) -> Duration {
        let start = self.now;
        while !holds(self) {
            assert!(
                self.now.since(start) < limit,
                "it did not come to that within {limit:?}"
            );
            self.run(Duration::from_millis(100));
        }
        self.now.since(start)
    }

    pub(crate) fn snapshot(&self) -> TorrentSnapshot {
        self.engine.snapshot_of(TORRENT).unwrap()
    }

    /// The peer sends a message. Returns the reason if it was disconnected.
    pub(crate) fn say(&mut self, conn: ConnId, message: Message) -> Option<CloseReason> {
        self.hear(Input::Message { conn, message });
        self.parted(conn)
    }

    pub(crate) fn parted(&self, conn: ConnId) -> Option<CloseReason> {
        self.closed
            .iter()
            .find(|(closed, _)| *closed == conn)
            .map(|(_, reason)| reason.clone())
    }

    /// The peer sends messages until it is disconnected. Returns the number of accepted messages,
    /// and the reason.
    pub(crate) fn insist(
        &mut self,
        conn: ConnId,
        most: usize,
        message: impl Fn(usize) -> Message,
    ) -> (usize, Option<CloseReason>) {
        for count in 0..most {
            if let Some(reason) = self.say(conn, message(count)) {
                return (count, Some(reason));
            }
        }
        (most, None)
    }

    pub(crate) fn count(&self, wanted: impl Fn(&Message) -> bool) -> usize {
        self.sent
            .iter()
            .filter(|(_, message)| wanted(message))
            .count()
    }

    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some((at, _)) = self.engine.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.hear(Input::Timeout);
        }
        self.now = end;
    }
}

fn data_of(torrent: &Computed) -> Vec<u8> {
    torrent.slice(0, torrent.info().lengths.total()).to_vec()
}

fn request_to(conn: ConnId, (to, message): &(ConnId, Message)) -> Option<RawBlock> {
    match message {
        Message::Request(raw) if *to == conn => Some(*raw),
        _ => None,
    }
}
