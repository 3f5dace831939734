//! The behaviour of nodes among other nodes.

use std::net::SocketAddr;

use super::world::{KEY, World, addr, named, secs};
use crate::discovery::dht::krpc::Method;
use crate::discovery::dht::{Config, Family, Input, State, is_secure};
use crate::discovery::{DhtCounts, Key};
use crate::io::DiscoverRequest;
use crate::types::InfoHashV1;

fn is_announce(method: &Method<'_>) -> bool {
    matches!(method, Method::Announce { .. })
}

fn is_get_peers(method: &Method<'_>) -> bool {
    matches!(method, Method::GetPeers(_))
}

fn at_port(node: SocketAddr, port: u16) -> SocketAddr {
    SocketAddr::new(node.ip(), port)
}

#[test]
fn who_announces_is_found_by_who_looks() {
    let mut world = World::of(40);
    world.join(addr(7), 1234);
    world.run(secs(5));
    world.join(addr(31), 4321);
    world.run(secs(5));
    let found = &world.found[&(addr(31), KEY)];
    assert_eq!(
        found.iter().copied().collect::<Vec<_>>(),
        [at_port(addr(7), 1234)]
    );
    let counts = world.counts(addr(31));
    assert!(
        counts.nodes >= 8 && counts.peers == 1 && !counts.asking,
        "{counts:?}"
    );
}

#[test]
fn two_nodes_are_a_dht() {
    let mut world = World::default();
    world.names.push(addr(0));
    world.start(addr(0), named());
    world.start(addr(1), named());
    world.join(addr(0), 1000);
    world.join(addr(1), 1001);
    world.run(secs(120));
    assert!(world.found[&(addr(0), KEY)].contains(&at_port(addr(1), 1001)));
}

#[test]
fn we_do_not_find_ourselves() {
    let mut world = World::of(20);
    world.join(addr(7), 1234);
    world.run(secs(600));
    assert_eq!(world.counts(addr(7)).peers, 0);
    assert!(world.found.is_empty());
}

#[test]
fn announces_come_again_every_quarter_of_an_hour_and_more_asks_once_a_minute() {
    let mut world = World::of(20);
    world.join(addr(3), 1);
    world.join(addr(7), 1234);
    world.run(secs(100));
    let start = world.now;
    world.run(secs(3600));
    let mut rounds = world.asked(start, addr(7), is_announce);
    rounds.dedup_by(|later, earlier| later.since(*earlier) < secs(60));
    assert!((3..=6).contains(&rounds.len()), "{rounds:?}");
    assert!(
        rounds
            .windows(2)
            .all(|pair| pair[1].since(pair[0]) > secs(790)),
        "{rounds:?}"
    );
    let start = world.now;
    for _ in 0..60 {
        world.request(addr(7), DiscoverRequest::More);
        world.run(secs(2));
    }
    let mut rounds = world.asked(start, addr(7), is_get_peers);
    rounds.dedup_by(|later, earlier| later.since(*earlier) < secs(20));
    assert!((2..=3).contains(&rounds.len()), "{rounds:?}");
}

#[test]
fn a_removed_member_is_looked_for_and_announced_no_more() {
    let mut world = World::of(20);
    world.join(addr(7), 1234);
    world.run(secs(5));
    let now = world.now;
    world.nodes.get_mut(&addr(7)).unwrap().remove(now, KEY);
    world.drain(addr(7));
    world.run(secs(3600));
    assert!(
        world
            .asked(now, addr(7), |method| is_get_peers(method)
                || is_announce(method))
            .is_empty()
    );
    assert_eq!(world.node(addr(7)).counts(KEY), None);
}

#[test]
fn a_member_that_leaves_in_the_middle_of_a_lookup_ends_it() {
    let mut world = World::of(20);
    world.join(addr(7), 1234);
    let now = world.now;
    world.nodes.get_mut(&addr(7)).unwrap().remove(now, KEY);
    world.drain(addr(7));
    world.run(secs(60));
    assert!(world.asked(now, addr(7), is_announce).is_empty());
}

#[test]
fn two_members_of_one_swarm_share_its_lookups() {
    let mut world = World::of(30);
    world.join(addr(7), 1234);
    world.run(secs(5));
    let start = world.now;
    let other = Key { owner: 2, ..KEY };
    let node = world.nodes.get_mut(&addr(20)).unwrap();
    node.add(other, 99);
    node.request(start, other, DiscoverRequest::Start);
    world.join(addr(20), 99);
    world.run(secs(10));
    for key in [KEY, other] {
        assert!(world.found[&(addr(20), key)].contains(&at_port(addr(7), 1234)));
    }
    assert!(world.asked(start, addr(20), is_announce).len() <= 8);
}

