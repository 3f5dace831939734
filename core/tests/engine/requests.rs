//! Which peer a block is requested from: a block that one peer rejects, drops or delays is
//! requested again, and padding is never requested.

use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::meta::Info;
use aqueduct_core::wire::{Message, RawBlock};
use aqueduct_core::{CloseReason, Phase};
use aqueduct_testkit::torrent::noise;
use bytes::Bytes;
use sha1::{Digest as _, Sha1};

use super::harness::{Harness, PIECE};

const K: u32 = 1024;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn a_rejected_request_goes_to_another_peer_at_once() {
    let mut harness = Harness::leech();
    let first = harness.accept_seed(1, true);
    let second = harness.accept_seed(2, true);
    let rejected = harness.asked(first)[0];
    assert!(!harness.asked(second).contains(&rejected));
    // The second peer has room again, since none of its requests is outstanding.
    harness.answer_all(second, |_| false);
    harness.say(first, Message::Reject(rejected));
    assert!(
        harness.asked(second).contains(&rejected),
        "without a moment's delay"
    );
}

#[test]
fn the_only_peer_with_a_piece_is_asked_again_after_a_reject_with_growing_delays() {
    let mut harness = Harness::leech();
    let seed = harness.accept_seed(1, true);
    let rejected = harness.asked(seed)[0];
    let times = |harness: &Harness| {
        harness
            .asked(seed)
            .iter()
            .filter(|raw| **raw == rejected)
            .count()
    };
    harness.answer_all(seed, |raw| raw == rejected);
    let mut waits = Vec::new();
    for count in 1..5 {
        assert_eq!(harness.say(seed, Message::Reject(rejected)), None);
        assert_eq!(times(&harness), count, "not at once, or the two would spin");
        waits.push(harness.run_until(secs(11), |harness| times(harness) > count));
    }
    assert!(waits[0] <= Duration::from_millis(1500), "{waits:?}");
    assert!(waits.is_sorted() && waits[3] >= secs(4), "{waits:?}");
    harness.forget(seed);
    harness.answer(seed, rejected);
    harness.answer_all(seed, |_| false);
    assert_eq!(harness.snapshot().left, 0);
}

#[test]
fn a_dropped_request_is_repeated_when_later_ones_were_answered() {
    for fast in [true, false] {
        let mut harness = Harness::leech();
        let seed = harness.accept_seed(1, fast);
        let dropped = harness.asked(seed)[3];
        harness.run(Duration::from_millis(20));
        harness.answer_all(seed, |raw| raw == dropped);
        let times = |harness: &Harness| {
            harness
                .asked(seed)
                .iter()
                .filter(|raw| **raw == dropped)
                .count()
        };
        let took = harness.run_until(secs(30), |harness| times(harness) > 1);
        assert!(took <= secs(3), "{took:?}");
        harness.answer_all(seed, |_| false);
        assert_eq!(harness.snapshot().left, 0);
    }
}

/// How long it takes until a second seed, which answers everything, has delivered the blocks that
/// the first one owes. The first one answers `answered` requests, one per 300 ms, and then none.
fn wait_for_the_silent(answered: usize) -> Duration {
    let mut harness = Harness::leech();
    let first = harness.accept_seed(1, true);
    for n in 0..answered {
        harness.run(Duration::from_millis(300));
        harness.answer(first, harness.asked(first)[n]);
    }
    let second = harness.accept_seed(2, true);
    let took = harness.run_until(secs(60), |harness| {
        harness.answer_all(second, |_| false);
        harness.snapshot().left == 0
    });
    assert_eq!(harness.parted(second), Some(CloseReason::Redundant));
    took
}

#[test]
fn a_silent_peer_is_given_time_by_its_rate_so_far_or_twenty_seconds() {
    let [unknown, known] = [0, 4].map(wait_for_the_silent);
    assert!(known >= secs(2) && known <= secs(9), "{known:?}");
    assert!(unknown <= secs(21) && known < unknown, "{unknown:?}");
}

#[test]
fn requests_to_a_peer_that_chokes_move_to_another_with_or_without_rejects() {
    for fast in [true, false] {
        let mut harness = Harness::leech();
        let first = harness.accept_seed(1, fast);
        let owed = harness.asked(first);
        let second = harness.accept_seed(2, true);
        harness.answer_all(second, |_| false);
        harness.say(first, Message::Choke);
        harness.answer_all(second, |_| false);
        assert!(
            owed.iter().all(|raw| harness.asked(second).contains(raw)),
            "fast: {fast}"
        );
        assert_eq!(harness.snapshot().left, 0);
    }
}

