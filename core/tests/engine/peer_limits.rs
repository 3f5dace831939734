//! Limits that apply to a peer before it is disconnected: requests, blocks, messages and
//! connections.

use std::time::Duration;

use aqueduct_core::types::{ConnId, PeerAddr, PeerId, PeerSource};
use aqueduct_core::wire::{Message, RawBlock};
use aqueduct_core::{CloseReason, Config, Input, Instant};
use bytes::Bytes;

use super::harness::{Harness, OURS, PIECE, PIECES, TORRENT};

const fn block(index: u32, begin: u32, length: u32) -> RawBlock {
    RawBlock {
        index,
        begin,
        length,
    }
}

fn misbehaved(reason: Option<CloseReason>, what: &str) {
    assert!(
        matches!(&reason, Some(CloseReason::Misbehaved(why)) if why.contains(what)),
        "{reason:?}, not {what:?}"
    );
}

#[test]
fn invalid_requests_are_rejected_and_three_hundred_end_the_connection() {
    let mut harness = Harness::seed();
    let conn = harness.accept(1, "9.9.9.1:1000");
    harness.say(conn, Message::Interested);
    for bad in [
        block(0, 0, 128 * 1024 + 1),
        block(PIECES, 0, 16),
        block(0, PIECE - 8, 16),
        block(0, 0, 0),
        block(u32::MAX, u32::MAX, u32::MAX),
    ] {
        assert_eq!(harness.say(conn, Message::Request(bad)), None);
        assert_eq!(harness.sent.last(), Some(&(conn, Message::Reject(bad))));
    }
    let (more, reason) = harness.insist(conn, 1000, |_| Message::Request(block(PIECES, 0, 16)));
    assert_eq!(more, 300 - 5);
    misbehaved(reason, "asked for what is not there");
}

#[test]
fn five_hundred_requests_wait_and_more_are_rejected() {
    let mut harness = Harness::seed();
    let conn = harness.accept(1, "9.9.9.1:1000");
    harness.say(conn, Message::Interested);
    let served =
        |harness: &Harness| harness.count(|message| matches!(message, Message::Piece { .. }));
    // Nothing leaves the send queue. The amount read for this peer is therefore bounded, and the
    // remaining requests wait.
    let ask = |n: usize| Message::Request(block(n as u32 % PIECES, n as u32 / PIECES * 256, 256));
    assert_eq!(harness.insist(conn, 1200, ask), (1200, None));
    let rejected = harness.count(|message| matches!(message, Message::Reject(_)));
    assert_eq!(
        rejected,
        1200 - 500 - served(&harness),
        "{} were served",
        served(&harness)
    );
}

#[test]
fn a_peer_that_does_not_read_is_disconnected_before_memory_grows() {
    let mut harness = Harness::seed();
    let conn = harness.accept(1, "9.9.9.1:1000");
    // The peer is choked: each request is answered with a reject, which it never reads. They are too
    // slow to count as a flood.
    let (mut count, mut reason) = (0, None);
    while reason.is_none() && count < 1_000_000 {
        harness.now = harness.now + Duration::from_millis(10);
        reason = harness.say(conn, Message::Request(block(PIECES - 1, 0, 16)));
        count += 1;
    }
    misbehaved(reason, "does not read");
    let queued: u64 = harness
        .sent
        .iter()
        .map(|(_, message)| message.wire_len())
        .sum();
    assert!(
        queued <= 3 << 20,
        "{queued} bytes are queued after {count} requests"
    );
}

#[test]
fn unrequested_blocks_are_dropped_up_to_64_kib() {
    let mut harness = Harness::leech();
    let conn = harness.accept(1, "9.9.9.1:1000");
    let data = Bytes::from(vec![0; 16 * 1024]);
    let (count, reason) = harness.insist(conn, 10, |_| Message::Piece {
        index: 0,
        begin: 0,
        data: data.clone(),
    });
    assert_eq!(count, 4);
    misbehaved(reason, "nobody asked for");
    assert_eq!(harness.engine.snapshot_of(TORRENT).unwrap().downloaded, 0);
}

