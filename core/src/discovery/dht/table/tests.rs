use std::net::SocketAddr;

use proptest::prelude::{any, prop, proptest};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::discovery::dht::secure::secure_id;

fn at(seconds: u64) -> Instant {
    Instant(seconds * 1_000_000)
}

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::from_seed([3; 32])
}

/// A node in a /24 of its own.
fn node(n: u32, id: NodeId) -> Contact {
    let [a, b, c, _] = (0x0b00_0000 + (n << 8)).to_be_bytes();
    Contact {
        id,
        addr: SocketAddr::from(([a, b, c, 1], 6881)),
    }
}

const OWN: NodeId = NodeId([0; 20]);

/// A distant node: the first bit differs.
fn far(n: u32) -> Contact {
    let mut id = NodeId([0; 20]);
    id.0[0] = 0x80;
    id.0[16..].copy_from_slice(&n.to_be_bytes());
    node(n, id)
}

fn table() -> Table {
    Table::new(OWN, at(0))
}

/// Adds eight distant nodes.
fn fill(table: &mut Table) {
    for n in 0..8 {
        table.answered(at(0), far(n));
    }
}

#[test]
fn a_far_bucket_takes_eight_nodes_and_a_silent_one_is_asked_before_it_is_replaced() {
    let mut table = table();
    for n in 0..8 {
        assert_eq!(table.answered(at(n.into()), far(n)), None);
    }
    assert_eq!(
        table.answered(at(10), far(8)),
        None,
        "all were heard of lately"
    );
    assert_eq!(
        table.answered(at(900), far(9)),
        Some(far(0)),
        "the oldest is questionable"
    );
    assert_eq!(table.contacts().count(), 8);
    table.failed(&far(0));
    assert!(table.knows(far(0).addr), "once is no proof");
    table.failed(&far(0));
    assert!(
        !table.knows(far(0).addr) && table.knows(far(9).addr),
        "the newest spare one takes its place"
    );
}

#[test]
fn nodes_of_an_earlier_run_are_asked_before_others_take_their_places() {
    let mut table = table();
    (0..9).for_each(|n| table.restore(at(0), far(n)));
    assert_eq!((table.contacts().count(), table.good()), (8, 0));
    table.answered(at(1), far(0));
    assert_eq!(table.answered(at(1), far(20)), Some(far(1)));
    assert_eq!((table.contacts().count(), table.good()), (8, 1));
    table.failed(&far(1));
    assert!(
        !table.knows(far(1).addr) && table.knows(far(20).addr),
        "once is enough"
    );
}

#[test]
fn a_failing_node_gives_way_at_once_to_one_that_answers() {
    let mut table = table();
    fill(&mut table);
    table.failed(&far(3));
    table.answered(at(1), far(8));
    assert!(table.knows(far(8).addr) && !table.knows(far(3).addr));
}

#[test]
fn a_bucket_takes_one_node_of_a_network_unless_it_is_local() {
    let mut table = table();
    let public = |last, id| Contact {
        addr: SocketAddr::from(([11, 0, 0, last], 6881)),
        ..far(id)
    };
    table.answered(at(0), public(1, 1));
    table.answered(at(0), public(2, 2));
    assert_eq!(table.contacts().count(), 1);
    let local = |port, id| Contact {
        addr: SocketAddr::from(([127, 0, 0, 1], port)),
        ..far(id)
    };
    for n in 10..14 {
        table.answered(at(0), local(5000 + n, n.into()));
    }
    assert_eq!(table.contacts().count(), 5);
}

#[test]
fn a_bucket_takes_one_node_of_a_64_and_of_each_beside_it() {
    let mut table = table();
    let public = |net: u16, last: u16, id| Contact {
        addr: SocketAddr::from(([0x2606, 0x4700, 0, net, last, 0, 0, 1], 6881)),
        ..far(id)
    };
    for last in 0..5 {
        table.answered(at(0), public(1, last, last.into()));
    }
    assert_eq!(table.contacts().count(), 1);
    table.answered(at(0), public(2, 0, 10));
    table.answered(at(0), public(3, 0, 11));
    assert_eq!(table.contacts().count(), 3);
}

#[test]
fn secure_ids_displace_others_and_not_the_other_way_round() {
    let (mut table, mut rng) = (table(), rng());
    fill(&mut table);
    let mut secure = 0;
    for n in 100..200 {
        let contact = node(n, NodeId::random(&mut rng));
        let contact = Contact {
            id: secure_id(contact.addr.ip(), NodeId::random(&mut rng)),
            ..contact
        };
        if contact.id.shared_bits(&OWN) == 0 {
            table.answered(at(0), contact);
            secure += 1;
        }
    }
    assert!(secure >= 8);
    assert!((0..8).all(|n| !table.knows(far(n).addr)));
    table.answered(at(0), far(9));
    assert!(!table.knows(far(9).addr));
}

#[test]
fn an_id_cannot_be_taken_over_from_another_address_while_its_node_answers() {
    let mut table = table();
    table.answered(at(0), far(1));
    let thief = Contact {
        addr: far(2).addr,
        ..far(1)
    };
    table.answered(at(1), thief);
    assert!(table.knows(far(1).addr) && !table.knows(thief.addr));
    table.failed(&far(1));
    table.answered(at(2), thief);
    assert!(table.knows(thief.addr));
}

#[test]
fn a_bucket_is_refreshed_when_it_did_not_change_for_a_quarter_of_an_hour() {
    let mut table = table();
    table.answered(at(0), far(1));
    assert_eq!(table.stale(at(899)), None);
    assert_eq!(table.stale(at(900)), Some(0));
    assert_eq!(table.stale(at(901)), None);
}

#[test]
fn an_empty_far_bucket_is_refreshed_once() {
    let (mut table, mut rng) = (table(), rng());
    let near = (3..30)
        .map(|bits| OWN.neighbour(bits, &mut rng))
        .collect::<Vec<_>>();
    for (n, id) in (500..).zip(near) {
        table.answered(at(0), node(n, id));
    }
    assert!(table.buckets.len() > NEAR);
    assert_eq!(
        table.stale(at(1)),
        Some(0),
        "nothing is so far that the first bit differs"
    );
    assert_ne!(table.stale(at(2)), Some(0));
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]

    /// The search by buckets must return the same nodes as sorting all of them.
    #[test]
    fn the_closest_are_those_that_sorting_finds(own in any::<[u8; 20]>(), target in any::<[u8; 20]>(), ids in prop::collection::vec(any::<[u8; 20]>(), 0..200), near in 0..40usize) {
        let (target, mut rng) = (NodeId(target), rng());
        let mut table = Table::new(NodeId(own), at(0));
        let near = (0..near).map(|bits| NodeId(own).neighbour(bits, &mut rng));
        for (n, id) in (0u32..).zip(ids.into_iter().map(NodeId).chain(near)) {
            table.answered(at(0), node(n, id));
        }
        let mut all: Vec<_> = table.contacts().collect();
        all.sort_by_key(|contact| target.distance(&contact.id));
        all.truncate(8);
        assert_eq!(table.closest(&target, 8), all);
        assert!(table.buckets.iter().all(|bucket| bucket.nodes.len() <= SIZE));
        let rebuilt = table.rebuilt(target, at(1));
        assert!(rebuilt.good() <= table.good() && rebuilt.contacts().all(|contact| table.knows(contact.addr)));
    }
}
