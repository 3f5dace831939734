//! Who may download from us when more peers want to than there are slots.

use std::time::Duration;

use aqueduct_core::types::ConnId;
use aqueduct_core::wire::Message;
use aqueduct_core::{CloseReason, Config};

use super::harness::Harness;

/// A seed with this many interested peers, in the order in which they came.
fn crowded(peers: usize) -> (Harness, Vec<ConnId>) {
    let mut harness = Harness::seed();
    let conns = (0..peers).map(|n| {
        let conn = harness.accept(n as u64, &format!("9.9.9.{n}:1000"));
        harness.say(conn, Message::Interested);
        conn
    });
    let conns = conns.collect();
    (harness, conns)
}

fn unchoked(harness: &Harness) -> Vec<ConnId> {
    let sent = harness.sent.iter();
    let unchokes = sent.filter(|(_, message)| *message == Message::Unchoke);
    unchokes.map(|(conn, _)| *conn).collect()
}

#[test]
fn the_slot_of_a_peer_that_leaves_is_given_at_once_to_the_one_that_waited_longest() {
    let slots = Config::default().unchoke_slots;
    let (mut harness, conns) = crowded(slots + 3);
    assert_eq!(unchoked(&harness), conns[..slots]);
    for gone in 0..3 {
        harness.fail(conns[gone], CloseReason::Remote);
        assert_eq!(unchoked(&harness), conns[..=slots + gone]);
    }
}

#[test]
fn the_slot_of_a_peer_that_needs_nothing_more_is_given_to_another() {
    let slots = Config::default().unchoke_slots;
    let (mut harness, conns) = crowded(slots + 1);
    harness.say(conns[0], Message::NotInterested);
    assert_eq!(unchoked(&harness), conns);
    harness.say(conns[0], Message::NotInterested);
    assert_eq!(unchoked(&harness), conns, "it had no slot any more");
}

#[test]
fn a_seed_serves_everyone_although_fewer_have_slots() {
    let (mut harness, conns) = crowded(50);
    for gone in &conns {
        assert!(unchoked(&harness).contains(gone), "no round was needed");
        harness.fail(*gone, CloseReason::Remote);
    }
    harness.run(Duration::from_secs(1));
}