#[test]
fn a_bitfield_has_one_bit_a_piece_and_spare_bits_of_zero() {
    for (bits, fits) in [
        (&[0xff, 0xf0][..], true),
        (&[0xff, 0xf8], false),
        (&[0xff], false),
        (&[0xff, 0xf0, 0], false),
        (&[], false),
    ] {
        let mut harness = Harness::leech();
        let conn = harness.accept(1, "9.9.9.1:1000");
        let reason = harness.say(conn, Message::Bitfield(Bytes::copy_from_slice(bits)));
        if fits {
            assert_eq!(reason, None)
        } else {
            misbehaved(reason, "bitfield does not fit")
        }
    }
}

#[test]
fn a_peer_announces_its_pieces_once_and_only_existing_ones() {
    let mut harness = Harness::leech();
    let conn = harness.accept(1, "9.9.9.1:1000");
    assert_eq!(harness.say(conn, Message::HaveNone), None);
    misbehaved(harness.say(conn, Message::HaveAll), "twice");
    let conn = harness.accept(2, "9.9.9.2:1000");
    assert!(matches!(
        harness.say(conn, Message::Have(PIECES)),
        Some(CloseReason::Misbehaved(_))
    ));
}

#[test]
fn an_address_outside_private_networks_has_one_connection() {
    let mut harness = Harness::seed();
    let first = harness.accept(1, "9.9.9.1:1000");
    let second = harness.accept(2, "9.9.9.1:2000");
    let same_network = [
        harness.accept(3, "[2a00::1]:1"),
        harness.accept(4, "[2a00::2:1]:1"),
    ];
    let neighbours = [
        harness.accept(5, "192.168.1.1:1"),
        harness.accept(6, "192.168.1.1:2"),
    ];
    assert_eq!(harness.parted(first), None);
    assert_eq!(harness.parted(second), Some(CloseReason::Duplicate));
    assert_eq!(
        same_network.map(|conn| harness.parted(conn)),
        [None, Some(CloseReason::Duplicate)]
    );
    assert_eq!(neighbours.map(|conn| harness.parted(conn)), [None, None]);
}

#[test]
fn a_peer_that_connects_again_replaces_its_connection_only_if_that_is_silent() {
    let mut harness = Harness::seed();
    let who = PeerId(*b"-XX0001-the same one");
    let first = harness.accept_as(1, "9.9.9.1:1000", who);
    let at_once = harness.accept_as(2, "9.9.9.1:1001", who);
    harness.run(Duration::from_secs(11));
    assert_eq!(harness.parted(at_once), Some(CloseReason::Duplicate));
    assert_eq!(harness.parted(first), None);

    let later = harness.accept_as(4, "9.9.9.1:1002", who);
    assert_eq!(harness.parted(first), Some(CloseReason::Duplicate));
    assert_eq!(harness.parted(later), None);

    harness.run(Duration::from_secs(6));
    harness.say(later, Message::KeepAlive);
    harness.run(Duration::from_secs(6));
    let again = harness.accept_as(5, "9.9.9.1:1003", who);
    assert_eq!(harness.parted(again), Some(CloseReason::Duplicate));
    assert_eq!(harness.parted(later), None);
}

#[test]
fn a_stranger_that_presents_the_id_of_a_peer_does_not_keep_that_peer_away() {
    let mut harness = Harness::seed();
    let id = PeerId(*b"-XX0001-the same one");
    let stranger = harness.accept_as(1, "9.9.9.1:1000", id);
    let peer = harness.accept_as(2, "9.9.8.2:1000", id);
    let over_v6 = harness.accept_as(3, "[2a00::1]:1000", id);
    let again = harness.accept_as(4, "9.9.8.2:1001", id);
    let parted = [stranger, peer, over_v6, again].map(|conn| harness.parted(conn));
    let duplicate = Some(CloseReason::Duplicate);
    assert_eq!(parted, [None, None, None, duplicate.clone()]);
    // In a private network one peer is known by several addresses.
    let near = harness.accept_as(5, "192.168.1.7:1000", id);
    assert_eq!(harness.parted(near), duplicate);
}

