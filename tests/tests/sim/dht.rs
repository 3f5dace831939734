//! A DHT of ten thousand nodes, a tenth of them malicious, with loss and churn; and one with two
//! address families (BEP 32).

use std::time::Duration;

use aqueduct_core::discovery::dht::{Dht, Family, is_secure};
use aqueduct_core::types::InfoHashV1;
use aqueduct_tests::sim::dht::{FirstLookup, Plan, Stack, World};

use super::secs;

const PLAN: Plan = Plan {
    nodes: 10_000,
    only: (100, 0),
    liars: 10,
    loss: 0.03,
    churn: 0.1,
    seed: 5,
};

/// Two families: of five nodes, two have IPv4 only, one has IPv6 only, and two have both.
const TWO_FAMILIES: Plan = Plan {
    nodes: 1500,
    only: (40, 20),
    seed: 7,
    ..PLAN
};

/// The number of swarms.
const SWARMS: u8 = 100;
const SEEKERS: usize = 3;

/// An arbitrary location in the key space.
fn hash(n: u8) -> InfoHashV1 {
    InfoHashV1(std::array::from_fn(|i| {
        n.wrapping_mul(59)
            .wrapping_add(17)
            .rotate_left(u32::try_from(i).unwrap())
            ^ n
    }))
}

/// A node that looks for a swarm, and the peer that it should find.
struct Seeker {
    node: u32,
    hash: InfoHashV1,
    seed: u32,
}

impl Seeker {
    fn has_found(&self, world: &World) -> bool {
        world.has_found(self.node, self.hash, self.seed)
    }
}

/// A world in which all nodes have filled their tables.
fn settled(plan: Plan) -> World {
    let mut world = World::new(plan);
    world.run(secs(100));
    world.begin_churn();
    world
}

/// A settled world in which every swarm has one member, its seed.
fn world_with_seeds(plan: Plan, swarms: u8) -> (World, Vec<u32>) {
    let mut world = settled(plan);
    let seeds: Vec<u32> = (0..swarms).map(|_| world.any_node()).collect();
    for (n, seed) in (0..swarms).zip(&seeds) {
        world.join(*seed, hash(n));
        world.run(Duration::from_millis(300));
    }
    (world, seeds)
}

/// Starts all lookups, one after another, and waits until the last ones have ended.
fn seek(world: &mut World, seeds: &[u32], each: usize) -> Vec<Seeker> {
    let mut seekers = Vec::new();
    for _ in 0..each {
        for (n, seed) in (0u8..).zip(seeds) {
            let node = world.any_node();
            seekers.extend(look(world, node, *seed, hash(n)));
        }
    }
    world.run(secs(15));
    seekers
}

/// Starts a lookup for what a seed stored. `None` if the seed left before it could announce.
fn look(world: &mut World, node: u32, seed: u32, hash: InfoHashV1) -> Option<Seeker> {
    world
        .first_lookup(seed, hash)
        .filter(|looked| looked.effort.announced > 0)?;
    world.join(node, hash);
    world.run(Duration::from_millis(700));
    Some(Seeker { node, hash, seed })
}

#[test]
fn ten_thousand_nodes_with_ten_percent_malicious_find_what_is_stored() {
    let (mut world, seeds) = world_with_seeds(PLAN, SWARMS);
    world.run(secs(60));
    let seekers = seek(&mut world, &seeds, SEEKERS);
    let successes = seekers
        .iter()
        .filter(|seeker| seeker.has_found(&world))
        .count();
    assert!(
        seekers.len() * 10 >= usize::from(SWARMS) * SEEKERS * 9,
        "hardly any peer was stored"
    );
    let looked: Vec<FirstLookup> = seekers
        .iter()
        .filter_map(|seeker| world.first_lookup(seeker.node, seeker.hash))
        .collect();
    print(PLAN, &world, &looked, successes, seekers.len());
    assert!(
        successes * 100 >= seekers.len() * 99,
        "only {successes} of {} lookups found the peer",
        seekers.len()
    );
    let median = percentile(&looked, 50, |looked| looked.lasted.as_secs_f64());
    assert!(
        median < 10.0,
        "half of the lookups took more than {median} s"
    );
}

#[test]
fn the_same_seed_gives_the_same_dht_and_another_one_another() {
    let digest = |seed| {
        let (mut world, seeds) = world_with_seeds(
            Plan {
                nodes: 300,
                seed,
                ..PLAN
            },
            5,
        );
        seek(&mut world, &seeds, 1);
        (world.digest(), world.packets)
    };
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1), digest(2));
}

#[test]
fn with_a_third_of_the_datagrams_lost_lookups_still_find_what_is_stored() {
    let (mut world, seeds) = world_with_seeds(
        Plan {
            nodes: 1000,
            loss: 0.18,
            seed: 9,
            ..PLAN
        },
        30,
    );
    let seekers = seek(&mut world, &seeds, 2);
    let successes = seekers
        .iter()
        .filter(|seeker| seeker.has_found(&world))
        .count();
    assert!(
        successes * 10 >= seekers.len() * 9,
        "{successes} of {}",
        seekers.len()
    );
}

/// Seeds and seekers with at least one family in common.
const PAIRS: [(Stack, Stack); 7] = [
    (Stack::V4, Stack::V4),
    (Stack::V4, Stack::Both),
    (Stack::V6, Stack::V6),
    (Stack::V6, Stack::Both),
    (Stack::Both, Stack::V4),
    (Stack::Both, Stack::V6),
    (Stack::Both, Stack::Both),
];

