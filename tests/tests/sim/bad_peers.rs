//! Bad peers among good ones.

use aqueduct_core::{Config, Phase};
use aqueduct_tests::sim::{Access, HostId, Misbehavior, Plan, World};

use super::{KIB, millis, secs, seeds, torrent};

fn line() -> Access {
    Access::symmetric(200 * KIB, millis(20))
}

/// A leech, four good seeds and a corrupt one. Returns the world once the leech is complete, with
/// the leech and the corrupt seed.
fn with_a_liar(seed: u64, misbehavior: Misbehavior) -> (World, HostId, HostId) {
    let torrent = torrent(96, 64);
    let mut world = World::new(seed);
    world.add_many(4, &Plan::seed(&torrent).access(line()));
    let liar = world.add(Plan::seed(&torrent).access(line()).misbehavior(misbehavior));
    let leech = world.add(Plan::leech(&torrent));
    world.run_until_finished(secs(300), &[leech]);
    (world, leech, liar)
}

#[test]
fn a_peer_that_sends_only_bad_blocks_is_banned_within_four_pieces_and_no_other() {
    for seed in seeds(100..108) {
        let (world, leech, liar) = with_a_liar(seed, Misbehavior::Corrupt(1));
        let banned = world.host(leech).banned();
        assert_eq!(
            banned.iter().map(|addr| addr.ip()).collect::<Vec<_>>(),
            [world.host(liar).addr().ip()]
        );
        let corrupt = world.host(leech).corrupt_pieces();
        assert!(corrupt <= 4, "{corrupt} bad pieces before the ban");
    }
}

#[test]
fn occasional_bad_blocks_are_never_blamed_on_another_peer() {
    for seed in seeds(110..118) {
        let (world, leech, liar) = with_a_liar(seed, Misbehavior::Corrupt(5));
        let liar = world.host(liar).addr().ip();
        assert!(
            world
                .host(leech)
                .banned()
                .iter()
                .all(|addr| addr.ip() == liar)
        );
        let corrupt = world.host(leech).corrupt_pieces();
        assert!(corrupt <= 4, "{corrupt} bad pieces");
    }
}

#[test]
fn the_only_source_of_a_bad_piece_is_banned_at_once() {
    let torrent = torrent(32, 64);
    let mut world = World::new(120);
    let liar = world.add(Plan::seed(&torrent).misbehavior(Misbehavior::Corrupt(1)));
    let leech = world.add(Plan::leech(&torrent));
    world.run_until(secs(30), "the liar is banned", |world| {
        !world.host(leech).banned().is_empty()
    });
    // Blocks that were in flight when the first piece failed may be wrong too, but no more are
    // requested.
    assert_eq!(
        world.host(leech).banned()[0].ip(),
        world.host(liar).addr().ip()
    );
    let asked = world.host(leech).corrupt_pieces();
    world.run_for(secs(300));
    assert_eq!(
        world.host(leech).corrupt_pieces(),
        asked,
        "a banned peer was asked again"
    );
    world.add(Plan::seed(&torrent));
    world.run_until_finished(secs(200), &[leech]);
}

#[test]
fn two_corrupt_peers_among_eight_do_not_get_the_good_ones_banned() {
    let torrent = torrent(96, 64);
    let mut world = World::new(121);
    world.add_many(6, &Plan::seed(&torrent).access(line()));
    let liars = world.add_many(
        2,
        &Plan::seed(&torrent)
            .access(line())
            .misbehavior(Misbehavior::Corrupt(2)),
    );
    let leeches = world.add_many(3, &Plan::leech(&torrent).access(line()));
    world.run_until_finished(secs(600), &leeches);
    for leech in leeches {
        let good = world.host(leech).banned().into_iter().find(|addr| {
            liars
                .iter()
                .all(|liar| world.host(*liar).addr().ip() != addr.ip())
        });
        assert_eq!(good, None, "a good peer was banned");
    }
}

#[test]
fn a_download_completes_with_nine_of_ten_peers_stalled() {
    for (seed, after) in [(130, 0), (131, 3), (132, 20)] {
        let torrent = torrent(64, 64);
        let mut world = World::new(seed);
        world.add_many(
            9,
            &Plan::seed(&torrent)
                .access(line())
                .misbehavior(Misbehavior::Stall(after)),
        );
        world.add(Plan::seed(&torrent).access(line()));
        let leech = world.add(Plan::leech(&torrent));
        world.run_until_finished(secs(150), &[leech]);
    }
}

