//! Messages that move nothing forward have a budget, and others do not count.

use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::types::ConnId;
use aqueduct_core::wire::{Message, RawBlock};
use aqueduct_core::{CloseReason, Input};
use aqueduct_testkit::torrent::Recipe;
use bytes::Bytes;

use super::harness::{Harness, PIECES};

/// The number of messages that change nothing and may come at once.
const BURST: usize = 2000;
/// The extended handshake, and our ids for `ut_metadata` and `lt_donthave`.
const HANDSHAKE: u8 = 0;
const METADATA: u8 = 1;
const DONT_HAVE: u8 = 3;

const BLOCK: RawBlock = RawBlock {
    index: 0,
    begin: 0,
    length: 16 * 1024,
};

/// The message that comes after so many others.
type Nth = fn(usize) -> Message;

fn extended(id: u8, payload: impl Into<Bytes>) -> Message {
    let payload = payload.into();
    Message::Extended { id, payload }
}

fn sends_too_many(reason: Option<CloseReason>) -> bool {
    matches!(reason, Some(CloseReason::Misbehaved(why)) if why.contains("change nothing"))
}

/// The number of accepted messages of a flood.
fn flood(harness: &mut Harness, conn: ConnId, message: impl Fn(usize) -> Message) -> usize {
    let (count, reason) = harness.insist(conn, 3 * BURST, message);
    assert!(sends_too_many(reason.clone()), "{count}: {reason:?}");
    count
}

#[test]
fn a_flood_of_messages_that_change_nothing_ends_the_connection() {
    let kinds: [(&str, Nth); 11] = [
        ("keep-alives", |_| Message::KeepAlive),
        ("a piece that it has", |_| Message::Have(3)),
        ("interest", |n| match n % 2 {
            0 => Message::Interested,
            _ => Message::NotInterested,
        }),
        ("chokes", |n| match n % 2 {
            0 => Message::Unchoke,
            _ => Message::Choke,
        }),
        ("cancels", |_| Message::Cancel(BLOCK)),
        ("rejects", |_| Message::Reject(BLOCK)),
        ("suggestions", |_| Message::Suggest(1)),
        ("ports", |_| Message::Port(6881)),
        ("an unknown extension", |_| extended(99, &b"de"[..])),
        ("handshakes", |_| {
            extended(HANDSHAKE, &b"d1:md11:ut_metadatai1eee"[..])
        }),
        ("metadata that do not exist", |_| {
            extended(METADATA, &b"d8:msg_typei0e5:piecei999ee"[..])
        }),
    ];
    for (what, message) in kinds {
        for mut harness in [Harness::seed(), Harness::leech()] {
            let conn = harness.accept(1, "9.9.9.1:1000");
            let count = flood(&mut harness, conn, message);
            assert!((BURST..BURST + 5).contains(&count), "{what}: {count}");
        }
    }
}

#[test]
fn requests_while_choked_and_repeated_ones_count_and_those_that_are_served_do_not() {
    let mut harness = Harness::seed();
    let choked = harness.accept(1, "9.9.9.1:1000");
    let last = RawBlock {
        index: PIECES - 1,
        ..BLOCK
    };
    flood(&mut harness, choked, |_| Message::Request(last));

    let served = harness.accept(2, "9.9.9.2:1000");
    harness.say(served, Message::Interested);
    for n in 0..3 * BURST {
        assert_eq!(harness.say(served, Message::Request(BLOCK)), None, "{n}");
        harness.hear(Input::Sent {
            conn: served,
            bytes: u64::from(BLOCK.length) + 13,
        });
    }
}

#[test]
fn a_piece_that_comes_and_goes_counts_from_the_second_round_of_all_pieces_on() {
    let mut harness = Harness::leech();
    let conn = harness.accept(1, "9.9.9.1:1000");
    let count = flood(&mut harness, conn, |n| match n % 2 {
        0 => Message::Have(3),
        _ => extended(DONT_HAVE, &[0, 0, 0, 3][..]),
    });
    assert!(count >= 2 * BURST, "{count}");
}

#[test]
fn a_peer_that_gains_every_piece_one_by_one_or_sends_a_hundred_per_second_stays() {
    let pieces = 5000;
    let torrent = Recipe::single("many", 1, pieces * 1024, 1024).build();
    let mut harness = Harness::lacking(Arc::clone(torrent.info()), Vec::new());
    let conn = harness.accept(1, "9.9.9.1:1000");
    for index in 0..pieces as u32 {
        assert_eq!(harness.say(conn, Message::Have(index)), None, "{index}");
    }
    for n in 0..10_000 {
        assert_eq!(harness.say(conn, Message::KeepAlive), None, "{n}");
        harness.now = harness.now + Duration::from_millis(10);
    }
}
