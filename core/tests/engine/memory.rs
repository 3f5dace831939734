//! How peers and torrents share the memory for pieces.

use aqueduct_core::wire::Message;
use aqueduct_core::{Config, Resumed};
use aqueduct_testkit::torrent::Recipe;

use super::harness::{Harness, PIECE};

const BLOCKS: usize = 64;

/// A leech with memory for 64 blocks of 16 KiB.
fn poor(pieces: u32) -> Harness {
    let config = Config {
        max_unwritten: 16 * 1024 * BLOCKS as u64,
        ..Config::default()
    };
    let torrent = Recipe::single("poor", 1, u64::from(pieces * PIECE), PIECE).build();
    Harness::sharing(&torrent, config, Resumed::Nothing)
}

#[test]
fn a_fast_peer_leaves_memory_to_others() {
    let mut harness = poor(200);
    let conns = [1, 2, 3, 4].map(|n| harness.accept_seed(n, true));
    let [fast, slow @ ..] = conns;
    for _ in 0..60 {
        harness.answer_next(fast);
    }
    let in_flight = |harness: &Harness, conn| harness.asked(conn).len() - harness.answered(conn);
    for conn in slow {
        assert_eq!(in_flight(&harness, conn), 8, "the first window");
    }
    let fast = in_flight(&harness, fast);
    assert!(fast >= 8, "{fast}");
    assert!(fast <= BLOCKS / 4 + 1, "{fast} of {BLOCKS} blocks");
}

#[test]
fn a_torrent_whose_memory_others_have_taken_downloads_one_piece_at_a_time() {
    let mut harness = poor(200);
    for n in 10..22 {
        harness.accept_seed(n, true);
    }
    let taken = harness.count(|message| matches!(message, Message::Request(_)));
    assert!(
        taken > BLOCKS - 8,
        "{taken} of {BLOCKS} blocks are requested"
    );
    let other = Recipe::single("another", 2, u64::from(8 * PIECE), PIECE).build();
    harness.add_another(&other);
    let seed = harness.accept_seed(100, true);
    assert_eq!(harness.asked(seed).len(), 2, "the blocks of one piece");
    for asked in [2, 2, 4, 4, 6, 6, 8] {
        assert_eq!(harness.asked(seed).len(), asked, "and then of the next");
        harness.answer_next(seed);
    }
}

#[test]
fn a_download_that_waits_for_the_disk_says_so_and_one_that_waits_for_peers_does_not() {
    let mut harness = poor(200);
    let seed = harness.accept_seed(1, true);
    harness.let_disk_answer(0);
    let says_so = |harness: &Harness| harness.snapshot().waits_for_storage;
    for _ in 0..BLOCKS / 2 {
        harness.answer_next(seed);
    }
    assert!(!says_so(&harness), "half of the memory waits for the seed");
    while harness.asked(seed).len() > harness.answered(seed) {
        harness.answer_next(seed);
    }
    assert!(says_so(&harness), "all of it waits for the disk");
    harness.let_disk_answer(usize::MAX);
    assert!(!says_so(&harness));
    assert!(harness.asked(seed).len() > BLOCKS, "it goes on");
}