#[test]
fn requests_lost_in_a_choke_are_repeated_after_the_unchoke() {
    for fast in [true, false] {
        let mut harness = Harness::leech();
        let seed = harness.accept_seed(1, fast);
        let mut owed = harness.asked(seed);
        owed.sort_unstable();
        harness.forget(seed);
        harness.say(seed, Message::Choke);
        harness.say(seed, Message::Unchoke);
        let mut again = harness.asked(seed).split_off(owed.len());
        again.sort_unstable();
        assert_eq!(again, owed, "fast: {fast}");
        // A peer that kept the earlier requests may answer them too.
        harness.answer(seed, owed[0]);
        assert_eq!(harness.parted(seed), None);
        harness.answer_all(seed, |_| false);
        assert_eq!(harness.snapshot().left, 0);
    }
}

/// A torrent with these files and padding files (`true`) and a piece length of 32 KiB, with its
/// data.
fn padded(files: &[(u32, bool)]) -> (Arc<Info>, Vec<u8>) {
    let data = |(size, pad): &(u32, bool)| {
        if *pad {
            vec![0; *size as usize]
        } else {
            noise(*size as usize, 1)
        }
    };
    let disk: Vec<u8> = files.iter().flat_map(data).collect();
    let entry = |(n, (size, pad)): (usize, &(u32, bool))| {
        let attr = if *pad { "4:attr1:p" } else { "" };
        format!("d{attr}6:lengthi{size}e4:pathl1:{n}ee")
    };
    let list: String = files.iter().enumerate().map(entry).collect();
    let hashes: Vec<u8> = disk.chunks(PIECE as usize).flat_map(Sha1::digest).collect();
    let head = format!(
        "d5:filesl{list}e4:name6:padded12:piece lengthi{PIECE}e6:pieces{}:",
        hashes.len()
    );
    let raw = [head.as_bytes(), &hashes, b"e"].concat();
    (Arc::new(Info::parse(Bytes::from(raw)).unwrap()), disk)
}

#[test]
fn padding_is_filled_in_and_never_requested() {
    // A file that ends in the first block of a piece, with padding to the end of the piece; a file
    // that ends in a second block; and padding that covers two whole pieces.
    let (info, disk) = padded(&[
        (10 * K, false),
        (22 * K, true),
        (20 * K, false),
        (76 * K, true),
        (K, false),
    ]);
    let mut harness = Harness::lacking(info, disk);
    assert_eq!(
        (harness.snapshot().left, harness.snapshot().wanted),
        (31 * 1024, 31 * 1024)
    );
    let seed = harness.accept_seed(1, true);
    let mut asked = harness.asked(seed);
    asked.sort_unstable();
    let block = |index, begin, length| RawBlock {
        index,
        begin: begin * K,
        length: length * K,
    };
    // Exactly the blocks that contain bytes of a file, including the padding in them.
    assert_eq!(
        asked,
        [
            block(0, 0, 16),
            block(1, 0, 16),
            block(1, 16, 16),
            block(4, 0, 1)
        ]
    );
    harness.answer_all(seed, |_| false);
    let done = harness.snapshot();
    assert_eq!(
        (done.left, done.done, done.wasted, done.have.count()),
        (0, 31 * 1024, 0, 5)
    );
}

#[test]
fn padding_alone_is_complete_without_a_peer() {
    // Whole pieces, a shorter last one, and an empty file.
    let (info, disk) = padded(&[(0, false), (100 * K, true)]);
    let harness = Harness::lacking(info, disk);
    let done = harness.snapshot();
    assert_eq!((done.phase, done.have.count()), (Phase::Seeding, 4));
    assert_eq!(harness.records, 1, "the next start knows it");
}

#[test]
fn padding_with_a_wrong_digest_is_not_complete() {
    let (info, mut disk) = padded(&[(100 * K, true)]);
    disk.fill(1);
    let harness = Harness::lacking(info, disk);
    assert_eq!(harness.snapshot().have.count(), 0);
}

#[test]
fn a_peer_that_corrupts_a_piece_with_padding_is_banned() {
    let (info, disk) = padded(&[(10 * K, false), (22 * K, true), (K, false)]);
    let mut harness = Harness::lacking(info, disk);
    let liar = harness.accept_seed(1, true);
    let data = Bytes::from(vec![1; 16 * 1024]);
    harness.say(
        liar,
        Message::Piece {
            index: 0,
            begin: 0,
            data,
        },
    );
    assert!(
        harness.parted(liar).is_some(),
        "nobody else sent a block of it"
    );
    let honest = harness.accept_seed(2, true);
    harness.answer_all(honest, |_| false);
    assert_eq!(harness.snapshot().left, 0);
}
