use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::discovery::dht::secure::secure_id;

const TARGET: NodeId = NodeId([0; 20]);

fn lookup() -> Lookup {
    Lookup::new(NodeId([0xff; 20]), TARGET, Family::V4, Goal::Nodes)
}

fn addr(n: u16) -> SocketAddr {
    let [high, low] = n.to_be_bytes();
    SocketAddr::from(([11, high, low, 1], 6881))
}

/// A node whose id fits its address.
fn honest(n: u16) -> Contact {
    let mut rng = ChaCha8Rng::seed_from_u64(n.into());
    Contact {
        id: secure_id(addr(n).ip(), NodeId::random(&mut rng)),
        addr: addr(n),
    }
}

/// A node that claims to be very close.
fn liar(n: u16) -> Contact {
    let mut id = NodeId([0; 20]);
    id.0[18..].copy_from_slice(&n.to_be_bytes());
    Contact { id, addr: addr(n) }
}

/// Answers every query until the lookup has ended. Returns the queried nodes.
fn run(
    lookup: &mut Lookup,
    mut answer: impl FnMut(&mut Lookup, SocketAddr, Option<NodeId>),
) -> Vec<SocketAddr> {
    let mut asked = Vec::new();
    while !lookup.is_over() {
        let (addr, id) = lookup
            .next(4)
            .expect("neither over nor with anything to ask");
        asked.push(addr);
        answer(lookup, addr, id);
    }
    asked
}

#[test]
fn the_closest_eight_are_asked_and_then_it_is_over() {
    let mut lookup = lookup();
    (1..=20).for_each(|n| lookup.offer(honest(n), None));
    let asked = run(&mut lookup, |lookup, addr, id| {
        lookup.answered(
            &Contact {
                id: id.unwrap(),
                addr,
            },
            Some(b"t"),
        )
    });
    let mut all: Vec<_> = (1..=20).map(honest).collect();
    all.sort_by_key(|contact| TARGET.distance(&contact.id));
    let closest: Vec<_> = all.into_iter().take(8).collect();
    assert_eq!(
        asked,
        closest
            .iter()
            .map(|contact| contact.addr)
            .collect::<Vec<_>>()
    );
    assert_eq!(
        lookup
            .stores()
            .into_iter()
            .map(|(contact, _)| contact)
            .collect::<Vec<_>>(),
        closest
    );
    assert_eq!(lookup.hops(), 1);
}

#[test]
fn liars_get_a_few_places_besides_and_half_of_the_questions_under_way() {
    let mut lookup = lookup();
    (1..=20).for_each(|n| lookup.offer(honest(n), None));
    (100..=120).for_each(|n| lookup.offer(liar(n), None));
    let first: Vec<_> = (0..4).filter_map(|_| lookup.next(4)).collect();
    assert_eq!(
        first
            .iter()
            .filter(|(addr, _)| (100..=120).any(|n| liar(n).addr == *addr))
            .count(),
        2
    );
    assert_eq!(lookup.next(4), None, "four are under way");
    first.into_iter().for_each(|(addr, id)| {
        lookup.answered(
            &Contact {
                id: id.unwrap(),
                addr,
            },
            Some(b"t"),
        )
    });
    run(&mut lookup, |lookup, addr, id| {
        lookup.answered(
            &Contact {
                id: id.unwrap(),
                addr,
            },
            Some(b"t"),
        )
    });
    let stores = lookup.stores();
    let honest = stores
        .iter()
        .filter(|(contact, _)| is_secure(&contact.id, contact.addr.ip()))
        .count();
    assert_eq!((stores.len(), honest), (12, 8));
}

#[test]
fn an_endless_stream_of_ever_closer_liars_is_cut_off() {
    let mut lookup = lookup();
    (1..=20).for_each(|n| lookup.offer(honest(n), None));
    lookup.offer(liar(60_000), None);
    let mut next = 60_000;
    let asked = run(&mut lookup, |lookup, addr, id| {
        let contact = Contact {
            id: id.unwrap(),
            addr,
        };
        lookup.answered(&contact, Some(b"t"));
        if !is_secure(&contact.id, addr.ip()) {
            next -= 1;
            lookup.offer(liar(next), Some(addr));
        }
    });
    assert!(asked.len() <= 64 + 20, "{}", asked.len());
    assert!(
        lookup
            .stores()
            .iter()
            .filter(|(contact, _)| is_secure(&contact.id, contact.addr.ip()))
            .count()
            >= 8
    );
}

#[test]
fn slow_nodes_make_room_and_their_answers_still_count() {
    let mut lookup = lookup();
    (1..=9).for_each(|n| lookup.offer(honest(n), None));
    let slow: Vec<_> = (0..4).filter_map(|_| lookup.next(4)).collect();
    assert!(lookup.next(4).is_none());
    slow.iter().for_each(|(addr, _)| lookup.slow(*addr));
    assert!(lookup.next(4).is_some());
    let (addr, id) = slow[0];
    lookup.answered(
        &Contact {
            id: id.unwrap(),
            addr,
        },
        Some(b"t"),
    );
    lookup.failed(addr);
    assert_eq!(
        lookup.stores().len(),
        1,
        "who answered cannot fail any more"
    );
}

#[test]
fn one_network_has_one_place_and_the_own_id_none() {
    let mut lookup = lookup();
    (1..=9).for_each(|n| lookup.offer(honest(n), None));
    for last in 2..20 {
        let contact = honest(1);
        let [a, b, c] = contact.id.0.first_chunk::<3>().copied().unwrap();
        let mut id = contact.id;
        (id.0[0], id.0[1], id.0[2], id.0[10]) = (a, b, c, last);
        lookup.offer(
            Contact {
                id,
                addr: SocketAddr::from(([11, 0, 1, last], 6881)),
            },
            None,
        );
    }
    lookup.offer(
        Contact {
            id: NodeId([0xff; 20]),
            addr: addr(99),
        },
        None,
    );
    let places = lookup.closest();
    let networks: std::collections::BTreeSet<_> = places
        .iter()
        .map(|place| network(lookup.candidates[*place].addr.ip()))
        .collect();
    assert_eq!(networks.len(), places.len());
    assert!(lookup.find(addr(99)).is_none());
}

#[test]
fn without_anybody_to_ask_it_is_over() {
    assert!(lookup().is_over());
    let mut unnamed = lookup();
    unnamed.offer_unnamed(addr(1));
    assert!(!unnamed.is_over());
    assert_eq!(unnamed.next(4), Some((addr(1), None)));
    unnamed.failed(addr(1));
    assert!(unnamed.is_over());
}
