//! Interruptions during a torrent's life: by users, routers, and suspended machines.

use aqueduct_core::{Command, CommandError, Phase};
use aqueduct_tests::sim::{Access, HostId, Plan, TORRENT, World};

use super::{KIB, millis, secs, torrent};

fn pair(seed: u64) -> (World, HostId, HostId) {
    let torrent = torrent(64, 32);
    let mut world = World::new(seed);
    let access = Access::symmetric(100 * KIB, millis(20));
    let seed = world.add(Plan::seed(&torrent).access(access));
    let leech = world.add(Plan::leech(&torrent).access(access));
    (world, seed, leech)
}

#[test]
fn a_paused_torrent_has_no_peers_and_takes_nothing_until_it_is_resumed() {
    let (mut world, _, leech) = pair(300);
    world.run_for(secs(5));
    world.command(leech, Command::Pause(TORRENT)).unwrap();
    world.run_for(secs(5));
    let paused = world.host(leech).snapshot().unwrap();
    assert_eq!((paused.phase, paused.peers), (Phase::Paused, 0));
    world.run_for(secs(60));
    assert_eq!(world.host(leech).snapshot().unwrap().done, paused.done);
    world.command(leech, Command::Resume(TORRENT)).unwrap();
    world.run_until_finished(secs(120), &[leech]);
}

#[test]
fn a_removed_torrent_may_be_added_again() {
    let (mut world, _, leech) = pair(301);
    world.run_for(secs(5));
    world.command(leech, Command::Remove(TORRENT)).unwrap();
    assert!(world.host(leech).snapshot().is_none());
    assert_eq!(
        world.command(leech, Command::Pause(TORRENT)),
        Err(CommandError::NoSuchTorrent(TORRENT))
    );
    world.run_for(secs(60));
    world.kill(leech);
    world.restart(leech);
    world.run_until_finished(secs(200), &[leech]);
}

#[test]
fn five_seconds_without_network_lose_nothing() {
    let (mut world, seed, leech) = pair(302);
    world.run_for(secs(5));
    world.cut_line(leech, secs(5));
    world.run_until_finished(secs(60), &[leech]);
    let (sent, blocks) = (world.host(seed).blocks_sent(), 64 * 2);
    assert!(sent <= blocks + 4, "{sent} blocks were sent for {blocks}");
}

#[test]
fn after_a_minute_without_network_a_download_continues_within_ten_seconds() {
    let (mut world, _, leech) = pair(303);
    world.run_for(secs(5));
    world.cut_line(leech, secs(60));
    world.run_for(secs(60));
    let before = world.host(leech).snapshot().unwrap().done;
    world.run_for(secs(10));
    let after = world.host(leech).snapshot().unwrap().done;
    assert!(
        after > before + 100 * KIB,
        "{before} bytes when the network came back, {after} ten seconds later"
    );
    world.run_until_finished(secs(60), &[leech]);
}

#[test]
fn after_ten_minutes_without_network_peers_are_dialled_again() {
    let (mut world, _, leech) = pair(304);
    world.run_for(secs(5));
    world.cut_line(leech, secs(600));
    world.run_for(secs(600));
    world.run_until_finished(secs(180), &[leech]);
}

/// A laptop that is closed overnight: hours pass between two calls, and every peer has closed its
/// connection.
#[test]
fn a_machine_that_slept_for_eight_hours_downloads_again_within_ten_seconds() {
    let (mut world, _, leech) = pair(307);
    world.run_for(secs(5));
    let night = secs(8 * 3600);
    world.sleep(leech, night);
    world.run_for(night);
    let before = world.host(leech).snapshot().unwrap().done;
    world.run_for(secs(10));
    let after = world.host(leech).snapshot().unwrap().done;
    assert!(
        after > before + 100 * KIB,
        "{before} bytes in the morning, {after} ten seconds later"
    );
    world.run_until_finished(secs(60), &[leech]);
}

#[test]
fn a_seed_that_vanishes_and_comes_back_is_found_again() {
    let (mut world, seed, leech) = pair(305);
    world.run_for(secs(5));
    world.kill(seed);
    world.run_for(secs(120));
    world.restart(seed);
    world.run_until_finished(secs(240), &[leech]);
}

#[test]
fn a_paused_torrent_dials_nothing_and_needs_no_timer() {
    let (mut world, _, leech) = pair(306);
    world.command(leech, Command::Pause(TORRENT)).unwrap();
    world.run_for(secs(600));
    let view = world.host(leech).snapshot().unwrap();
    assert_eq!((view.peers, view.dialling), (0, 0));
}
