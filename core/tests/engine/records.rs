//! Pieces and resume records that cannot be stored, as where the disk is full.

use std::time::Duration;

use aqueduct_core::{Command, Config, Phase, Resumed};
use aqueduct_testkit::torrent::Recipe;

use super::harness::{Harness, PIECE, TORRENT};

/// A leech that has downloaded everything, and whose record was refused.
fn complete_without_a_record() -> Harness {
    let mut harness = Harness::leech();
    harness.refuse_records(true);
    let seed = harness.accept_seed(1, true);
    harness.answer_all(seed, |_| false);
    assert_eq!(harness.snapshot().left, 0);
    assert!(harness.snapshot().failure.is_some());
    harness
}

#[test]
fn a_record_that_cannot_be_saved_is_tried_again_after_a_pause() {
    let mut harness = complete_without_a_record();
    assert_eq!(harness.records, 1);
    harness.run(Duration::from_secs(60));
    assert!((4..=7).contains(&harness.records), "{}", harness.records);
    harness.refuse_records(false);
    harness.run(Duration::from_secs(15));
    assert!(harness.snapshot().failure.is_none());
}

#[test]
fn the_program_ends_although_a_record_cannot_be_saved_after_one_more_attempt() {
    let mut harness = complete_without_a_record();
    let before = harness.records;
    harness.shut_down();
    assert!(harness.is_shut_down);
    assert_eq!(harness.records, before + 1);
}

#[test]
fn a_file_that_does_not_fit_holds_nothing_up_once_it_is_not_wanted() {
    let size = u64::from(PIECE) * 4;
    let files = [("small", size), ("large", size)];
    for is_deselected_first in [false, true] {
        let torrent = Recipe::folder("two", 1, &files, PIECE).build();
        let mut harness = Harness::sharing(&torrent, Config::default(), Resumed::Nothing);
        harness.fill_disk_from(size);
        harness.let_disk_answer(if is_deselected_first { 8 } else { usize::MAX });
        let seed = harness.accept_seed(1, true);
        harness.answer_all(seed, |_| false);
        if !is_deselected_first {
            assert_eq!(harness.snapshot().phase, Phase::Error);
        }
        harness.command(Command::Want(TORRENT, vec![true, false]));
        harness.let_disk_answer(usize::MAX);
        harness.run(Duration::from_secs(30));
        harness.answer_all(seed, |_| false);
        let snapshot = harness.snapshot();
        assert_eq!(snapshot.phase, Phase::Seeding, "{:?}", snapshot.failure);
        assert_eq!((snapshot.done, snapshot.wanted), (size, size));
    }
}
