//! Pieces that are awaited come soon, although peers are silent, lie, or answer in their own time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::io::PriorityRange;
use aqueduct_core::types::ConnId;
use aqueduct_core::wire::{Message, RawBlock};
use aqueduct_core::{Command, Config, Instant, Resumed};
use aqueduct_testkit::torrent::{Computed, Recipe};
use bytes::Bytes;

use super::harness::{Harness, TORRENT};

const KIB: u32 = 1024;
const TICK: Duration = Duration::from_millis(100);

/// A download whose peers answer when a test lets them.
struct Swarm {
    harness: Harness,
    torrent: Arc<Computed>,
    piece: u32,
    /// The number of sent messages that were read.
    read: usize,
    pending: BTreeMap<ConnId, Vec<RawBlock>>,
}

impl Swarm {
    /// A torrent of so many pieces of this many bytes, the first ones of which are awaited.
    fn new(pieces: u32, piece: u32) -> Self {
        let size = u64::from(pieces) * u64::from(piece);
        let torrent = Arc::new(Recipe::single("awaited", 1, size, piece).build());
        let harness = Harness::sharing(&torrent, Config::default(), Resumed::Nothing);
        let mut swarm = Self {
            harness,
            torrent,
            piece,
            read: 0,
            pending: BTreeMap::new(),
        };
        swarm.seek(0);
        swarm
    }

    /// A player is at this byte.
    fn seek(&mut self, start: u64) {
        let (end, deadline) = (start + (8 << 20), Instant::ZERO);
        let awaited = PriorityRange {
            start,
            end,
            deadline,
        };
        let ranges = vec![PriorityRange::ALL, awaited];
        self.harness.command(Command::Prioritise(TORRENT, ranges));
        self.take_sent();
    }

    fn peer(&mut self, number: u64, has: Message) -> ConnId {
        let conn = self.harness.accept(number, &format!("9.9.9.{number}:1000"));
        self.harness.say(conn, has);
        self.harness.say(conn, Message::Unchoke);
        self.take_sent();
        conn
    }

    fn seed(&mut self, number: u64) -> ConnId {
        self.peer(number, Message::HaveAll)
    }

    fn take_sent(&mut self) {
        for (conn, message) in &self.harness.sent[self.read..] {
            let pending = self.pending.entry(*conn).or_default();
            match message {
                Message::Request(raw) => pending.push(*raw),
                Message::Cancel(raw) => pending.retain(|other| other != raw),
                _ => {}
            }
        }
        self.read = self.harness.sent.len();
    }

    fn wait(&mut self, span: Duration) {
        self.harness.run(span);
        self.take_sent();
    }

    fn pending(&self, conn: ConnId) -> Vec<RawBlock> {
        self.pending.get(&conn).cloned().unwrap_or_default()
    }

    /// The pieces of a peer's pending requests.
    fn indices(&self, conn: ConnId) -> Vec<u32> {
        self.pending(conn).iter().map(|raw| raw.index).collect()
    }

    fn send(&mut self, conn: ConnId, raw: RawBlock, is_good: bool) {
        let pending = self.pending.entry(conn).or_default();
        pending.retain(|other| *other != raw);
        let at = u64::from(raw.index) * u64::from(self.piece) + u64::from(raw.begin);
        let mut data = self.torrent.slice(at, u64::from(raw.length)).to_vec();
        if !is_good {
            data.fill(0xee);
        }
        let message = Message::Piece {
            index: raw.index,
            begin: raw.begin,
            data: Bytes::from(data),
        };
        self.harness.say(conn, message);
        self.take_sent();
    }

    /// The peer answers its first requests, at most this many.
    fn answer(&mut self, conn: ConnId, count: usize) {
        for raw in self.pending(conn).into_iter().take(count) {
            self.send(conn, raw, true);
        }
    }

    /// For so many ticks, the peer answers so many requests per tick.
    fn run(&mut self, conn: ConnId, ticks: usize, per_tick: usize) {
        for _ in 0..ticks {
            self.wait(TICK);
            self.answer(conn, per_tick);
        }
    }

    fn has(&self, index: u32) -> bool {
        let piece = self.torrent.lengths().piece(index).unwrap();
        self.harness.snapshot().have.has(piece)
    }

