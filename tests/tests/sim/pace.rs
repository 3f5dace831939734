//! How near a download comes to what the lines allow, and how little is sent twice.

use std::time::Duration;

use aqueduct_tests::sim::{Access, HostId, Plan, World};

use super::{KIB, millis, secs, torrent};

fn received(world: &World, hosts: &[HostId]) -> u64 {
    hosts.iter().map(|id| world.host(*id).snapshot().map_or(0, |view| view.downloaded)).sum()
}

fn wasted(world: &World, hosts: &[HostId]) -> u64 {
    hosts.iter().map(|id| world.host(*id).snapshot().map_or(0, |view| view.wasted)).sum()
}

/// The endgame asks somebody faster, too, for what is slow to come, and cancels: what comes twice all the same must be little.
#[test]
fn the_end_of_a_download_from_ten_unequal_seeds_wastes_less_than_a_hundredth() {
    for seed in 510..514 {
        let torrent = torrent(512, 64);
        let mut world = World::new(seed);
        for kib in [20, 20, 40, 40, 80, 80, 160, 160, 320, 640] {
            world.add(Plan::seed(&torrent).access(Access::symmetric(kib * KIB, millis(10 + kib / 4))));
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
