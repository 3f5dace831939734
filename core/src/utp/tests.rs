//! Two sockets, or a socket and another host, whose datagrams the test transfers.

mod hostile;
mod lost_tail;

use std::net::SocketAddr;
use std::time::Duration;

use super::packet::{Header, Kind, Packet};
use super::{CloseReason, Closed, Config, ConnectionId, Event, Full, Read, Socket};
use crate::types::Instant;

fn at(millis: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

fn addr(host: u8) -> SocketAddr {
    ([11, 0, 0, host], 6881).into()
}

fn socket(config: Config, seed: u8) -> Socket {
    Socket::new(config, [seed; 32])
}

fn pair() -> (Socket, Socket) {
    (socket(Config::default(), 1), socket(Config::default(), 2))
}

/// What a socket sends now.
fn sent(socket: &mut Socket, now: Instant) -> Vec<Vec<u8>> {
    let mut datagrams = Vec::new();
    let mut out = Vec::new();
    while socket.poll_transmit(now, &mut out).is_some() {
        datagrams.push(std::mem::take(&mut out));
    }
    datagrams
}

fn events(socket: &mut Socket) -> Vec<Event> {
    std::iter::from_fn(|| socket.poll_event()).collect()
}

/// Carries datagrams between the two until neither says more, also after the millisecond for which
/// an acknowledgement may wait; returns how many.
fn exchange(now: Instant, a: &mut Socket, b: &mut Socket) -> usize {
    let mut carried = 0;
    let mut is_later = false;
    loop {
        let (from_a, from_b) = (sent(a, now), sent(b, now));
        if from_a.is_empty() && from_b.is_empty() {
            if is_later {
                return carried;
            }
            a.handle_timeout(now + Duration::from_millis(1));
            b.handle_timeout(now + Duration::from_millis(1));
        }
        is_later = from_a.is_empty() && from_b.is_empty();
        carried += from_a.len() + from_b.len();
        for datagram in from_a {
            assert!(b.handle_datagram(now, addr(1), &datagram));
        }
        for datagram in from_b {
            assert!(a.handle_datagram(now, addr(2), &datagram));
        }
    }
}

/// Two sockets with a connection that the first opened.
fn connected() -> (Socket, ConnectionId, Socket, ConnectionId) {
    let (mut a, mut b) = pair();
    let ours = a.connect(at(0), addr(2)).unwrap();
    exchange(at(0), &mut a, &mut b);
    assert_eq!(events(&mut a), [Event::Connected(ours)]);
    let [Event::Incoming(theirs, from)] = events(&mut b)[..] else {
        panic!("one connection comes in");
    };
    assert_eq!(from, addr(1));
    (a, ours, b, theirs)
}

fn bytes(read: Result<Read, Closed>) -> Vec<u8> {
    match read.unwrap() {
        Read::Bytes(bytes) => bytes.to_vec(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn bytes_go_both_ways_and_each_side_ends_its_stream() {
    let (mut a, ours, mut b, theirs) = connected();
    assert_eq!(b.read(theirs, 99), Ok(Read::Pending));
    assert_eq!(a.write(ours, b"question"), Ok(8));
    exchange(at(1), &mut a, &mut b);
    assert_eq!(events(&mut b), [Event::Readable(theirs)]);
    assert_eq!(bytes(b.read(theirs, 5)), b"quest");
    assert_eq!(bytes(b.read(theirs, 99)), b"ion");
    a.finish(ours);
    exchange(at(2), &mut a, &mut b);
    assert_eq!(b.read(theirs, 99), Ok(Read::End));
    assert_eq!(b.write(theirs, b"answer"), Ok(6));
    b.close(at(3), theirs);
    exchange(at(3), &mut a, &mut b);
    assert_eq!(bytes(a.read(ours, 99)), b"answer");
    assert_eq!(a.read(ours, 99), Ok(Read::End));
    a.close(at(4), ours);
    exchange(at(4), &mut a, &mut b);
    assert_eq!((a.connections(), b.connections()), (1, 1), "both linger");
    for socket in [&mut a, &mut b] {
        socket.handle_timeout(at(10_000));
        assert_eq!((socket.connections(), socket.poll_timeout()), (0, None));
    }
}

#[test]
fn a_socket_without_connections_waits_for_nothing() {
    let mut socket = socket(Config::default(), 1);
    assert_eq!(socket.poll_timeout(), None);
    assert!(sent(&mut socket, at(0)).is_empty());
    assert!(!socket.handle_datagram(at(0), addr(1), b"d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae"));
}

#[test]
fn a_dial_without_an_answer_sends_three_syns_and_fails() {
    let mut socket = socket(Config::default(), 1);
    let id = socket.connect(at(0), addr(2)).unwrap();
    let mut syns = sent(&mut socket, at(0)).len();
    let mut now = at(0);
    while let Some(due) = socket.poll_timeout() {
        now = due;
        socket.handle_timeout(now);
        syns += sent(&mut socket, now).len();
    }
    let closed = Event::Closed(id, CloseReason::TimedOut);
    assert_eq!(
        (syns, now, events(&mut socket)),
        (3, at(7000), vec![closed])
    );
}

#[test]
fn a_dial_that_is_refused_fails_at_once_and_a_forged_refusal_is_ignored() {
    let config = Config {
        max_connections: 0,
        ..Config::default()
    };
    let (mut a, mut b) = (socket(Config::default(), 1), socket(config, 2));
    let id = a.connect(at(0), addr(2)).unwrap();
    let syn = sent(&mut a, at(0)).remove(0);
    let header = Packet::parse(&syn).unwrap().header;
    let refusal = |acknowledgement| Header {
        kind: Kind::Reset,
        acknowledgement,
        ..header
    };
    let forged = refusal(header.sequence.wrapping_add(1)).encode();
    a.handle_datagram(at(1), addr(2), &forged);
    assert!(events(&mut a).is_empty());
    b.handle_datagram(at(1), addr(1), &syn);
    a.handle_datagram(at(2), addr(2), &sent(&mut b, at(1))[0]);
    let closed = Event::Closed(id, CloseReason::Refused);
    assert_eq!(events(&mut a), [closed]);
}

#[test]
fn a_syn_is_answered_once_per_copy_with_no_more_bytes_and_makes_no_connection() {
    let (mut a, mut b) = pair();
    a.connect(at(0), addr(2)).unwrap();
    let syn = sent(&mut a, at(0)).remove(0);
    for copy in 0..3 {
        b.handle_datagram(at(copy), addr(1), &syn);
        let answers = sent(&mut b, at(copy));
        assert_eq!((answers.len(), answers[0].len()), (1, syn.len()));
    }
    assert_eq!((b.connections(), b.poll_timeout()), (0, None));
    assert!(events(&mut b).is_empty());
}

#[test]
fn a_flood_of_forged_syns_leaves_nothing_behind_and_keeps_no_dial_out() {
    let (mut a, mut b) = pair();
    let id = a.connect(at(0), addr(2)).unwrap();
    let syn = sent(&mut a, at(0)).remove(0);
    // A second's worth before the SYN, and before the packet that follows its answer.
    let flood = |b: &mut Socket, millis| {
        let answered = |n: u32| {
            let from = SocketAddr::from(((0x0c00_0000 + n).to_be_bytes(), 6881));
            b.handle_datagram(at(millis), from, &syn);
            let answers = sent(b, at(millis));
            answers.iter().map(Vec::len).sum::<usize>() <= syn.len()
        };
        assert!((0..20_000).all(answered));
        assert_eq!((b.connections(), b.poll_timeout()), (0, None));
    };
    flood(&mut b, 0);
    b.handle_datagram(at(0), addr(1), &syn);
    let answer = sent(&mut b, at(0)).remove(0);
    flood(&mut b, 1000);
    a.handle_datagram(at(1000), addr(2), &answer);
    exchange(at(1000), &mut a, &mut b);
    assert_eq!(events(&mut a), [Event::Connected(id)]);
    assert_eq!(b.connections(), 1);
}

#[test]
fn packets_of_a_new_connection_may_be_lost_and_late() {
    let (mut a, mut b) = pair();
    let ours = a.connect(at(0), addr(2)).unwrap();
    b.handle_datagram(at(0), addr(1), &sent(&mut a, at(0))[0]);
    a.handle_datagram(at(0), addr(2), &sent(&mut b, at(0))[0]);
    a.write(ours, &[7; 2000]).unwrap();
    let mut packets = sent(&mut a, at(1));
    packets.reverse();
    packets.retain(|packet| packet.len() > Header::LENGTH);
    assert!(packets.len() >= 4, "{}", packets.len());
    for packet in &packets {
        assert!(b.handle_datagram(at(1), addr(1), packet));
    }
    let Some(Event::Incoming(theirs, _)) = b.poll_event() else {
        panic!("one connection comes in");
    };
    assert_eq!(bytes(b.read(theirs, 4000)), [7; 2000]);
    assert_eq!(b.connections(), 1);
}

#[test]
fn a_reset_ends_a_connection_only_if_it_names_one_of_its_numbers() {
    let (_, _, mut b, theirs) = connected();
    b.write(theirs, &[7; 1000]).unwrap();
    let data = sent(&mut b, at(1));
    let header = |datagram: &[u8]| Packet::parse(datagram).unwrap().header;
    let first = header(&data[0]);
    let next = header(data.last().unwrap()).sequence.wrapping_add(1);
    let plausible = [first.sequence, next.wrapping_sub(1), next];
    let mut reset = |acknowledgement| {
        let reset = Header {
            kind: Kind::Reset,
            acknowledgement,
            ..first
        };
        b.handle_datagram(at(2), addr(1), &reset.encode());
        events(&mut b)
    };
    for number in (0..=u16::MAX).filter(|number| !plausible.contains(number)) {
        assert!(reset(number).is_empty(), "{number}");
    }
    let closed = Event::Closed(theirs, CloseReason::Reset);
    assert_eq!(reset(first.sequence), [closed]);
}

#[test]
fn a_peer_that_forgot_the_connection_resets_it() {
    let (mut a, ours, _, _) = connected();
    let mut forgetful = socket(Config::default(), 3);
    a.write(ours, b"hello").unwrap();
    exchange(at(1), &mut a, &mut forgetful);
    let closed = Event::Closed(ours, CloseReason::Reset);
    assert_eq!(events(&mut a), [closed]);
    assert_eq!(a.write(ours, b"hello"), Err(Closed));
}

#[test]
fn an_aborted_connection_is_reset_at_the_other_side() {
    let (mut a, ours, mut b, theirs) = connected();
    a.abort(at(1), ours);
    exchange(at(1), &mut a, &mut b);
    assert_eq!(events(&mut b), [Event::Closed(theirs, CloseReason::Reset)]);
    assert_eq!((a.connections(), b.connections()), (0, 0));
}

#[test]
fn a_silent_connection_keeps_its_way_through_routers_open() {
    let (mut a, _, mut b, _) = connected();
    let mut datagrams = 0;
    for minute in 1..=10 {
        for socket in [&mut a, &mut b] {
            socket.handle_timeout(at(minute * 60_000));
        }
        datagrams += exchange(at(minute * 60_000), &mut a, &mut b);
    }
    assert_eq!(datagrams, 20);
}

#[test]
fn a_peer_that_vanishes_is_given_up_after_half_a_minute() {
    let (mut a, ours, _, _) = connected();
    a.write(ours, b"hello").unwrap();
    let mut datagrams = sent(&mut a, at(0)).len();
    let mut now = at(0);
    while let Some(due) = a.poll_timeout() {
        now = due;
        a.handle_timeout(now);
        datagrams += sent(&mut a, now).len();
    }
    let closed = Event::Closed(ours, CloseReason::TimedOut);
    assert_eq!(events(&mut a), [closed]);
    // The packet, a probe of the tail, and what timeouts repeat.
    assert_eq!((datagrams, now), (7, at(31_500)));
}

#[test]
fn connections_have_a_limit_in_both_directions() {
    let config = Config {
        max_connections: 1,
        ..Config::default()
    };
    let (mut a, mut b) = (socket(config.clone(), 1), socket(config, 2));
    a.connect(at(0), addr(2)).unwrap();
    assert_eq!(a.connect(at(0), addr(2)), Err(Full));
    exchange(at(0), &mut a, &mut b);
    assert_eq!(b.connections(), 1);
    let mut c = socket(Config::default(), 3);
    let id = c.connect(at(0), addr(2)).unwrap();
    b.handle_datagram(at(1), addr(3), &sent(&mut c, at(1))[0]);
    c.handle_datagram(at(1), addr(2), &sent(&mut b, at(1))[0]);
    assert_eq!(events(&mut c), [Event::Closed(id, CloseReason::Refused)]);
}

#[test]
fn a_write_that_finds_no_room_is_told_when_there_is() {
    let (mut a, ours, mut b, theirs) = connected();
    let much = vec![5; 2 << 20];
    let mut written = a.write(ours, &much).unwrap();
    assert_eq!(written, 1 << 20);
    assert!(!events(&mut a).contains(&Event::Writable(ours)));
    let mut read = 0;
    for millis in 1.. {
        exchange(at(millis), &mut a, &mut b);
        while let Read::Bytes(bytes) = b.read(theirs, 1 << 20).unwrap() {
            read += bytes.len();
        }
        if events(&mut a).contains(&Event::Writable(ours)) {
            written += a.write(ours, &much[written..]).unwrap();
        }
        if read == much.len() {
            break;
        }
    }
    assert_eq!(written, much.len());
}

#[test]
fn a_refused_probe_is_sent_again_as_a_datagram_that_may_be_fragmented() {
    let (mut a, ours, mut b, theirs) = connected();
    a.write(ours, &[9; 20_000]).unwrap();
    let (mut out, mut refused, mut read) = (Vec::new(), 0, 0);
    for millis in 1..50 {
        while let Some(transmit) = a.poll_transmit(at(millis), &mut out) {
            let datagram = std::mem::take(&mut out);
            if transmit.is_probe && datagram.len() > 1000 {
                a.handle_too_long(transmit.to, datagram.len());
                refused += 1;
            } else {
                b.handle_datagram(at(millis), addr(1), &datagram);
            }
        }
        while let Read::Bytes(bytes) = b.read(theirs, 1 << 20).unwrap() {
            read += bytes.len();
        }
        b.handle_timeout(at(millis + 1));
        for datagram in sent(&mut b, at(millis + 1)) {
            a.handle_datagram(at(millis + 1), addr(2), &datagram);
        }
    }
    assert!(refused > 0);
    assert_eq!(read, 20_000);
}

#[test]
fn two_dials_that_cross_become_a_connection_each() {
    let (mut a, mut b) = pair();
    let dialled = [
        a.connect(at(0), addr(2)).unwrap(),
        b.connect(at(0), addr(1)).unwrap(),
    ];
    exchange(at(0), &mut a, &mut b);
    let mut accepted = Vec::new();
    for (socket, dialled) in [(&mut a, dialled[0]), (&mut b, dialled[1])] {
        let [Event::Connected(ours), Event::Incoming(theirs, _)] = events(socket)[..] else {
            panic!("its own dial succeeds, and that of the other side comes in");
        };
        assert_eq!((ours, socket.connections()), (dialled, 2));
        assert_eq!(socket.write(ours, b"hello"), Ok(5));
        accepted.push(theirs);
    }
    exchange(at(1), &mut a, &mut b);
    for (socket, accepted) in [(&mut a, accepted[0]), (&mut b, accepted[1])] {
        assert_eq!(bytes(socket.read(accepted, 99)), b"hello");
    }
}

/// The datagrams with which `b` answers packets that come at once.
fn answers(b: &mut Socket, now: Instant, packets: &[Vec<u8>]) -> usize {
    for packet in packets {
        b.handle_datagram(now, addr(1), packet);
    }
    sent(b, now).len()
}

#[test]
fn packets_in_order_are_acknowledged_together_and_those_behind_a_gap_one_by_one() {
    let (mut a, ours, mut b, theirs) = connected();
    a.write(ours, &[7; 1 << 20]).unwrap();
    exchange(at(1), &mut a, &mut b);
    while let Read::Bytes(_) = b.read(theirs, 1 << 20).unwrap() {}
    exchange(at(1), &mut a, &mut b);
    a.write(ours, &[8; 100_000]).unwrap();
    let packets = sent(&mut a, at(2));
    let one_by_one: usize = packets[..32]
        .chunks(1)
        .map(|packet| answers(&mut b, at(2), packet))
        .sum();
    assert_eq!(one_by_one, 2, "for 32 packets");
    assert_eq!(answers(&mut b, at(2), &packets[33..36]), 3, "behind a gap");
    assert_eq!(answers(&mut b, at(2), &packets[36..60]), 4, "at once");
    assert_eq!(
        answers(&mut b, at(2), &packets[32..33]),
        1,
        "it fills the gap"
    );
    assert_eq!(answers(&mut b, at(2), &packets[60..61]), 0);
    b.handle_timeout(at(3));
    assert_eq!(sent(&mut b, at(3)).len(), 1, "after a millisecond");
    assert_eq!(answers(&mut b, at(4), &packets[62..63]), 1);
    let mut repeated = 0;
    for millis in 5..1000 {
        b.handle_timeout(at(millis));
        repeated += sent(&mut b, at(millis)).len();
    }
    assert_eq!(repeated, 2, "while the gap stays open");
}