#[test]
fn nodes_of_ipv4_of_ipv6_and_of_both_find_what_is_stored_where_they_can_reach_it() {
    const EACH: u8 = 15;
    let mut world = settled(TWO_FAMILIES);
    let pairs: Vec<(u8, (Stack, Stack))> = (0u8..)
        .zip(
            PAIRS
                .into_iter()
                .cycle()
                .take(PAIRS.len() * usize::from(EACH)),
        )
        .collect();
    let mut seeds = Vec::new();
    for (n, (seed, _)) in &pairs {
        seeds.push(world.any_node_with(*seed));
        world.join(seeds[usize::from(*n)], hash(*n));
        world.run(Duration::from_millis(300));
    }
    world.run(secs(60));
    let mut seekers = Vec::new();
    for ((n, (_, seeker)), seed) in pairs.iter().zip(&seeds) {
        let node = world.any_node_with(*seeker);
        seekers.extend(look(&mut world, node, *seed, hash(*n)));
    }
    world.run(secs(15));
    let lost: Vec<&Seeker> = seekers
        .iter()
        .filter(|seeker| !seeker.has_found(&world))
        .collect();
    let looked: Vec<FirstLookup> = seekers
        .iter()
        .filter_map(|seeker| world.first_lookup(seeker.node, seeker.hash))
        .collect();
    print(
        TWO_FAMILIES,
        &world,
        &looked,
        seekers.len() - lost.len(),
        seekers.len(),
    );
    assert!(
        seekers.len() * 10 >= pairs.len() * 9,
        "hardly any peer was stored"
    );
    assert!(
        lost.len() * 100 <= seekers.len(),
        "{} of {} lookups did not find the peer",
        lost.len(),
        seekers.len()
    );
}

/// BEP 32 and 42: a node that starts with an address of one family, and with arbitrary ids, joins
/// both.
#[test]
fn a_new_node_of_one_family_learns_of_the_other_and_picks_ids_that_fit_its_addresses() {
    for (hears_of, elsewhere) in [(Family::V4, Stack::V6), (Family::V6, Stack::V4)] {
        // With two of a dozen bootstrap nodes, lying nodes and churn would delay the stranger until
        // its next round.
        let mut world = settled(Plan {
            nodes: 600,
            seed: 8,
            ..TWO_FAMILIES
        });
        let seed = world.any_node_with(elsewhere);
        world.join(seed, hash(1));
        world.run(secs(15));
        let stranger = world.add_stranger(Stack::Both, hears_of);
        let seeker = look(&mut world, stranger, seed, hash(1)).unwrap();
        world.run(secs(15));
        assert!(
            seeker.has_found(&world),
            "it heard of nodes of {hears_of:?} and did not find a peer of {elsewhere:?}"
        );
        world.run(secs(90));
        for family in [Family::V4, Family::V6] {
            let id = world.dht(stranger).and_then(|dht| dht.id(family)).unwrap();
            assert!(
                is_secure(&id, World::addr(stranger, family).ip()),
                "{family:?}: others did not say where it is"
            );
        }
        assert!(
            world.dht(stranger).map_or(0, Dht::nodes) >= 16,
            "two tables of at least a bucket each"
        );
    }
}

fn percentile(looked: &[FirstLookup], percent: usize, of: impl Fn(&FirstLookup) -> f64) -> f64 {
    let mut values: Vec<f64> = looked.iter().map(of).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
        .get((values.len() * percent / 100).min(values.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}

fn print(plan: Plan, world: &World, looked: &[FirstLookup], successes: usize, lookups: usize) {
    let Plan {
        nodes,
        only: (v4, v6),
        liars,
        loss,
        churn,
        ..
    } = plan;
    let (loss, churn) = (loss * 100.0, churn * 100.0);
    println!(
        "DHT of {nodes} nodes, {v4} % IPv4 alone, {v6} % IPv6 alone, {liars} % liars, {loss} % loss, {churn} % churn in 10 min; {:.0} nodes a table",
        world.average_table()
    );
    println!(
        "{successes} of {lookups} lookups found the stored peer ({:.1} %)",
        successes as f64 * 100.0 / lookups as f64
    );
    println!("a lookup's            median    95 %");
    let row = |name: &str, of: &dyn Fn(&FirstLookup) -> f64| {
        println!(
            "{name:<20} {:>7.1} {:>7.1}",
            percentile(looked, 50, of),
            percentile(looked, 95, of)
        )
    };
    row("hops", &|looked| f64::from(looked.effort.hops));
    row("questions", &|looked| f64::from(looked.effort.queries));
    row("messages", &|looked| {
        f64::from(looked.effort.queries + looked.effort.answers + looked.effort.announced * 2)
    });
    row("s to the first peer", &|looked| {
        looked
            .first_peer
            .map_or(f64::NAN, |span| span.as_secs_f64())
    });
    row("s to the announces", &|looked| looked.lasted.as_secs_f64());
    println!(
        "{} datagrams, {} MiB in {:.0} s of virtual time",
        world.packets,
        world.bytes >> 20,
        world
            .now()
            .since(aqueduct_core::Instant::ZERO)
            .as_secs_f64()
    );
}
