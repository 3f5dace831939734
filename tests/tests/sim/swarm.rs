//! Swarms of good peers.

use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::types::{Bitfield, Piece};
use aqueduct_core::{Command, Config, Event, Phase};
use aqueduct_tests::sim::{Access, Host, HostId, Misbehavior, Plan, TORRENT, World};
use aqueduct_tests::torrent::Recipe;

use super::{KIB, millis, secs, torrent};

fn megabyte_line() -> Access {
    Access::symmetric(1 << 20, millis(20))
}

#[test]
fn a_hundred_engines_complete_from_one_seed() {
    let torrent = torrent(64, 32);
    let mut world = World::new(1);
    // With peer exchange every peer would connect to every other; a third of them is enough.
    let config = || Config {
        max_peers: 30,
        ..Config::default()
    };
    world.add(
        Plan::seed(&torrent)
            .access(megabyte_line())
            .config(config()),
    );
    let leeches = world.add_many(
        100,
        &Plan::leech(&torrent)
            .access(megabyte_line())
            .config(config()),
    );
    world.run_until_finished(secs(120), &leeches);
    world.run_for(secs(60));
    world.assert_nothing_unanswered();
}

#[test]
fn a_swarm_shares_the_work_of_its_seed() {
    let torrent = torrent(64, 32);
    let mut world = World::new(2);
    let seed = world.add(Plan::seed(&torrent).access(Access::symmetric(256 * KIB, millis(20))));
    let leeches = world.add_many(20, &Plan::leech(&torrent).access(megabyte_line()));
    world.run_until_finished(secs(120), &leeches);
    let (sent, needed) = (world.host(seed).blocks_sent(), 20 * 64 * 2);
    assert!(sent < needed / 4, "the seed sent {sent} of {needed} blocks");
}

fn fingerprint_of_a_busy_world(seed: u64) -> [u8; 20] {
    let torrent = torrent(32, 32);
    let mut world = World::encoded(seed);
    world.add(Plan::seed(&torrent).access(megabyte_line().lossy(0.01)));
    world.add(Plan::seed(&torrent).misbehavior(Misbehavior::Corrupt(3)));
    let leeches = world.add_many(
        10,
        &Plan::leech(&torrent).access(megabyte_line().lossy(0.02)),
    );
    world.after(secs(2), |world| world.kill(HostId(4)));
    world.after(secs(4), |world| world.restart(HostId(4)));
    world.run_until_finished(secs(300), &leeches);
    world.fingerprint()
}

#[test]
fn the_same_seed_gives_the_same_outputs_byte_for_byte() {
    let first = fingerprint_of_a_busy_world(3);
    assert_eq!(first, fingerprint_of_a_busy_world(3));
    assert_ne!(first, fingerprint_of_a_busy_world(4));
}

#[test]
fn encoded_messages_cut_at_any_byte_complete_a_swarm() {
    let torrent = torrent(40, 64);
    let mut world = World::encoded(5);
    world.add(Plan::seed(&torrent).access(megabyte_line()));
    let leeches = world.add_many(6, &Plan::leech(&torrent).access(megabyte_line()));
    world.run_until_finished(secs(120), &leeches);
    world.run_for(secs(60));
    world.assert_nothing_unanswered();
}

#[test]
fn losses_latency_and_slow_links_only_slow_a_swarm_down() {
    let torrent = torrent(48, 32);
    let mut world = World::encoded(6);
    world.add(Plan::seed(&torrent).access(Access::symmetric(150 * KIB, millis(150)).lossy(0.03)));
    let lines = [(20, 300), (100, 10), (1000, 100), (50, 80)];
    let plans = lines.map(|(kib, latency)| {
        Plan::leech(&torrent).access(Access::symmetric(kib * KIB, millis(latency)).lossy(0.02))
    });
    let leeches = plans.map(|plan| world.add(plan));
    world.run_until_finished(secs(400), &leeches);
}

