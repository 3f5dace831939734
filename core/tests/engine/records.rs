//! Resume records that cannot be saved, as where the disk is full.

use std::time::Duration;

use super::harness::Harness;

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
