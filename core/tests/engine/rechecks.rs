//! Seeds that are needed again, since more is wanted or a piece turns out to be wrong after all of
//! them were there; pieces that cannot be read; and checks that are interrupted, or during which
//! peers connect.

use std::time::Duration;

use aqueduct_core::types::{Bitfield, PeerAddr, PeerSource};
use aqueduct_core::wire::{Message, RawBlock};
use aqueduct_core::{CloseReason, Command, Input, Phase, Resumed};

use super::harness::{Harness, PIECE, PIECES, TORRENT, UNREADABLE};

/// The length of the torrent in bytes.
const SIZE: u64 = (PIECE * PIECES) as u64;
/// Time for a dial.
const SOON: Duration = Duration::from_secs(5);

/// Dials a seed, and parts with it since nothing is lacking.
fn part_with_a_seed(harness: &mut Harness) {
    harness.hear(Input::Peers {
        torrent: TORRENT,
        source: PeerSource::Tracker,
        addrs: vec![PeerAddr::from(([9, 9, 9, 9], 1000))],
    });
    harness.run_until(SOON, |harness| harness.dialled.len() == 1);
    let conn = harness.connect(0);
    let parted = harness.say(conn, Message::HaveAll);
    assert_eq!(parted, Some(CloseReason::Redundant));
    harness.run(Duration::from_secs(60));
    assert_eq!(harness.dialled.len(), 1, "two seeds need nothing");
}

#[test]
fn a_seed_that_was_left_when_nothing_was_lacking_is_dialled_again_for_a_piece_that_is_wrong() {
    let mut harness = Harness::seed();
    part_with_a_seed(&mut harness);
    harness.damage();
    harness.run_until(SOON, |harness| harness.dialled.len() == 2);
}

#[test]
fn a_seed_that_was_left_is_dialled_again_when_more_is_wanted_also_if_that_was_while_paused() {
    let mut harness = Harness::leech();
    harness.command(Command::Want(TORRENT, vec![false]));
    part_with_a_seed(&mut harness);
    harness.command(Command::Pause(TORRENT));
    harness.command(Command::Want(TORRENT, vec![true]));
    harness.command(Command::Resume(TORRENT));
    harness.run_until(SOON, |harness| harness.dialled.len() == 2);
}

#[test]
fn when_a_check_is_interrupted_what_it_found_counts_in_whatever_order_the_pieces_were_read() {
    for checks in 0..=PIECES {
        for last_first in [false, true] {
            let mut harness = Harness::checking(checks as usize, last_first);
            harness.shut_down();
            let (snapshot, done) = (harness.snapshot(), u64::from(checks * PIECE));
            assert_eq!((snapshot.done, snapshot.done + snapshot.left), (done, SIZE));
        }
    }
}

/// The first block of a piece.
const fn block(index: u32) -> RawBlock {
    RawBlock {
        index,
        begin: 0,
        length: 16 * 1024,
    }
}

/// The pieces that peers were told of, in order.
fn told(harness: &Harness) -> Vec<u32> {
    let pieces = harness.sent.iter().flat_map(|(_, message)| match message {
        Message::Have(piece) => vec![*piece],
        Message::Bitfield(bits) => (0..PIECES)
            .filter(|piece| bits[*piece as usize / 8] & (0x80 >> (piece % 8)) != 0)
            .collect(),
        _ => Vec::new(),
    });
    pieces.collect()
}

/// A peer connects, and is unchoked.
fn accept_and_unchoke(harness: &mut Harness) -> aqueduct_core::types::ConnId {
    let peer = harness.accept(1, "9.9.9.1:1000");
    harness.say(peer, Message::HaveNone);
    harness.say(peer, Message::Interested);
    harness.run_until(SOON, |harness| {
        harness.count(|message| *message == Message::Unchoke) > 0
    });
    peer
}

#[test]
fn a_peer_that_connects_while_data_are_checked_is_served_what_is_verified() {
    let mut harness = Harness::checking(3, false);
    let peer = accept_and_unchoke(&mut harness);
    assert_eq!(harness.snapshot().phase, Phase::Checking);
    assert_eq!(told(&harness), [0, 1, 2]);
    harness.let_disk_answer(1);
    assert_eq!(told(&harness), [0, 1, 2, 3]);
    assert_eq!(harness.say(peer, Message::Request(block(9))), None);
    let is_rejected = |message: &Message| *message == Message::Reject(block(9));
    assert_eq!(harness.count(is_rejected), 1, "it was not read yet");
    harness.say(peer, Message::Request(block(2)));
    harness.let_disk_answer(usize::MAX);
    let is_served = |message: &Message| matches!(message, Message::Piece { index: 2, .. });
    assert_eq!(harness.count(is_served), 1);
    assert_eq!(told(&harness), (0..PIECES).collect::<Vec<_>>());
    assert_eq!(harness.snapshot().phase, Phase::Seeding);
    assert_eq!(harness.parted(peer), None);
}

#[test]
fn what_a_record_states_is_announced_only_after_its_spot_check() {
    let resumed = Resumed::Record {
        have: Bitfield::all(PIECES),
        check: Vec::new(),
        sample: vec![5],
        uploaded: 0,
        downloaded: 0,
    };
    let mut harness = Harness::checking_as(resumed, (0, false));
    let peer = harness.accept(1, "9.9.9.1:1000");
    assert!(told(&harness).is_empty());
    harness.let_disk_answer(1);
    let mut told = told(&harness);
    told.sort_unstable();
    assert_eq!(told, (0..PIECES).collect::<Vec<_>>());
    assert_eq!(harness.parted(peer), None);
}

#[test]
fn peers_connect_again_when_a_file_changes_while_it_is_checked() {
    let mut harness = Harness::checking(3, false);
    let peer = accept_and_unchoke(&mut harness);
    harness.damage();
    assert_eq!(harness.parted(peer), Some(CloseReason::Outdated));
    harness.let_disk_answer(usize::MAX);
    assert_eq!(harness.snapshot().have.count(), PIECES - 1);
}

#[test]
fn a_seed_drops_what_it_cannot_read_and_says_why() {
    let mut harness = Harness::seed();
    harness.command(Command::SeedOnly(TORRENT));
    harness.set_unreadable(true);
    harness.damage();
    let outcome = harness.rechecked.clone().unwrap();
    assert_eq!((outcome.wrong, outcome.unreadable), (0, PIECES));
    assert_eq!(outcome.error.unwrap().to_string(), UNREADABLE);
    assert_eq!(harness.snapshot().have.count(), 0);
    harness.set_unreadable(false);
    harness.damage();
    assert_eq!(harness.snapshot().have.count(), PIECES - 1);
}

#[test]
fn a_download_stops_at_what_it_cannot_read_instead_of_writing_over_it() {
    let mut harness = Harness::seed();
    harness.set_unreadable(true);
    harness.damage();
    let snapshot = harness.snapshot();
    let failure = snapshot.failure.map(|failure| failure.to_string());
    assert_eq!(failure.as_deref(), Some(UNREADABLE));
    assert_eq!(snapshot.done, SIZE, "nothing shows that it is wrong");
    harness.run(SOON);
    assert_eq!(harness.rechecked, None);
    harness.set_unreadable(false);
    harness.command(Command::Resume(TORRENT));
    assert_eq!(
        harness.rechecked.as_ref().map(|outcome| outcome.wrong),
        Some(1)
    );
    assert_eq!(harness.snapshot().failure, None);
    let seed = harness.accept_seed(1, true);
    let asked = harness.asked(seed);
    assert!(!asked.is_empty() && asked.iter().all(|raw| raw.index == 0));
}