#[test]
fn one_seed_and_one_leech_saturate_a_fast_link() {
    let torrent = torrent(64, 256);
    let mut world = World::new(7);
    world.add(Plan::seed(&torrent).access(Access::symmetric(4 << 20, millis(50))));
    let leech = world.add(Plan::leech(&torrent).access(Access::symmetric(4 << 20, millis(50))));
    world.run_until_finished(secs(60), &[leech]);
    let took = world.host(leech).finished().unwrap();
    assert!(
        took < secs(8),
        "16 MiB over 4 MiB/s with 200 ms of round trip took {took:?}"
    );
}

#[test]
fn a_magnet_link_fetches_its_metadata_and_then_its_data() {
    let torrent = torrent(32, 32);
    let mut world = World::encoded(8);
    world.add(Plan::seed(&torrent));
    let leech = world.add(Plan::leech(&torrent).magnet());
    world.run_until_finished(secs(60), &[leech]);
}

#[test]
fn a_swarm_of_magnet_links_gets_its_metadata_from_one_seed() {
    let torrent = torrent(32, 32);
    let mut world = World::new(9);
    world.add(Plan::seed(&torrent).access(megabyte_line()));
    let leeches = world.add_many(15, &Plan::leech(&torrent).magnet().access(megabyte_line()));
    world.run_until_finished(secs(120), &leeches);
}

fn pieces_in_order_of_arrival(host: &Host) -> Vec<u32> {
    let pieces = host.news().iter().filter_map(|(_, event)| match event {
        Event::Piece(_, piece) => Some(piece.get()),
        _ => None,
    });
    pieces.collect()
}

#[test]
fn sequential_pieces_come_in_order() {
    let torrent = torrent(64, 32);
    let mut world = World::new(10);
    world.add_many(
        3,
        &Plan::seed(&torrent).access(Access::symmetric(100 * KIB, millis(10))),
    );
    let leech = world.add(Plan::leech(&torrent).sequential());
    world.run_until_finished(secs(120), &[leech]);
    let order = pieces_in_order_of_arrival(world.host(leech));
    let early = (0u32..)
        .zip(&order)
        .map(|(at, piece)| piece.abs_diff(at))
        .max()
        .unwrap();
    assert!(
        early <= 12,
        "a piece came {early} places off its turn: {order:?}"
    );
}

#[test]
fn rarest_first_does_not_take_pieces_in_order() {
    let torrent = torrent(64, 32);
    let mut world = World::new(11);
    world.add(Plan::seed(&torrent).access(megabyte_line()));
    let leech = world.add(Plan::leech(&torrent));
    world.run_until_finished(secs(60), &[leech]);
    assert!(!pieces_in_order_of_arrival(world.host(leech)).is_sorted());
}

#[test]
fn only_wanted_files_are_fetched_until_the_others_are_wanted_too() {
    let files = [
        ("a", 300 * KIB),
        ("b", 500 * KIB + 1),
        ("c", 0),
        ("d", 400 * KIB),
    ];
    let torrent = Arc::new(Recipe::folder("selection", 12, &files, 32 * 1024).build());
    let mut world = World::new(12);
    world.add(Plan::seed(&torrent));
    let leech = world.add(Plan::leech(&torrent).wanted(vec![false, true, false, false]));
    world.run_until_finished(secs(60), &[leech]);
    let wanted = torrent
        .lengths()
        .pieces_of(300 * KIB, 500 * KIB + 1)
        .map(Piece::get)
        .collect::<Vec<_>>();
    let had = torrent
        .lengths()
        .iter()
        .filter(|p| world.host(leech).disk().has(*p))
        .map(Piece::get)
        .collect::<Vec<_>>();
    assert_eq!(had, wanted);
    world
        .command(leech, Command::Want(TORRENT, vec![true; 4]))
        .unwrap();
    world.run_until(secs(60), "all files are there", |world| {
        world.host(leech).disk().is_complete()
    });
}

fn time_with_limits(limited: usize, limit: Command) -> Duration {
    let torrent = torrent(64, 32);
    let mut world = World::new(13);
    let seed = world.add(Plan::seed(&torrent));
    let leech = world.add(Plan::leech(&torrent));
    world.command([seed, leech][limited], limit).unwrap();
    world.run_until_finished(secs(120), &[leech]);
    world.host(leech).finished().unwrap()
}

