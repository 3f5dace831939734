//! Introductions to peers that cannot be dialled (BEP 55), and what peers are told of each other
//! (BEP 11).

use std::net::SocketAddr;
use std::time::Duration;

use aqueduct_core::extensions::{Holepunch, HolepunchError};
use aqueduct_core::types::{ConnId, PeerAddr, PeerSource};
use aqueduct_core::wire::Message;
use aqueduct_core::{CloseReason, DialKind, Input};
use bytes::Bytes;

use super::harness::{Harness, TORRENT};

/// The engine's extension ids.
const PEX: u8 = 2;
const HOLEPUNCH: u8 = 4;

/// The flags of BEP 11.
const UTP: u8 = 0x04;
const SUPPORTS: u8 = 0x08;
const REACHABLE: u8 = 0x10;

/// The peer that cannot be dialled.
const TARGET: [u8; 6] = [45, 0, 0, 9, 0x1a, 0xe1];

fn target() -> SocketAddr {
    ([45, 0, 0, 9], 6881).into()
}

fn extended(id: u8, payload: impl Into<Bytes>) -> Message {
    let payload = payload.into();
    Message::Extended { id, payload }
}

/// The peer supports peer exchange and holepunching, and listens at this port.
fn greet(harness: &mut Harness, conn: ConnId, port: u16) {
    let hello = format!("d1:md12:ut_holepunchi14e6:ut_pexi12ee1:pi{port}ee");
    assert_eq!(harness.say(conn, extended(0, hello)), None);
}

/// The peer says that it is connected to the target, with these flags.
fn name(harness: &mut Harness, conn: ConnId, flags: u8) {
    let said = [b"d5:added6:", &TARGET[..], b"7:added.f1:", &[flags], b"e"].concat();
    assert_eq!(harness.say(conn, extended(PEX, said)), None);
}

/// A leech with this many peers that named the target.
fn with_relays(count: u8, flags: u8) -> (Harness, Vec<ConnId>) {
    let mut harness = Harness::leech();
    let relays = (1..=count).map(|n| {
        let conn = harness.accept(n.into(), &format!("45.0.1.{n}:5000"));
        greet(&mut harness, conn, 6881);
        name(&mut harness, conn, flags);
        conn
    });
    let relays = relays.collect();
    (harness, relays)
}

/// What we asked and answered, with the peer.
fn said(harness: &Harness) -> Vec<(ConnId, Holepunch)> {
    let sent = harness.sent.iter();
    let sent = sent.filter_map(|(conn, message)| match message {
        Message::Extended { id: 14, payload } => Some((*conn, Holepunch::decode(payload)?)),
        _ => None,
    });
    sent.collect()
}

/// The dial to the target of this kind that was started last.
fn dial(harness: &Harness, kind: DialKind) -> ConnId {
    let is_it = |(_, addr, other): &&(ConnId, PeerAddr, DialKind)| {
        *addr == target().into() && *other == kind
    };
    let dial = harness.dials.iter().rfind(is_it);
    dial.expect("it is dialled").0
}

fn hear(harness: &mut Harness, relay: ConnId, message: Holepunch) {
    let message = extended(HOLEPUNCH, message.encode());
    assert_eq!(harness.say(relay, message), None);
}

#[test]
fn a_peer_that_cannot_be_dialled_is_asked_for_where_it_was_named() {
    let (mut harness, relays) = with_relays(1, SUPPORTS);
    let failed = dial(&harness, DialKind::Direct);
    assert_eq!(said(&harness), []);
    harness.fail(failed, CloseReason::TimedOut);
    assert_eq!(
        said(&harness),
        [(relays[0], Holepunch::Rendezvous(target()))]
    );
    hear(&mut harness, relays[0], Holepunch::Connect(target()));
    dial(&harness, DialKind::Holepunch);
}

#[test]
fn a_peer_that_is_slow_to_answer_is_asked_for_and_then_dialled_anew() {
    let (mut harness, relays) = with_relays(1, SUPPORTS);
    let slow = dial(&harness, DialKind::Direct);
    harness.run(Duration::from_millis(1900));
    assert_eq!(said(&harness), []);
    harness.run(Duration::from_millis(1200));
    assert_eq!(
        said(&harness),
        [(relays[0], Holepunch::Rendezvous(target()))]
    );
    hear(&mut harness, relays[0], Holepunch::Connect(target()));
    assert_eq!(harness.parted(slow), Some(CloseReason::Duplicate));
    let new = dial(&harness, DialKind::Holepunch);
    harness.fail(new, CloseReason::TimedOut);
    assert_eq!(
        said(&harness).len(),
        1,
        "the next one follows a direct dial"
    );
}

