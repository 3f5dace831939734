//! How soon a player that seeks in a file gets the piece there, in swarms that send 2 or 20 Mbit/s.

use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::{Command, Instant, PriorityRange};
use aqueduct_tests::sim::{Access, HostId, Plan, TORRENT, World};
use aqueduct_tests::torrent::Computed;

use super::{KIB, millis, secs, torrent};

/// 64 MiB.
const PIECES: u64 = 256;
const PIECE: u64 = 256 * KIB;
/// What a player needs before anything else, as in the page.
const AHEAD: u64 = 8 << 20;
/// The pieces that the player seeks to, in turn.
const PLACES: [u32; 7] = [0, 128, 205, 77, 235, 40, 165];

/// A player in a swarm of seeds with these access lines.
struct Seeking {
    world: World,
    seeds: Vec<HostId>,
    torrent: Arc<Computed>,
}

impl Seeking {
    /// `lines`: in KiB/s.
    fn new(lines: &[u64]) -> Self {
        let (torrent, mut world) = (torrent(PIECES, PIECE / KIB), World::new(900));
        let line = |kib: u64| Access::symmetric(kib * KIB, millis(25));
        let plans = lines
            .iter()
            .map(|kib| Plan::seed(&torrent).access(line(*kib)));
        let seeds = plans.map(|plan| world.add(plan)).collect();
        Self {
            world,
            seeds,
            torrent,
        }
    }

    /// One seed with a fast line that limits its upload to this many KiB/s, and has sent nothing for a
    /// while.
    fn limited(kib: u64) -> Self {
        let mut seeking = Self::new(&[100_000]);
        let limits = Command::Limits {
            download: None,
            upload: Some(kib * KIB),
        };
        seeking.world.command(seeking.seeds[0], limits).unwrap();
        seeking.world.run_for(secs(5));
        seeking
    }

    /// Seeks to a piece. Returns the time until it is there.
    fn seek(&mut self, leech: HostId, index: u32) -> Duration {
        let (start, at) = (self.world.now(), u64::from(index) * PIECE);
        let awaited = PriorityRange {
            start: at,
            end: at + AHEAD,
            deadline: Instant::ZERO,
        };
        let rest = PriorityRange {
            start: at,
            ..PriorityRange::ALL
        };
        let ranges = vec![awaited, rest, PriorityRange::ALL];
        let command = Command::Prioritise(TORRENT, ranges);
        self.world.command(leech, command).unwrap();
        let piece = self.torrent.lengths().piece(index).unwrap();
        self.world
            .run_until(secs(60), "the piece is there", |world| {
                world.host(leech).snapshot().unwrap().have.has(piece)
            });
        self.world.now() - start
    }

    /// A player joins, plays from the start, and seeks as soon as a piece is there. Returns the longest
    /// delay after a seek.
    fn longest(mut self) -> Duration {
        let leech = self.world.add(Plan::leech(&self.torrent));
        let delays = PLACES.map(|place| self.seek(leech, place));
        // It plays on.
        self.world.run_for(secs(20));
        let snapshot = self.world.host(leech).snapshot().unwrap();
        let (wasted, got) = (snapshot.wasted, snapshot.downloaded);
        println!("{delays:.2?}; {wasted} of {got} bytes came twice");
        assert!(
            wasted * 10 < got,
            "{delays:.2?} {wasted} of {got} bytes came twice"
        );
        delays.into_iter().skip(1).max().unwrap()
    }
}

#[test]
fn one_seed_with_a_slow_line_is_not_asked_for_more_than_it_sends_soon() {
    // A piece takes 1.05 s at 244 KiB/s.
    assert!(Seeking::new(&[244]).longest() < millis(1500));
    assert!(Seeking::new(&[2440]).longest() < millis(450));
}

#[test]
fn many_slow_seeds_send_the_first_piece_together() {
    // A block takes 0.67 s at 24 KiB/s. Each seed has sixteen tenths of them to send, and one before
    // that.
    assert!(Seeking::new(&[24; 10]).longest() < millis(2700));
    assert!(Seeking::new(&[244; 10]).longest() < millis(1000));
}

#[test]
fn a_faster_seed_replaces_one_that_would_send_its_part_late() {
    // The slowest ones take 3.2 s for each block.
    assert!(Seeking::new(&[5, 5, 10, 10, 20, 40, 60, 94]).longest() < millis(4700));
}

#[test]
fn a_seed_with_an_upload_limit_does_not_use_it_up_for_what_was_cancelled() {
    assert!(Seeking::limited(244).longest() < millis(1200));
    assert!(Seeking::limited(2440).longest() < millis(300));
}