#[test]
fn who_holds_two_slots_by_one_id_gives_up_the_younger_when_all_are_taken() {
    let mut harness = Harness::seed();
    let max_peers = Config::default().max_peers as u64;
    let id = PeerId(*b"-XX0001-the same one");
    let twice = ["9.9.9.1:1000", "9.9.8.1:1000"];
    let [first, second] = [0, 1].map(|n| harness.accept_as(n, twice[n as usize], id));
    for n in 2..max_peers {
        harness.accept(n, &format!("9.8.{n}.1:1000"));
    }
    harness.run(Duration::from_secs(61));
    let newcomer = harness.accept(max_peers, "9.7.1.1:1000");
    assert_eq!(harness.parted(second), Some(CloseReason::Replaced));
    assert_eq!(
        [first, newcomer].map(|conn| harness.parted(conn)),
        [None, None]
    );
}

#[test]
fn a_connection_to_ourselves_is_recognised_by_peer_id() {
    let mut harness = Harness::seed();
    let conn = harness.accept_as(1, "9.9.9.1:1000", OURS);
    assert_eq!(harness.parted(conn), Some(CloseReason::Ourselves));
}

#[test]
fn at_most_thirty_addresses_are_dialled_per_second() {
    let mut harness = Harness::leech();
    let addrs = (0..200)
        .map(|n| PeerAddr::from(([9, 9, n, 1], 6881)))
        .collect();
    harness.hear(Input::Peers {
        torrent: TORRENT,
        source: PeerSource::Tracker,
        addrs,
    });
    for _ in 0..30 {
        harness.run(Duration::from_millis(250));
        // No dial succeeds, so there is always room for the next one.
        for n in 0..harness.dialled.len() as u64 {
            harness.hear(Input::Closed {
                conn: ConnId::dialled(n),
                reason: CloseReason::Unreachable("nobody".to_owned()),
            });
        }
    }
    let times: Vec<Instant> = harness.dialled.iter().map(|(at, _)| *at).collect();
    assert!(times.len() >= 200, "{} were dialled", times.len());
    let busiest = times
        .iter()
        .map(|start| {
            times
                .iter()
                .filter(|at| **at >= *start && **at < *start + Duration::from_secs(1))
                .count()
        })
        .max();
    assert!(
        busiest <= Some(34),
        "{busiest:?} in a second, with a burst of a tenth of a second"
    );
}

#[test]
fn a_computer_that_slept_for_eight_hours_keeps_its_pieces_and_drops_dead_connections() {
    let mut harness = Harness::leech();
    let conn = harness.accept(1, "9.9.9.1:1000");
    harness.say(conn, Message::HaveAll);
    harness.now = harness.now + Duration::from_secs(8 * 3600);
    harness.hear(Input::Timeout);
    assert_eq!(harness.parted(conn), Some(CloseReason::Silent));
    // A clock that stands still or goes backwards causes no failure either.
    harness.now = Instant::ZERO;
    harness.hear(Input::Timeout);
    let again = harness.accept(2, "9.9.9.2:1000");
    harness.say(again, Message::HaveAll);
    assert_eq!(harness.parted(again), None);
    assert!(harness.count(|message| *message == Message::Interested) >= 1);
}

#[test]
fn ten_thousand_connections_per_minute_leave_no_state_behind() {
    let mut harness = Harness::seed();
    for n in 0..10_000 {
        let conn = harness.accept(n, &format!("9.{}.{}.1:1000", n / 250 % 250, n % 250));
        harness.say(conn, Message::Interested);
        harness.say(conn, Message::Request(block(0, 0, 16 * 1024)));
        harness.hear(Input::Closed {
            conn,
            reason: CloseReason::Remote,
        });
        harness.now = harness.now + Duration::from_millis(6);
    }
    harness.run(Duration::from_secs(2));
    let last = harness.accept(20_000, "9.9.9.1:1000");
    assert_eq!(harness.parted(last), None);
    assert_eq!(harness.engine.peers(TORRENT).len(), 1);
    let view = harness.engine.snapshot_of(TORRENT).unwrap();
    assert_eq!((view.dialling, view.peers), (0, 1));
}
