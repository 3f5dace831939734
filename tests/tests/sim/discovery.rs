//! Real trackers, nodes of the DHT and local discovery, for one torrent or many.

use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::types::InfoHashV1;
use aqueduct_core::{Config, TorrentId};
use aqueduct_tests::sim::{HostId, Plan, World};
use aqueduct_tests::torrent::{Computed, Recipe};

use super::{KIB, millis, secs, torrent};

/// The torrents of a burst.
const BURST: u64 = 400;

/// Twenty seconds each, within which all of them must be announced.
const ROUNDS: u32 = 30;

fn hash(torrent: &Computed) -> InfoHashV1 {
    torrent.info().info_hash.wire()
}

fn private() -> Arc<Computed> {
    let recipe = Recipe::single("private.bin", 77, 1 << 20, 32 * 1024);
    Arc::new(recipe.private().build())
}

fn small(n: u64) -> Arc<Computed> {
    let name = format!("small {n}");
    Arc::new(Recipe::single(&name, n, 16 * KIB, 16 * 1024).build())
}

/// Hosts whose nodes of the DHT know each other.
fn with_nodes(world: &mut World, count: usize) -> Vec<HostId> {
    let torrent = torrent(4, 16);
    let nodes = world.add_many(count, &Plan::seed(&torrent).trackerless().dht());
    world.run_for(secs(30));
    nodes
}

/// Adds the torrents one after another, with so much time and a datagram of junk in between; says
/// which of them trackers and the DHT do not know after a while.
fn unannounced_after_burst(seed: u64, pace: Duration) -> Vec<u64> {
    let mut world = World::new(seed);
    with_nodes(&mut world, 12);
    let config = Config {
        max_torrents: 1000,
        ..Config::default()
    };
    let host = world.add(Plan::leech(&torrent(4, 16)).config(config).dht());
    let torrents: Vec<_> = (0..BURST).map(small).collect();
    for torrent in &torrents {
        world.throw_junk(host);
        world.add_torrent(host, torrent);
        world.throw_junk(host);
        world.run_for(pace);
    }
    // Nodes answer five questions a second to one address, so that a few lookups must be repeated.
    let mut unannounced: Vec<u64> = (0..BURST).collect();
    for _ in 0..ROUNDS {
        world.run_for(secs(20));
        unannounced.retain(|n| {
            let torrent = &torrents[usize::try_from(*n).unwrap()];
            let announced = world.host(host).dht_announced().contains(&hash(torrent));
            world.tracked(torrent) == 0 || !announced
        });
        if unannounced.is_empty() {
            break;
        }
    }
    unannounced
}

#[test]
fn four_hundred_torrents_in_a_burst_are_all_announced_to_tracker_and_dht_at_any_pace_under_junk() {
    for (seed, pace) in [(700, millis(0)), (701, millis(2)), (702, millis(60))] {
        let lost = unannounced_after_burst(seed, pace);
        assert!(lost.is_empty(), "a pace of {pace:?}: {lost:?}");
    }
}

#[test]
fn a_host_downloads_several_torrents_at_a_time() {
    let torrents = [torrent(16, 32), torrent(24, 32), torrent(8, 16)];
    let also = |plan: Plan| plan.also(&torrents[1]).also(&torrents[2]);
    let mut world = World::encoded(710);
    world.add(also(Plan::seed(&torrents[0])).udp_tracker());
    let mut leeches = world.add_many(2, &also(Plan::leech(&torrents[0])));
    leeches.push(world.add(also(Plan::leech(&torrents[0])).udp_tracker()));
    world.run_until(secs(120), "all torrents are there", |world| {
        let complete = |leech: &HostId| {
            (1..=3).all(|n| world.host(*leech).disk_of(TorrentId(n)).is_complete())
        };
        leeches.iter().all(complete)
    });
}

#[test]
fn peers_are_found_without_a_tracker_by_the_dht_or_on_the_local_network() {
    let torrent = torrent(16, 32);
    let plans: [fn(Plan) -> Plan; 2] = [Plan::dht, Plan::lsd];
    for (seed, plan) in (720..).zip(plans) {
        let mut world = World::new(seed);
        with_nodes(&mut world, 8);
        world.add(plan(Plan::seed(&torrent).trackerless()));
        world.run_for(secs(10));
        let leech = world.add(plan(Plan::leech(&torrent).trackerless()));
        world.run_until_finished(secs(120), &[leech]);
    }
}

#[test]
fn a_private_torrents_peers_come_from_its_tracker_alone() {
    let torrent = private();
    let mut world = World::encoded(730);
    with_nodes(&mut world, 8);
    let open = |plan: Plan| plan.dht().lsd();
    world.add(open(Plan::seed(&torrent)));
    let without_tracker = world.add(open(Plan::leech(&torrent).trackerless()));
    let leeches = world.add_many(3, &open(Plan::leech(&torrent)));
    world.run_until_finished(secs(120), &leeches);
    world.run_for(secs(300));
    for leech in leeches {
        assert!(world.host(leech).dht_swarms().is_empty());
    }
    let stranger = world.host(without_tracker);
    assert!(stranger.neighbours().is_empty() && stranger.finished().is_none());
}

#[test]
fn a_link_that_turns_out_private_leaves_the_dht_and_the_local_network() {
    let torrent = private();
    let mut world = World::new(740);
    with_nodes(&mut world, 8);
    world.add(Plan::seed(&torrent).dht().lsd());
    let leech = world.add(Plan::leech(&torrent).magnet().dht().lsd());
    world.run_until_finished(secs(120), &[leech]);
    // From its metadata on, the rules of the world let no word of it out; see to many rounds.
    world.run_for(secs(3600));
}
