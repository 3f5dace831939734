//! How close a swarm's throughput is to the limit of its lines, and how little is sent twice.

use std::time::Duration;

use aqueduct_core::Config;
use aqueduct_tests::sim::{Access, HostId, Plan, World};

use super::{KIB, millis, secs, torrent};

/// A residential line: download is six times as fast as upload.
fn home(up_kib: u64) -> Access {
    Access {
        up: Some(up_kib * KIB),
        down: Some(up_kib * KIB * 6),
        latency: millis(25),
        loss: 0.0,
    }
}

fn received(world: &World, hosts: &[HostId]) -> u64 {
    hosts
        .iter()
        .map(|id| world.host(*id).snapshot().map_or(0, |view| view.downloaded))
        .sum()
}

fn wasted(world: &World, hosts: &[HostId]) -> u64 {
    hosts
        .iter()
        .map(|id| world.host(*id).snapshot().map_or(0, |view| view.wasted))
        .sum()
}

/// The total upload equals the total download, so the ideal is that every upload is saturated.
/// Measured from when the first pieces have spread until the first peer completes: before that few
/// peers have anything to upload, and afterwards complete peers need nothing.
#[test]
fn peers_of_mixed_bandwidth_use_nine_tenths_of_their_upload() {
    const PEERS: usize = 40;
    let torrent = torrent(144, 64);
    let config = Config {
        max_peers: 20,
        ..Config::default()
    };
    let mut world = World::new(500);
    let seed = world.add(
        Plan::seed(&torrent)
            .config(config.clone())
            .access(home(160)),
    );
    let lines = [25, 50, 50, 100];
    let leeches: Vec<HostId> = (0..PEERS)
        .map(|n| {
            world.add(
                Plan::leech(&torrent)
                    .config(config.clone())
                    .access(home(lines[n % lines.len()])),
            )
        })
        .collect();
    let sent_a_second: u64 = world.host(seed).access().up.unwrap()
        + leeches
            .iter()
            .filter_map(|id| world.host(*id).access().up)
            .sum::<u64>();
    world.run_for(secs(40));
    let (start, before) = (world.now(), received(&world, &leeches));
    world.run_until(secs(600), "somebody has everything", |world| {
        leeches
            .iter()
            .any(|id| world.host(*id).finished().is_some())
    });
    let (span, got) = (world.now() - start, received(&world, &leeches) - before);
    let share = got as f64 / (sent_a_second as f64 * span.as_secs_f64());
    println!(
        "{:.1} % of what the lines can send, measured over {span:?}",
        share * 100.0
    );
    assert!(span > secs(30), "too short to measure: {span:?}");
    world.run_until_finished(secs(600), &leeches);
    let ideal = (torrent.lengths().total() * PEERS as u64) as f64 / sent_a_second as f64;
    let took = world.now().as_secs_f64();
    let waste = wasted(&world, &leeches) as f64 / received(&world, &leeches) as f64;
    println!(
        "all have everything after {took:.0} s, {ideal:.0} s at best; {:.2} % was sent twice",
        waste * 100.0
    );
    assert!(share >= 0.9, "only {share} of what the lines can send");
    assert!(waste < 0.1, "{waste} of it came for nothing");
}

/// In the endgame, late blocks are also requested from a faster peer and then cancelled. The number
/// of duplicate blocks must stay small.
#[test]
fn endgame_with_ten_unequal_seeds_wastes_less_than_one_percent() {
    for seed in 510..514 {
        let torrent = torrent(512, 64);
        let mut world = World::new(seed);
        for kib in [20, 20, 40, 40, 80, 80, 160, 160, 320, 640] {
            world.add(
                Plan::seed(&torrent).access(Access::symmetric(kib * KIB, millis(10 + kib / 4))),
            );
        }
        let leech = world.add(Plan::leech(&torrent));
        world.run_until_finished(secs(120), &[leech]);
        let (got, twice) = (received(&world, &[leech]), wasted(&world, &[leech]));
        let took = world.host(leech).finished().unwrap();
        println!("{twice} of {got} bytes came for nothing; {took:?}");
        assert!(twice * 100 < got, "{twice} of {got} bytes came for nothing");
        // 32 MiB at 1,560 KiB/s.
        assert!(took < Duration::from_secs_f64(21.0 * 1.2), "{took:?}");
    }
}