#[test]
fn nobody_is_asked_for_a_peer_that_answered_or_does_not_support_it_or_is_called_reachable() {
    for (flags, reason) in [
        (SUPPORTS, CloseReason::ClosedInHandshake),
        (SUPPORTS, CloseReason::WrongInfoHash),
        (UTP, CloseReason::TimedOut),
    ] {
        let (mut harness, _) = with_relays(1, flags);
        let failed = dial(&harness, DialKind::Direct);
        harness.fail(failed, reason);
        assert_eq!(said(&harness), []);
    }
    let (mut harness, _) = with_relays(1, SUPPORTS | REACHABLE);
    harness.run(Duration::from_secs(5));
    assert_eq!(said(&harness), [], "it may still answer");
}

#[test]
fn another_peer_is_asked_after_an_error_a_silence_and_a_departure_and_then_none() {
    let (mut harness, relays) = with_relays(4, SUPPORTS);
    let request = Holepunch::Rendezvous(target());
    let failed = dial(&harness, DialKind::Direct);
    harness.fail(failed, CloseReason::Refused);
    let error = Holepunch::Error(target(), HolepunchError::NotConnected);
    hear(&mut harness, relays[1], error);
    assert_eq!(said(&harness), [(relays[0], request)], "it was not asked");
    hear(&mut harness, relays[0], error);
    assert_eq!(said(&harness)[1..], [(relays[1], request)]);
    harness.fail(relays[1], CloseReason::Remote);
    assert_eq!(said(&harness)[2..], [(relays[2], request)]);
    harness.run(Duration::from_secs(3));
    hear(&mut harness, relays[2], error);
    assert_eq!(said(&harness).len(), 3, "three peers are enough");
}

#[test]
fn after_three_introductions_a_peer_is_asked_for_no_more() {
    let (mut harness, relays) = with_relays(1, SUPPORTS);
    let mut failed = 0;
    for _ in 0..2000 {
        while let Some((conn, _, _)) = harness.dials.get(failed).copied() {
            failed += 1;
            harness.fail(conn, CloseReason::TimedOut);
            hear(&mut harness, relays[0], Holepunch::Connect(target()));
        }
        hear_keep_alive(&mut harness, relays[0]);
        harness.run(Duration::from_secs(1));
    }
    let said = said(&harness);
    assert!((1..=3).contains(&said.len()), "{said:?}");
}

fn hear_keep_alive(harness: &mut Harness, conn: ConnId) {
    assert_eq!(harness.say(conn, Message::KeepAlive), None);
}

#[test]
fn peers_are_told_of_each_other_how_they_were_reached() {
    let mut harness = Harness::leech();
    let addrs = vec![([45, 0, 0, 7], 6881).into()];
    harness.hear(Input::Peers {
        torrent: TORRENT,
        source: PeerSource::Tracker,
        addrs,
    });
    let (dialled, _, kind) = harness.dials[0];
    assert_eq!(kind, DialKind::Direct);
    assert_eq!(harness.connect(0), dialled);
    greet(&mut harness, dialled, 6881);
    let over_utp = harness.accept_utp(1, "45.0.0.8:6881");
    greet(&mut harness, over_utp, 6881);
    // One that neither listens nor supports anything of that.
    harness.accept(2, "45.0.0.9:5000");
    // The one that asks.
    let informed = harness.accept(3, "45.0.0.10:5000");
    greet(&mut harness, informed, 6881);
    harness.run(Duration::from_secs(2));
    let told = harness
        .sent
        .iter()
        .find_map(|(conn, message)| match message {
            Message::Extended { id: 12, payload } if *conn == informed => Some(payload.clone()),
            _ => None,
        });
    let told = told.expect("it is told");
    let flags = [SUPPORTS | REACHABLE, SUPPORTS | UTP];
    let expected = [
        b"d5:added12:\x2d\0\0\x07\x1a\xe1\x2d\0\0\x08\x1a\xe17:added.f2:",
        &flags[..],
        b"e",
    ]
    .concat();
    assert_eq!(told, expected, "{}", told.escape_ascii());
}