    /// The peer answers so many requests per tick until a piece is there. Returns the time.
    fn until_there(&mut self, index: u32, conn: ConnId, per_tick: usize) -> Duration {
        let mut waited = Duration::ZERO;
        while !self.has(index) && waited < Duration::from_secs(300) {
            self.wait(TICK);
            waited += TICK;
            self.answer(conn, per_tick);
        }
        waited
    }
}

#[test]
fn what_a_silent_peer_holds_back_is_asked_of_another_one_however_fast_that_is() {
    for per_tick in [1, 2, 4, 8, 12, 20] {
        let mut swarm = Swarm::new(256, 256 * KIB);
        let silent = swarm.seed(1);
        assert_eq!(swarm.indices(silent), [0; 8]);
        let good = swarm.seed(2);
        let waited = swarm.until_there(0, good, per_tick);
        assert!(waited < Duration::from_secs(3), "{per_tick}: {waited:?}");
    }
}

#[test]
fn all_that_is_needed_soon_and_held_back_is_asked_of_another_peer_together() {
    let mut swarm = Swarm::new(256, 32 * KIB);
    let silent = swarm.seed(1);
    assert_eq!(swarm.indices(silent), [0, 0, 1, 1, 2, 2, 3, 3]);
    let good = swarm.seed(2);
    let waited: Duration = (0..4).map(|n| swarm.until_there(n, good, 8)).sum();
    assert!(waited < Duration::from_millis(1200), "{waited:?}");
}

#[test]
fn the_piece_after_the_one_that_is_played_is_needed_soon_whatever_its_length() {
    for piece in [512 * KIB, 1024 * KIB, 2048 * KIB] {
        let mut swarm = Swarm::new(32 * 1024 * KIB / piece, piece);
        let silent = swarm.peer(1, Message::Have(1));
        assert_eq!(swarm.indices(silent), [1; 8]);
        let good = swarm.seed(2);
        swarm.until_there(0, good, 20);
        swarm.seek(u64::from(piece) - 1);
        let waited = swarm.until_there(1, good, 20);
        assert!(waited < Duration::from_secs(2), "{piece}: {waited:?}");
    }
}

#[test]
fn a_seek_back_to_a_piece_that_was_begun_cancels_too() {
    let mut swarm = Swarm::new(64, 256 * KIB);
    let seed = swarm.seed(1);
    swarm.run(seed, 8, 3);
    let begun = swarm.indices(seed)[0];
    swarm.seek(40 * 256 * 1024);
    assert!(swarm.indices(seed).contains(&40));
    swarm.seek(u64::from(begun) * 256 * 1024);
    assert!(!swarm.indices(seed).contains(&40));
    assert!(swarm.indices(seed).contains(&begun));
}

/// While data are awaited, fewer requests are in flight to a peer than usual.
#[test]
fn a_block_that_was_rejected_is_asked_of_a_peer_that_has_room_for_it() {
    let mut swarm = Swarm::new(256, 256 * KIB);
    let busy = swarm.seed(1);
    swarm.run(busy, 12, 8);
    let (first, second) = (
        swarm.peer(2, Message::Have(100)),
        swarm.peer(3, Message::Have(100)),
    );
    swarm.answer(second, usize::MAX);
    assert!(swarm.pending(second).is_empty());
    let rejected = swarm.pending(first)[0];
    swarm.harness.say(first, Message::Reject(rejected));
    swarm.take_sent();
    assert_eq!(swarm.pending(second), [rejected]);
}

/// After a failed digest one peer alone is asked, so that a second failure tells who lies.
#[test]
fn a_liar_is_found_although_all_peers_are_asked_for_a_piece_together() {
    let mut swarm = Swarm::new(1, 1024 * KIB);
    let (honest, liar) = (swarm.seed(1), swarm.seed(2));
    for _ in 0..200 {
        swarm.wait(TICK);
        swarm.answer(honest, 1);
        if let Some(raw) = swarm.pending(liar).first().copied() {
            swarm.send(liar, raw, false);
        }
    }
    assert!(swarm.has(0));
    assert!(swarm.harness.parted(liar).is_some());
}