#[test]
fn only_so_many_lookups_run_at_a_time_and_all_get_their_turn() {
    let mut world = World::of(20);
    let now = world.now;
    let config = Config {
        max_searches: 2,
        ..named()
    };
    world.start(addr(50), config);
    world.run(secs(5));
    let keys = (0..20).map(|n| Key {
        info_hash: InfoHashV1([n; 20]),
        owner: 0,
    });
    for key in keys.clone() {
        let node = world.nodes.get_mut(&addr(50)).unwrap();
        node.add(key, 7);
        node.request(world.now, key, DiscoverRequest::Start);
    }
    world.drain(addr(50));
    let asking = |world: &World| {
        keys.clone()
            .filter(|key| world.node(addr(50)).counts(*key).unwrap().asking)
            .count()
    };
    assert_eq!(asking(&world), 2);
    world.run(secs(60));
    let hashes = |hash: InfoHashV1| {
        world
            .asked(now, addr(50), |method| *method == Method::GetPeers(hash))
            .len()
    };
    assert!(keys.clone().all(|key| hashes(key.info_hash) > 0));
}

#[test]
fn lookups_beyond_an_owners_budget_wait_their_turn_and_hold_up_nobody_else() {
    let mut world = World::of(20);
    world.start(
        addr(50),
        Config {
            lookups: Some((2, secs(10))),
            ..named()
        },
    );
    world.run(secs(5));
    let begun = world.now;
    // Not in the order of their hashes, since requests must be served in the order of arrival.
    for (hash, owner) in [(5, 1), (4, 1), (3, 1), (2, 1), (1, 1), (6, 2)] {
        let key = Key {
            info_hash: InfoHashV1([hash; 20]),
            owner,
        };
        let node = world.nodes.get_mut(&addr(50)).unwrap();
        node.add(key, 7);
        node.request(begun, key, DiscoverRequest::Start);
    }
    world.drain(addr(50));
    world.run(secs(35));
    let first_asked = |hash| {
        world
            .asked(begun, addr(50), |method| {
                *method == Method::GetPeers(InfoHashV1([hash; 20]))
            })
            .first()
            .copied()
    };
    let seconds = |hash| first_asked(hash).map(|at| at.since(begun).as_secs());
    assert_eq!(
        [5, 4, 3, 2, 1, 6].map(seconds),
        [0, 0, 10, 20, 30, 0].map(Some)
    );
}

#[test]
fn read_only_nodes_ask_and_announce_but_are_nobodys_nodes_and_answer_nobody() {
    let mut world = World::of(20);
    world.start(
        addr(50),
        Config {
            read_only: true,
            ..named()
        },
    );
    world.join(addr(50), 77);
    world.join(addr(7), 1234);
    world.run(secs(90));
    assert!(world.found[&(addr(50), KEY)].contains(&at_port(addr(7), 1234)));
    assert!(world.nodes.iter().all(|(_, node)| {
        !node
            .state()
            .encode()
            .windows(4)
            .any(|bytes| bytes == [11, 0, 50, 9])
    }));
    world.nodes.remove(&addr(7));
    world.join(addr(8), 1);
    world.run(secs(30));
    assert!(world.found[&(addr(8), KEY)].contains(&at_port(addr(50), 77)));
}

#[test]
fn a_later_run_needs_no_bootstrap_node() {
    let mut world = World::of(40);
    world.join(addr(7), 1234);
    world.run(secs(5));
    let state = world.nodes.remove(&addr(31)).unwrap().state();
    let (before, id) = (world.resolves.len(), State::parse(&state.encode()).unwrap());
    world.start_with(addr(31), named(), id);
    world.join(addr(31), 5);
    world.run(secs(10));
    assert_eq!(world.resolves.len(), before, "the names were asked again");
    assert!(world.found[&(addr(31), KEY)].contains(&at_port(addr(7), 1234)));
    assert!(world.node(addr(31)).state() != State::default());
}

#[test]
fn names_that_lead_nowhere_are_asked_again_ever_more_rarely() {
    let mut world = World::default();
    world.start(addr(0), named());
    world.run(secs(3600));
    let times: Vec<_> = world.resolves.iter().map(|(at, _)| *at).collect();
    assert!((12..=20).contains(&times.len()), "{times:?}");
    assert!(
        times[2].since(times[1]) < secs(15)
            && times[times.len() - 1].since(times[times.len() - 2]) > secs(240)
    );
    world.names = vec![addr(1)];
    world.start(
        addr(1),
        Config {
            bootstrap: Vec::new(),
            ..named()
        },
    );
    world.run(secs(400));
    assert_eq!(world.node(addr(0)).nodes(), 1);
}

