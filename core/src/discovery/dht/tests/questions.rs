//! The answers of a node, and which senders it accepts.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::{any, prop, proptest};

use super::world::{HASH, KEY, World, addr, named, secs};
use crate::discovery::dht::id::{Contact, NodeId};
use crate::discovery::dht::krpc::{Answer, Body, Message, Method, Query, QueryError, Want};
use crate::discovery::dht::{Config, Dht, Family, Input, Output, Request, State};
use crate::io::DiscoverRequest;
use crate::types::{InfoHashV1, Instant};

const ASKER: NodeId = NodeId([0x77; 20]);

/// A single node that the test queries.
struct Node {
    dht: Dht,
    now: Instant,
}

impl Node {
    fn new() -> Self {
        let config = Config {
            v6: false,
            ..Config::default()
        };
        Self {
            dht: Dht::new(config, State::default(), [5; 32], Instant::ZERO),
            now: Instant::ZERO,
        }
    }

    /// The answer to a query, if any. Pings that the node sends are ignored.
    fn ask(&mut self, from: SocketAddr, method: Method<'_>, want: Option<Want>) -> Option<Bytes> {
        let query = Query {
            id: ASKER,
            want,
            method,
        };
        let bytes = Message {
            transaction: b"tx",
            read_only: true,
            ip: None,
            body: Body::Query(query),
        }
        .encode();
        self.dht.handle(
            self.now,
            Input::Packet {
                from,
                bytes: bytes.into(),
            },
        );
        let outputs = std::iter::from_fn(|| self.dht.poll_output()).collect::<Vec<_>>();
        outputs.into_iter().find_map(|output| match output {
            Output::Net(Request::Send { to, bytes })
                if to == from && Message::parse(&bytes).unwrap().transaction == b"tx" =>
            {
                Some(bytes)
            }
            _ => None,
        })
    }

    fn token(&mut self, from: SocketAddr) -> Vec<u8> {
        let bytes = self.ask(from, Method::GetPeers(HASH), None).unwrap();
        answer(&bytes).token.unwrap().to_vec()
    }
}

fn answer(bytes: &[u8]) -> Answer<'_> {
    match Message::parse(bytes).unwrap().body {
        Body::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}

