//! A DHT of ten thousand nodes, a tenth of them liars, with losses and churn.

use std::time::Duration;

use aqueduct_core::types::InfoHashV1;
use aqueduct_tests::sim::dht::{Looked, Plan, World};

use super::secs;

const PLAN: Plan = Plan { nodes: 10_000, liars: 10, loss: 0.03, churn: 0.1, seed: 5 };

/// Swarms, and how many look for each.
const SWARMS: u8 = 100;
const SEEKERS: usize = 3;

/// Any place in the DHT.
fn hash(n: u8) -> InfoHashV1 {
    InfoHashV1(std::array::from_fn(|i| n.wrapping_mul(59).wrapping_add(17).rotate_left(u32::try_from(i).unwrap()) ^ n))
}

/// Somebody who looks for a swarm, and whom it should find.
struct Seeker {
    node: u32,
    hash: InfoHashV1,
    seed: u32,
}

/// A world that has settled down, in which every swarm has one member: its seed.
fn world_with_seeds(plan: Plan, swarms: u8) -> (World, Vec<u32>) {
    let mut world = World::new(plan);
    world.run(secs(100));
    world.begin_churn();
    let seeds: Vec<u32> = (0..swarms).map(|_| world.any_node()).collect();
    for (n, seed) in (0..swarms).zip(&seeds) {
        world.join(*seed, hash(n));
        world.run(Duration::from_millis(300));
    }
    (world, seeds)
}

/// Everybody who looks, one after another; then a while for the last ones.
fn seek(world: &mut World, seeds: &[u32], each: usize) -> Vec<Seeker> {
    let mut seekers = Vec::new();
    for _ in 0..each {
        for (n, seed) in (0u8..).zip(seeds) {
            let stored = world.looked(*seed, hash(n)).is_some_and(|looked| looked.effort.announced > 0);
            if !stored {
                // It left before it could tell anybody.
                continue;
            }
            let seeker = Seeker { node: world.any_node(), hash: hash(n), seed: *seed };
            world.join(seeker.node, seeker.hash);
            world.run(Duration::from_millis(700));
            seekers.push(seeker);
        }
    }
    world.run(secs(15));
    seekers
}

#[test]
fn ten_thousand_nodes_with_a_tenth_of_liars_find_what_is_stored() {
    let (mut world, seeds) = world_with_seeds(PLAN, SWARMS);
    world.run(secs(60));
    let seekers = seek(&mut world, &seeds, SEEKERS);
    let successes = seekers.iter().filter(|seeker| world.has_found(seeker.node, seeker.hash, World::peer(seeker.seed))).count();
    assert!(seekers.len() * 10 >= usize::from(SWARMS) * SEEKERS * 9, "hardly any peer was stored");
    let looked: Vec<Looked> = seekers.iter().filter_map(|seeker| world.looked(seeker.node, seeker.hash)).collect();
    print(&world, &looked, successes, seekers.len());
    assert!(successes * 100 >= seekers.len() * 99, "only {successes} of {} lookups found the peer", seekers.len());
    let median = percentile(&looked, 50, |looked| looked.lasted.as_secs_f64());
    assert!(median < 10.0, "half of the lookups took more than {median} s");
}

#[test]
fn the_same_seed_gives_the_same_dht_and_another_one_another() {
    let digest = |seed| {
        let (mut world, seeds) = world_with_seeds(Plan { nodes: 300, seed, ..PLAN }, 5);
        seek(&mut world, &seeds, 1);
        (world.digest(), world.packets)
    };
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1), digest(2));
}

#[test]
fn with_a_third_of_the_datagrams_lost_lookups_still_find_what_is_stored() {
    let (mut world, seeds) = world_with_seeds(Plan { nodes: 1000, loss: 0.18, seed: 9, ..PLAN }, 30);
    let seekers = seek(&mut world, &seeds, 2);
    let successes = seekers.iter().filter(|seeker| world.has_found(seeker.node, seeker.hash, World::peer(seeker.seed))).count();
    assert!(successes * 10 >= seekers.len() * 9, "{successes} of {}", seekers.len());
}

fn percentile(looked: &[Looked], percent: usize, of: impl Fn(&Looked) -> f64) -> f64 {
    let mut values: Vec<f64> = looked.iter().map(of).collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get((values.len() * percent / 100).min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

fn print(world: &World, looked: &[Looked], successes: usize, lookups: usize) {
    let Plan { nodes, liars, loss, churn, .. } = PLAN;
    let (loss, churn) = (loss * 100.0, churn * 100.0);
    println!("DHT of {nodes} nodes, {liars} % liars, {loss} % loss, {churn} % churn in 10 min; {:.0} nodes a table", world.average_table());
    println!("{successes} of {lookups} lookups found the stored peer ({:.1} %)", successes as f64 * 100.0 / lookups as f64);
    println!("a lookup's            median    95 %");
    let row =
        |name: &str, of: &dyn Fn(&Looked) -> f64| println!("{name:<20} {:>7.1} {:>7.1}", percentile(looked, 50, of), percentile(looked, 95, of));
    row("hops", &|looked| f64::from(looked.effort.hops));
    row("questions", &|looked| f64::from(looked.effort.queries));
    row("messages", &|looked| f64::from(looked.effort.queries + looked.effort.answers + looked.effort.announced * 2));
    row("s to the first peer", &|looked| looked.first_peer.map_or(f64::NAN, |span| span.as_secs_f64()));
    row("s to the announces", &|looked| looked.lasted.as_secs_f64());
    println!(
        "{} datagrams, {} MiB in {:.0} s of virtual time",
        world.packets,
        world.bytes >> 20,
        world.now().since(aqueduct_core::Instant::ZERO).as_secs_f64()
    );
}