#[test]
fn public_bootstrap_nodes_are_asked_and_not_kept() {
    let mut world = World::of(10);
    world.start(
        addr(50),
        Config {
            keep_bootstrap: false,
            ..named()
        },
    );
    world.run(secs(10));
    let ids: Vec<_> = world
        .node(addr(50))
        .state()
        .encode()
        .windows(4)
        .filter(|bytes| *bytes == [11, 0, 0, 9])
        .map(<[u8]>::to_vec)
        .collect();
    assert!(ids.is_empty() && world.node(addr(50)).nodes() >= 7);
}

#[test]
fn a_node_that_a_peer_names_is_asked_and_kept() {
    let mut world = World::of(10);
    world.start(
        addr(50),
        Config {
            v6: false,
            ..Config::default()
        },
    );
    world.join(addr(50), 9);
    world.run(secs(5));
    assert_eq!(world.counts(addr(50)), DhtCounts::default());
    world.handle(addr(50), Input::Node(addr(3)));
    world.run(secs(60));
    assert!(
        world.node(addr(50)).nodes() >= 8,
        "{}",
        world.node(addr(50)).nodes()
    );
}

#[test]
fn our_id_follows_the_address_that_others_see() {
    let mut world = World::of(40);
    world.run(secs(120));
    let secured = |(addr, node): (&SocketAddr, &super::super::Dht)| {
        is_secure(&node.id(Family::V4).unwrap(), addr.ip())
    };
    let count = world.nodes.iter().filter(|node| secured(*node)).count();
    assert!(count >= 38, "{count}");
    world.join(addr(7), 1234);
    world.run(secs(5));
    world.join(addr(30), 1);
    world.run(secs(5));
    assert!(world.found[&(addr(30), KEY)].contains(&at_port(addr(7), 1234)));
}

#[test]
fn dead_nodes_leave_the_tables_and_lookups_go_on_without_them() {
    let mut world = World::of(40);
    world.join(addr(7), 1234);
    world.run(secs(5));
    (10..30).for_each(|n| drop(world.nodes.remove(&addr(n))));
    world.join(addr(31), 4321);
    world.run(secs(15));
    assert!(world.found[&(addr(31), KEY)].contains(&at_port(addr(7), 1234)));
    world.run(secs(3600));
    let dead: Vec<_> = (10..30).map(addr).collect();
    let bytes = world.node(addr(31)).state().encode();
    let kept = dead
        .iter()
        .filter(|dead| {
            bytes.windows(4).any(|window| {
                std::net::IpAddr::from(<[u8; 4]>::try_from(window).unwrap()) == dead.ip()
            })
        })
        .count();
    assert!(kept <= 2, "{kept} dead nodes are still in the table");
}

#[test]
fn addresses_that_cannot_be_reached_cost_no_time() {
    let mut world = World::of(20);
    world.join(addr(7), 1234);
    for n in (0..20).cycle().take(200) {
        world.handle(addr(7), Input::Unreachable(addr(n)));
    }
    assert!(
        !world.counts(addr(7)).asking,
        "everybody is unreachable, and it still waits"
    );
}

#[test]
fn the_same_seeds_give_the_same_world() {
    let world = || {
        let mut world = World::of(25);
        world.join(addr(3), 1);
        world.run(secs(1200));
        world.log
    };
    assert_eq!(world(), world());
}

#[test]
fn ipv6_is_found_through_ipv4() {
    let v6 = |n: u16| SocketAddr::from(([0x2600, n, 0, 0, 0, 0, 0, 1], 6881));
    let both = || Config {
        v6: true,
        ..named()
    };
    // A machine with both families counts as two addresses of one node.
    let mut world = World::of(12);
    world.start(
        v6(1),
        Config {
            v4: false,
            ..both()
        },
    );
    world.start(addr(50), both());
    world.start(addr(51), both());
    world.handle(addr(50), Input::Node(v6(1)));
    world.run(secs(1));
    assert!(world.node(addr(50)).id(Family::V6).is_some());
    let sent_to_v6 = |world: &World, node| {
        world
            .log
            .iter()
            .any(|(_, from, to, _)| *from == node && to.is_ipv6())
    };
    assert!(sent_to_v6(&world, addr(50)));
    assert!(world.node(addr(51)).id(Family::V4) != world.node(addr(51)).id(Family::V6));
}

#[test]
fn a_member_whose_port_changes_is_found_at_the_new_one() {
    let mut world = World::of(20);
    world.join(addr(7), 1234);
    world.run(secs(5));
    let now = world.now;
    let node = world.nodes.get_mut(&addr(7)).unwrap();
    node.set_port(now, KEY, 7000);
    world.run(secs(120));
    world.join(addr(11), 4321);
    world.run(secs(5));
    let found = &world.found[&(addr(11), KEY)];
    assert!(found.contains(&at_port(addr(7), 7000)), "{found:?}");
}