fn error(bytes: &[u8]) -> i64 {
    match Message::parse(bytes).unwrap().body {
        Body::Error { code, .. } => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_announce_needs_the_token_of_its_address_and_is_then_told_to_others() {
    let mut node = Node::new();
    let token = node.token(addr(1));
    let announce = |token| Method::Announce {
        info_hash: HASH,
        port: Some(99),
        token,
    };
    assert_eq!(
        error(&node.ask(addr(2), announce(&token), None).unwrap()),
        QueryError::Token.code()
    );
    assert_eq!(
        error(&node.ask(addr(1), announce(b"wrong"), None).unwrap()),
        QueryError::Token.code()
    );
    answer(&node.ask(addr(1), announce(&token), None).unwrap());
    let implied = Method::Announce {
        info_hash: HASH,
        port: None,
        token: &token,
    };
    answer(&node.ask(addr(1), implied, None).unwrap());
    let told = node.ask(addr(3), Method::GetPeers(HASH), None).unwrap();
    let peers: BTreeSet<_> = answer(&told).peers.into_iter().collect();
    assert_eq!(
        peers,
        BTreeSet::from([SocketAddr::new(addr(1).ip(), 99), addr(1)])
    );
    node.now = Instant(31 * 60 * 1_000_000);
    let told = node.ask(addr(3), Method::GetPeers(HASH), None).unwrap();
    assert!(
        answer(&told).peers.is_empty(),
        "after half an hour a peer is forgotten"
    );
}

#[test]
fn answers_say_where_the_asker_is_seen_and_repeat_its_transaction() {
    let mut node = Node::new();
    let bytes = node.ask(addr(4), Method::Ping, None).unwrap();
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(
        (message.ip, message.transaction, message.read_only),
        (Some(addr(4)), &b"tx"[..], false)
    );
}

#[test]
fn samples_are_a_few_and_stay_the_same_for_ten_minutes() {
    let mut node = Node::new();
    for n in 0..40 {
        node.now = Instant(u64::from(n) * 1_000_000);
        let token = node.token(addr(u16::from(n)));
        node.ask(
            addr(n.into()),
            Method::Announce {
                info_hash: InfoHashV1([n; 20]),
                port: Some(1),
                token: &token,
            },
            None,
        )
        .unwrap();
    }
    let mut sample = |seconds: u64| {
        node.now = Instant(seconds * 1_000_000);
        let bytes = node.ask(addr(9), Method::Sample(ASKER), None).unwrap();
        answer(&bytes).samples.unwrap()
    };
    let first = sample(100);
    assert_eq!(
        (first.hashes.len(), first.stored, first.interval),
        (20, 40, secs(600))
    );
    let second = sample(400);
    assert_eq!(
        (&second.hashes, second.interval),
        (&first.hashes, secs(300))
    );
    assert_eq!(sample(701).interval, secs(600), "a new sample begins");
}

#[test]
fn nodes_of_the_family_that_is_asked_over_or_wanted_are_given() {
    let mut world = World::of(20);
    let mut ask = |want| {
        let query = Query {
            id: ASKER,
            want,
            method: Method::FindNode(NodeId([1; 20])),
        };
        let bytes = Message {
            transaction: b"find",
            read_only: true,
            ip: None,
            body: Body::Query(query),
        }
        .encode();
        let (asker, start) = (addr(900), world.log.len());
        world.send(asker, addr(5), bytes.into());
        world.run(secs(1));
        let answered = world.log[start..]
            .iter()
            .find(|(_, from, to, _)| (*from, *to) == (addr(5), asker))
            .unwrap();
        answer(&answered.3).contacts.len()
    };
    assert_eq!(ask(None), 8);
    assert_eq!(ask(Some(Want { v4: true, v6: true })), 8);
    assert_eq!(
        ask(Some(Want {
            v4: false,
            v6: true
        })),
        0
    );
}

#[test]
fn one_address_cannot_ask_more_than_five_times_a_second() {
    let mut node = Node::new();
    let answered = (0..50)
        .filter(|_| node.ask(addr(1), Method::Ping, None).is_some())
        .count();
    assert_eq!(answered, 5);
    assert!(node.ask(addr(2), Method::Ping, None).is_some());
}

#[test]
fn all_answers_together_keep_to_eight_kilobytes_a_second() {
    let mut node = Node::new();
    let mut sent = 0;
    for n in 0..20_000u16 {
        node.now = Instant(u64::from(n) * 500);
        sent += node
            .ask(addr(n), Method::GetPeers(HASH), None)
            .map_or(0, |bytes| bytes.len());
    }
    assert!(
        (70_000..=96_000).contains(&sent),
        "{sent} bytes in ten seconds"
    );
}

/// An answer by a host that cannot see our datagrams.
fn forged(transaction: &[u8], id: NodeId) -> Bytes {
    let contacts = vec![Contact {
        id: NodeId([0x5a; 20]),
        addr: addr(666),
    }];
    let answer = Answer {
        contacts,
        peers: vec![addr(667)],
        token: Some(b"t"),
        ..Answer::new(id)
    };
    Message {
        transaction,
        read_only: false,
        ip: None,
        body: Body::Answer(answer),
    }
    .encode()
    .into()
}

#[test]
fn answers_that_nobody_asked_for_change_nothing() {
    let mut world = World::of(10);
    world.join(addr(7), 1234);
    let (_, _, asked, bytes) = world
        .log
        .iter()
        .rev()
        .find(|(_, from, ..)| *from == addr(7))
        .unwrap()
        .clone();
    let transaction = Message::parse(&bytes).unwrap().transaction.to_vec();
    for (from, transaction) in [
        (addr(666), &transaction[..]),
        (asked, &b"none"[..]),
        (asked, &transaction[..2]),
    ] {
        world.handle(
            addr(7),
            Input::Packet {
                from,
                bytes: forged(transaction, ASKER),
            },
        );
    }
    world.run(secs(5));
    assert!(world.log.iter().all(|(_, _, to, _)| *to != addr(666)));
    assert!(!world.found.contains_key(&(addr(7), KEY)));
}

#[test]
fn a_node_that_answers_as_somebody_else_is_not_believed() {
    let mut world = World::of(10);
    world.join(addr(7), 1234);
    let (_, _, asked, bytes) = world
        .log
        .iter()
        .rev()
        .find(|(_, from, ..)| *from == addr(7))
        .unwrap()
        .clone();
    let transaction = Message::parse(&bytes).unwrap().transaction.to_vec();
    world.handle(
        addr(7),
        Input::Packet {
            from: asked,
            bytes: forged(&transaction, ASKER),
        },
    );
    world.run(secs(5));
    assert!(world.asked(Instant::ZERO, addr(7), |_| true).len() > 3);
    assert!(
        world
            .log
            .iter()
            .all(|(_, from, to, _)| *from != addr(7) || *to != addr(666))
    );
    assert!(!world.found.contains_key(&(addr(7), KEY)));
}

#[test]
fn a_public_node_cannot_make_us_ask_machines_of_our_own_network() {
    let mut world = World::of(10);
    world.join(addr(7), 1234);
    let (_, _, asked, bytes) = world
        .log
        .iter()
        .rev()
        .find(|(_, from, ..)| *from == addr(7))
        .unwrap()
        .clone();
    let (local, id) = (
        SocketAddr::from(([192, 168, 0, 1], 6881)),
        world.node(asked).id(Family::V4).unwrap(),
    );
    let answer = Answer {
        contacts: vec![Contact {
            id: HASH.into(),
            addr: local,
        }],
        peers: vec![local, addr(667)],
        ..Answer::new(id)
    };
    let message = Message {
        transaction: Message::parse(&bytes).unwrap().transaction,
        read_only: false,
        ip: None,
        body: Body::Answer(answer),
    };
    world.handle(
        addr(7),
        Input::Packet {
            from: asked,
            bytes: message.encode().into(),
        },
    );
    world.run(secs(60));
    assert!(world.log.iter().all(|(_, _, to, _)| *to != local));
    assert_eq!(
        world.found[&(addr(7), KEY)],
        BTreeSet::from([addr(667)]),
        "the rest of the answer is believed"
    );
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]

    /// Arbitrary datagrams at any time cause no panic, and never more datagrams than they provoke.
    #[test]
    fn any_datagrams_are_survived(packets in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..80), 0..100_000u64), 0..60)) {
        let mut dht = Dht::new(named(), State::default(), [1; 32], Instant::ZERO);
        let (mut now, mut transactions) = (Instant::ZERO, Vec::<Vec<u8>>::new());
        dht.add(KEY, 1);
        dht.request(now, KEY, DiscoverRequest::Start);
        dht.handle(now, Input::Resolved((0..8).map(addr).collect()));
        let mut sent = 0;
        for (n, (from, bytes, wait)) in packets.into_iter().enumerate() {
            now = now + Duration::from_micros(wait);
            let transaction = transactions.get(n % transactions.len().max(1)).cloned().unwrap_or_default();
            let bytes = if from % 3 == 0 { Bytes::from(bytes) } else { forged(&transaction, NodeId([from; 20])) };
            dht.handle(now, Input::Packet { from: addr(u16::from(from % 16)), bytes });
            while let Some(output) = dht.poll_output() {
                if let Output::Net(Request::Send { bytes, .. }) = output {
                    transactions.push(Message::parse(&bytes).unwrap().transaction.to_vec());
                    sent += 1;
                }
            }
        }
        assert!(sent < 400, "{sent}");
        assert!(dht.poll_timeout().is_some());
    }
}