#[test]
fn a_stalling_peer_costs_one_timeout_and_not_the_download() {
    let torrent = torrent(64, 64);
    let mut world = World::new(133);
    world.add(
        Plan::seed(&torrent)
            .access(line())
            .misbehavior(Misbehavior::Stall(5)),
    );
    world.add(Plan::seed(&torrent).access(line()));
    let leech = world.add(Plan::leech(&torrent));
    // 4 MiB at 200 KiB/s take 21 s. A stalled block is requested from another peer after 20 s.
    world.run_until_finished(secs(60), &[leech]);
}

#[test]
fn malformed_messages_harm_only_their_sender() {
    let torrent = torrent(48, 32);
    let mut world = World::encoded(140);
    world.add_many(2, &Plan::seed(&torrent).access(line()));
    world.add_many(
        3,
        &Plan::seed(&torrent)
            .access(line())
            .misbehavior(Misbehavior::InvalidMessages),
    );
    let leeches = world.add_many(3, &Plan::leech(&torrent).access(line()));
    world.run_until_finished(secs(120), &leeches);
}

#[test]
fn a_peer_that_sends_nothing_but_idle_messages_is_disconnected_and_delays_nobody() {
    let torrent = torrent(96, 64);
    let mut world = World::encoded(144);
    world.add(Plan::seed(&torrent).access(line()));
    let idle = Misbehavior::IdleMessages;
    world.add(Plan::leech(&torrent).misbehavior(idle));
    let leech = world.add(Plan::leech(&torrent));
    let peers = |world: &World| world.host(leech).snapshot().map(|view| view.peers);
    world.run_until(secs(5), "both are connected", |world| {
        peers(world) == Some(2)
    });
    world.run_until(secs(10), "the idle one is disconnected", |world| {
        peers(world) == Some(1)
    });
    world.run_until_finished(secs(60), &[leech]);
}

#[test]
fn forged_metadata_delay_a_magnet_by_at_most_ten_seconds() {
    let torrent = torrent(2000, 1);
    let start = |forgers: usize| {
        let mut world = World::encoded(141);
        world.add_many(
            forgers,
            &Plan::seed(&torrent).misbehavior(Misbehavior::ForgeMetadata),
        );
        world.add_many(5, &Plan::seed(&torrent));
        let leech = world.add(Plan::leech(&torrent).magnet());
        world.run_until_finished(secs(200), &[leech]);
        world.host(leech).finished().unwrap()
    };
    let (alone, forged) = (start(0), start(1));
    assert!(
        forged < alone + secs(10),
        "{alone:?} without a forger, {forged:?} with one"
    );
}

#[test]
fn dead_addresses_cost_little() {
    // Long enough that the first dials, most of which fail, do not determine the result.
    let torrent = torrent(256, 64);
    let start = |ghosts: u8| {
        let mut world = World::new(142);
        world.add_ghosts(ghosts);
        world.add_many(
            10,
            &Plan::seed(&torrent).access(Access::symmetric(20 * KIB, millis(20))),
        );
        let leech = world.add(Plan::leech(&torrent));
        world.run_until_finished(secs(300), &[leech]);
        world.host(leech).finished().unwrap()
    };
    let (alone, among) = (start(0), start(90));
    assert!(
        among.as_secs_f64() < alone.as_secs_f64() / 0.9,
        "{alone:?} without them, {among:?} with them"
    );
}

#[test]
fn connections_beyond_a_hosts_limit_are_closed_without_banning_anyone() {
    let torrent = torrent(32, 32);
    let mut world = World::new(143);
    let config = Config {
        max_peers: 10,
        ..Config::default()
    };
    let seed = world.add(Plan::seed(&torrent).config(config));
    let leeches = world.add_many(40, &Plan::leech(&torrent).access(line()));
    world.run_until_finished(secs(300), &leeches);
    assert_eq!(world.host(seed).snapshot().unwrap().phase, Phase::Seeding);
}
