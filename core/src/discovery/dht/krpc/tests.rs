use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};
use proptest::test_runner::Config;

use super::*;
use crate::bencode::BencodeFault;
use crate::discovery::dht::id::{Contact, NodeId};
use crate::types::InfoHashV1;

const ID: NodeId = NodeId(*b"abcdefghij0123456789");
const OTHER: NodeId = NodeId(*b"mnopqrstuvwxyz123456");

fn parse(text: &[u8]) -> Message<'_> {
    Message::parse(text).unwrap()
}

fn query(text: &[u8]) -> Query<'_> {
    match parse(text).body {
        Body::Query(query) => query,
        other => panic!("{other:?}"),
    }
}

/// The examples are copied from BEP 5.
#[test]
fn the_examples_of_bep_5_are_read() {
    assert_eq!(
        query(b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"),
        Query {
            id: ID,
            want: None,
            method: Method::Ping
        }
    );
    let find = query(b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe");
    assert_eq!(find.method, Method::FindNode(OTHER));
    let peers = query(b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe");
    assert_eq!(peers.method, Method::GetPeers(InfoHashV1(OTHER.0)));
    let announce = b"d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe";
    assert_eq!(
        query(announce).method,
        Method::Announce {
            info_hash: InfoHashV1(OTHER.0),
            port: None,
            token: b"aoeusnth"
        }
    );
    let answer = parse(b"d1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re");
    let Body::Answer(answer) = answer.body else {
        panic!()
    };
    assert_eq!((answer.id, answer.token), (ID, Some(&b"aoeusnth"[..])));
    assert_eq!(
        answer.peers,
        [
            "97.120.106.101:11893".parse::<SocketAddr>().unwrap(),
            "105.100.104.116:28269".parse().unwrap()
        ]
    );
    let error = parse(b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee");
    assert_eq!(
        error.body,
        Body::Error {
            code: 201,
            text: "A Generic Error Ocurred".to_owned()
        }
    );
}

#[test]
fn a_port_counts_only_where_it_is_not_implied_and_one_of_both_must_be_there() {
    let announce = |arguments: &str| {
        let text = format!(
            "d1:ad2:id20:abcdefghij0123456789{arguments}e1:q13:announce_peer1:t2:aa1:y1:qe"
        );
        match Message::parse(text.as_bytes()).unwrap().body {
            Body::Query(Query {
                method: Method::Announce { port, .. },
                ..
            }) => Ok(port),
            Body::BadQuery(error) => Err(error),
            other => panic!("{other:?}"),
        }
    };
    let hash = "9:info_hash20:mnopqrstuvwxyz123456";
    assert_eq!(announce(&format!("{hash}4:porti7e5:token1:x")), Ok(Some(7)));
    assert_eq!(
        announce(&format!("12:implied_porti0e{hash}4:porti7e5:token1:x")),
        Ok(Some(7))
    );
    assert_eq!(
        announce(&format!("12:implied_porti1e{hash}4:porti7e5:token1:x")),
        Ok(None)
    );
    assert_eq!(
        announce(&format!("{hash}4:porti0e5:token1:x")),
        Err(QueryError::Argument("port"))
    );
    assert_eq!(
        announce(&format!("{hash}4:porti65536e5:token1:x")),
        Err(QueryError::Argument("port"))
    );
    assert_eq!(
        announce(&format!("{hash}4:porti7e")),
        Err(QueryError::Argument("token"))
    );
    assert_eq!(
        announce("4:porti7e5:token1:x"),
        Err(QueryError::Argument("info_hash"))
    );
}

#[test]
fn unknown_methods_with_a_place_are_questions_for_nodes_and_others_are_refused() {
    let text =
        b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q4:vote1:t2:aa1:y1:qe";
    assert_eq!(query(text).method, Method::FindNode(OTHER));
    let text = b"d1:ad2:id20:abcdefghij0123456789e1:q4:vote1:t2:aa1:y1:qe";
    assert_eq!(parse(text).body, Body::BadQuery(QueryError::Method));
    assert_eq!(
        (QueryError::Method.code(), QueryError::Token.code()),
        (204, 203)
    );
}

#[test]
fn what_is_no_message_is_refused_with_its_reason() {
    assert!(matches!(
        Message::parse(b"hello"),
        Err(KrpcError::Bencode(_))
    ));
    assert_eq!(
        Message::parse(b"i1e"),
        Err(KrpcError::Missing("dictionary"))
    );
    assert_eq!(Message::parse(b"d1:y1:qe"), Err(KrpcError::Missing("t")));
    assert_eq!(
        Message::parse(b"d1:t2:aa1:y1:ze"),
        Err(KrpcError::Missing("y"))
    );
    assert_eq!(
        Message::parse(b"d1:rd2:id3:abce1:t2:aa1:y1:re"),
        Err(KrpcError::Missing("r"))
    );
    let long = format!("d1:t33:{}1:y1:qe", "a".repeat(33));
    assert_eq!(
        Message::parse(long.as_bytes()),
        Err(KrpcError::Transaction {
            received: 33,
            limit: 32
        })
    );
}

#[test]
fn huge_answers_are_refused_or_cut() {
    let list = format!(
        "d1:ad2:id20:abcdefghij0123456789e1:xl{}e1:t2:aa1:y1:qe",
        "0:".repeat(5000)
    );
    let Err(KrpcError::Bencode(error)) = Message::parse(list.as_bytes()) else {
        panic!("10,000 bytes are too many")
    };
    assert!(matches!(
        error.fault,
        BencodeFault::Bytes { limit: 8192, .. }
    ));
    let many = |n: usize| {
        format!(
            "5:nodes{}:{}6:valuesl{}e",
            n * 26,
            "n".repeat(n * 26),
            "6:axje.u".repeat(n)
        )
    };
    let text = format!(
        "d1:rd2:id20:abcdefghij0123456789{}e1:t2:aa1:y1:re",
        many(200)
    );
    let Body::Answer(answer) = parse(text.as_bytes()).body else {
        panic!()
    };
    assert_eq!(
        (answer.contacts.len(), answer.peers.len()),
        (MAX_CONTACTS, MAX_PEERS)
    );
}

#[test]
fn a_foreign_error_is_made_harmless_before_anybody_prints_it() {
    let Body::Error { text, .. } = parse(b"d1:eli201e5:\x1b[2Jae1:t2:aa1:y1:ee").body else {
        panic!()
    };
    assert!(!text.contains('\x1b'));
}

fn addrs(v4: bool) -> impl Strategy<Value = SocketAddr> {
    (any::<[u8; 4]>(), any::<[u8; 16]>(), any::<u16>()).prop_map(move |(a, b, port)| {
        if v4 {
            (a, port).into()
        } else {
            (b, port).into()
        }
    })
}

fn contacts() -> impl Strategy<Value = Vec<Contact>> {
    let some = |v4| {
        prop::collection::vec(
            (any::<[u8; 20]>(), addrs(v4)).prop_map(|(id, addr)| Contact {
                id: NodeId(id),
                addr,
            }),
            0..=MAX_CONTACTS,
        )
    };
    (some(true), some(false)).prop_map(|(v4, v6)| [v4, v6].concat())
}

fn methods() -> impl Strategy<Value = Method<'static>> {
    let announce = (any::<[u8; 20]>(), prop::option::of(1..=u16::MAX));
    prop_oneof![
        Just(Method::Ping),
        any::<[u8; 20]>().prop_map(|id| Method::FindNode(NodeId(id))),
        any::<[u8; 20]>().prop_map(|hash| Method::GetPeers(InfoHashV1(hash))),
        announce.prop_map(|(hash, port)| Method::Announce {
            info_hash: InfoHashV1(hash),
            port,
            token: b"token"
        }),
        any::<[u8; 20]>().prop_map(|id| Method::Sample(NodeId(id))),
    ]
}

proptest! {
    #![proptest_config(Config::with_cases(128))]

    #[test]
    fn queries_are_read_back(id in any::<[u8; 20]>(), method in methods(), want in prop::option::of(any::<(bool, bool)>()), read_only in any::<bool>()) {
        let want = want.map(|(v4, v6)| Want { v4, v6 });
        let message = Message { transaction: b"tx", read_only, ip: None, body: Body::Query(Query { id: NodeId(id), want, method }) };
        let bytes = message.encode();
        prop_assert_eq!(Message::parse(&bytes).unwrap(), message);
    }

    #[test]
    fn answers_are_read_back(
        id in any::<[u8; 20]>(),
        contacts in contacts(),
        peers in prop::collection::vec(addrs(true), 0..50),
        more in prop::collection::vec(addrs(false), 0..30),
        ip in prop::option::of(addrs(true)),
        hashes in prop::option::of(prop::collection::vec(any::<[u8; 20]>(), 0..=20)),
    ) {
        let samples = hashes.map(|hashes| Samples { interval: Duration::from_secs(9), stored: 77, hashes: hashes.into_iter().map(InfoHashV1).collect() });
        let answer = Answer { id: NodeId(id), contacts, token: Some(b"t"), peers: [peers, more].concat(), samples };
        let message = Message { transaction: b"", read_only: false, ip, body: Body::Answer(answer) };
        let bytes = message.encode();
        prop_assert_eq!(Message::parse(&bytes).unwrap(), message);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Message::parse(&bytes);
    }
}