#[test]
fn rate_limits_hold_within_twenty_percent() {
    // 2 MiB at 100 KiB/s.
    let ideal = 20.48;
    let up = time_with_limits(
        0,
        Command::Limits {
            download: None,
            upload: Some(100 * KIB),
        },
    )
    .as_secs_f64();
    let down = time_with_limits(
        1,
        Command::Limits {
            download: Some(100 * KIB),
            upload: None,
        },
    )
    .as_secs_f64();
    assert!(
        up > ideal * 0.8 && up < ideal * 1.2 + 2.0,
        "upload limit: {up} s instead of {ideal}"
    );
    assert!(
        down > ideal * 0.8 && down < ideal * 1.2 + 2.0,
        "download limit: {down} s instead of {ideal}"
    );
}

#[test]
fn peers_that_upload_nothing_get_less_than_those_that_do() {
    let torrent = torrent(512, 32);
    let config = Config {
        unchoke_slots: 3,
        ..Config::default()
    };
    let mut world = World::new(16);
    // The leeches' upload is scarce, and the seed's is not. Otherwise spare capacity would go to
    // any peer.
    world.add(
        Plan::seed(&torrent)
            .config(config.clone())
            .access(Access::symmetric(80 * KIB, millis(20))),
    );
    let plan = Plan::leech(&torrent).config(config).access(Access {
        up: Some(40 * KIB),
        down: Some(1 << 20),
        latency: millis(20),
        loss: 0.0,
    });
    let givers = world.add_many(12, &plan);
    let takers = world.add_many(3, &plan.clone().misbehavior(Misbehavior::FreeRide));
    world.run_for(secs(180));
    let mean = |ids: &[HostId]| {
        ids.iter()
            .map(|id| world.host(*id).snapshot().unwrap().done)
            .sum::<u64>()
            / ids.len() as u64
    };
    let (given, taken) = (mean(&givers), mean(&takers));
    assert!(
        taken * 10 < given * 7,
        "givers have {given} bytes, takers {taken}"
    );
}

#[test]
fn a_finished_torrent_seeds_and_disconnects_from_seeds() {
    let torrent = torrent(16, 32);
    let mut world = World::new(15);
    let seed = world.add(Plan::seed(&torrent));
    let leech = world.add(Plan::leech(&torrent));
    world.run_until_finished(secs(60), &[leech]);
    world.run_for(secs(30));
    for id in [seed, leech] {
        let view = world.host(id).snapshot().unwrap();
        assert_eq!(
            (view.phase, view.peers, view.left),
            (Phase::Seeding, 0, 0),
            "{}",
            id.0
        );
        assert_eq!(view.have, Bitfield::all(16));
    }
}

#[test]
fn a_late_leech_downloads_from_former_leeches() {
    let torrent = torrent(32, 32);
    let mut world = World::new(16);
    let seed = world.add(Plan::seed(&torrent));
    let first = world.add(Plan::leech(&torrent));
    world.run_until_finished(secs(60), &[first]);
    world.kill(seed);
    let second = world.add(Plan::leech(&torrent));
    world.run_until_finished(secs(200), &[second]);
}

#[test]
fn peers_behind_a_router_are_reached_because_they_dial() {
    let torrent = torrent(32, 32);
    let mut world = World::new(17);
    world.add(Plan::seed(&torrent).unreachable());
    let leech = world.add(Plan::leech(&torrent));
    world.run_until_finished(secs(200), &[leech]);
}

#[test]
fn a_private_torrent_completes_without_offering_peer_exchange() {
    let torrent = Arc::new(
        Recipe::single("private.bin", 18, 1 << 20, 32 * 1024)
            .private()
            .build(),
    );
    let mut world = World::encoded(18);
    world.add(Plan::seed(&torrent));
    let leeches = world.add_many(4, &Plan::leech(&torrent));
    world.run_until_finished(secs(60), &leeches);
}
