//! Seeds that are needed again, since more is wanted or a piece turns out to be wrong after all of
//! them were there; and checks that are interrupted.

use std::time::Duration;

use aqueduct_core::types::{PeerAddr, PeerSource};
use aqueduct_core::wire::Message;
use aqueduct_core::{CloseReason, Command, Input};

use super::harness::{Harness, PIECE, PIECES, TORRENT};

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