/// The length of a torrent of one piece.
const WHOLE: u64 = 256 * KIB as u64;

/// A torrent whose only piece has failed its digest, the peer that lied and chokes us now, and the one
/// that the piece is requested from alone.
fn after_a_failed_digest() -> (Swarm, ConnId, ConnId) {
    let mut swarm = Swarm::new(1, 256 * KIB);
    let liar = swarm.seed(1);
    let bad = swarm.pending(liar)[0];
    swarm.send(liar, bad, false);
    swarm.harness.say(liar, Message::Choke);
    let honest = swarm.seed(2);
    while swarm.harness.snapshot().wasted < WHOLE {
        swarm.wait(TICK);
        swarm.answer(honest, 1);
    }
    swarm.wait(TICK);
    (swarm, liar, honest)
}

#[test]
fn a_piece_of_one_peer_takes_no_block_that_another_one_was_asked_for_earlier() {
    let (mut swarm, liar, honest) = after_a_failed_digest();
    let late = swarm.pending(liar)[0];
    assert_eq!(swarm.indices(honest)[0], 0, "it is asked for everything");
    swarm.send(liar, late, false);
    swarm.until_there(0, honest, 1);
    let wasted = swarm.harness.snapshot().wasted;
    assert!(wasted < 2 * WHOLE, "it failed again: {wasted}");
    assert!(swarm.harness.parted(liar).is_some());
}

#[test]
fn a_block_that_comes_from_another_than_the_one_peer_is_requested_again() {
    let (mut swarm, _, first) = after_a_failed_digest();
    // It will send the others that it was asked for, but no longer owns the piece.
    let rejected = swarm.pending(first)[0];
    let second = swarm.seed(3);
    swarm.harness.say(first, Message::Reject(rejected));
    swarm.pending.entry(first).or_default().remove(0);
    swarm.wait(TICK);
    assert!(swarm.pending(second).contains(&rejected));
    swarm.answer(first, usize::MAX);
    swarm.until_there(0, second, 1);
    assert!(swarm.has(0));
    let wasted = swarm.harness.snapshot().wasted;
    assert!(wasted < 2 * WHOLE, "it failed again: {wasted}");
}

#[test]
fn who_may_download_a_piece_alone_and_keeps_a_block_back_loses_it() {
    for per_tick in [2, 10, 20] {
        let mut swarm = Swarm::new(400, 256 * KIB);
        let (liar, good) = (swarm.seed(1), swarm.seed(2));
        let (mut ticks, mut has_lied) = (0, false);
        while !swarm.has(0) && ticks < 3000 {
            swarm.wait(TICK);
            ticks += 1;
            swarm.answer(good, per_tick);
            let of_first = swarm.pending(liar).into_iter().find(|raw| raw.index == 0);
            let of_others = swarm.pending(liar).into_iter().find(|raw| raw.index != 0);
            match (of_first, of_others) {
                (Some(raw), _) if !has_lied => {
                    swarm.send(liar, raw, false);
                    has_lied = true;
                }
                (_, Some(raw)) if ticks % 10 == 0 => swarm.send(liar, raw, true),
                _ => {}
            }
        }
        assert!(has_lied && ticks < 400, "{per_tick}: {ticks} ticks");
    }
}

/// A modem whose queue grew, or a peer that answers now and then.
#[test]
fn the_window_does_not_sink_where_the_latency_grows() {
    let mut swarm = Swarm::new(256, 256 * KIB);
    let seed = swarm.seed(1);
    for _ in 0..50 {
        swarm.wait(Duration::from_millis(20));
        swarm.answer(seed, 4);
    }
    let before = swarm.harness.snapshot().downloaded;
    for n in 1..=40 {
        // What is played moves on, and is always awaited.
        swarm.seek(n << 20);
        let pending = swarm.pending(seed);
        swarm.wait(Duration::from_millis(500));
        for raw in pending.into_iter().take(100) {
            swarm.send(seed, raw, true);
        }
    }
    let rate = (swarm.harness.snapshot().downloaded - before) / 20 / 1024;
    assert!(rate > 1000, "{rate} KiB/s of 3,200");
}
