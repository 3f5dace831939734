//! Disks that fail, and power losses.

use aqueduct_core::types::Piece;
use aqueduct_core::{Command, Config, Event, Failure, OpError, Phase};
use aqueduct_tests::sim::{Access, Fault, HostId, Plan, TORRENT, World};

use super::{KIB, millis, secs, seeds, torrent};

fn failures(world: &World, id: HostId) -> Vec<Failure> {
    let failed = world
        .host(id)
        .news()
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Failed(_, failure) => Some(failure.clone()),
            _ => None,
        });
    failed.collect()
}

/// Runs until the host is complete. Whenever the torrent stops with an error, it is resumed, as a
/// user would.
fn finish_by_resuming(world: &mut World, id: HostId) {
    for _ in 0..10 {
        let stuck = |world: &World| {
            let host = world.host(id);
            host.finished().is_some()
                || host
                    .snapshot()
                    .is_some_and(|view| view.phase == Phase::Error)
        };
        world.run_until(secs(120), "it finishes or says why not", stuck);
        if world.host(id).finished().is_some() {
            assert!(world.host(id).disk().is_complete());
            return;
        }
        world.command(id, Command::Resume(TORRENT)).unwrap();
    }
    panic!("it failed again and again\n{}", world.report());
}

fn small_world(seed: u64, fault: Fault) -> (World, HostId) {
    let torrent = torrent(12, 32);
    let mut world = World::new(seed);
    world.add(Plan::seed(&torrent).access(Access::symmetric(400 * KIB, millis(5))));
    let leech = world.add_stopped(Plan::leech(&torrent));
    world.host_mut(leech).disk_mut().fault = fault;
    world.restart(leech);
    (world, leech)
}

#[test]
fn any_failing_storage_call_is_reported_and_the_download_can_continue() {
    let (mut world, leech) = small_world(200, Fault::None);
    world.run_until_finished(secs(60), &[leech]);
    world.run_for(secs(10));
    let calls = world.host(leech).disk().calls;
    assert!(calls >= 12, "only {calls} calls");
    for k in 0..calls {
        let (mut world, leech) = small_world(200, Fault::Call(k));
        finish_by_resuming(&mut world, leech);
        world.run_for(secs(10));
    }
}

#[test]
fn any_failing_storage_call_at_a_seed_harms_no_other_peer() {
    let torrent = torrent(12, 32);
    for k in 0..12 {
        let mut world = World::new(201);
        world.add(Plan::seed(&torrent));
        let failing = world.add(Plan::seed(&torrent));
        let calls = world.host(failing).disk().calls;
        world.host_mut(failing).disk_mut().fault = Fault::Call(calls + 12 + k);
        let leech = world.add(Plan::leech(&torrent));
        world.run_until_finished(secs(120), &[leech]);
    }
}

#[test]
fn a_full_disk_stops_with_one_error_and_continues_when_there_is_space() {
    let torrent = torrent(32, 32);
    let mut world = World::new(202);
    world.add(Plan::seed(&torrent).access(Access::symmetric(200 * KIB, millis(5))));
    let leech = world.add(Plan::leech(&torrent));
    world.host_mut(leech).disk_mut().fault = Fault::FullAfter(10 * 32 * KIB);
    world.run_for(secs(60));
    let failed = failures(&world, leech);
    assert!(
        matches!(
            &failed[..],
            [Failure::Storage(OpError::Storage { full: true, .. })]
        ),
        "{failed:?}"
    );
    assert_eq!(world.host(leech).snapshot().unwrap().phase, Phase::Error);
    world.host_mut(leech).disk_mut().fault = Fault::None;
    world.command(leech, Command::Resume(TORRENT)).unwrap();
    world.run_until_finished(secs(120), &[leech]);
}

#[test]
fn a_disk_that_stays_broken_never_stops_the_engine() {
    for from in [0, 3, 9, 20] {
        let (mut world, leech) = small_world(203, Fault::From(from));
        for _ in 0..5 {
            world.run_for(secs(20));
            let _ = world.command(leech, Command::Resume(TORRENT));
        }
        world.host_mut(leech).disk_mut().fault = Fault::None;
        let _ = world.command(leech, Command::Resume(TORRENT));
        finish_by_resuming(&mut world, leech);
    }
}

/// The pieces in a resume record are checked whenever one is saved. This test also checks the
/// pieces that a restarted host announces.
#[test]
fn after_a_power_loss_at_any_moment_every_recorded_piece_is_right() {
    for seed in seeds(210..235) {
        let torrent = torrent(64, 32);
        let config = Config {
            flush_interval: secs(1),
            max_unflushed: 8 * 32 * KIB,
            ..Config::default()
        };
        let mut world = World::new(seed);
        world.add(Plan::seed(&torrent).access(Access::symmetric(300 * KIB, millis(5))));
        let leech = world.add(Plan::leech(&torrent).config(config));
        for life in 0..6 {
            world.run_for(millis(300 + (seed * 7919 + life * 104_729) % 2500));
            world.kill(leech);
            world.run_for(millis(500));
            world.restart(leech);
        }
        world.run_until_finished(secs(120), &[leech]);
    }
}

#[test]
fn a_loss_of_power_costs_at_most_what_was_not_flushed() {
    let torrent = torrent(128, 32);
    let mut world = World::new(240);
    world.add(Plan::seed(&torrent).access(Access::symmetric(200 * KIB, millis(5))));
    let leech = world.add(Plan::leech(&torrent));
    world.run_for(secs(15));
    let before = u64::from(world.host(leech).snapshot().unwrap().have.count());
    world.kill(leech);
    let kept = u64::from(
        world
            .host(leech)
            .disk()
            .record()
            .map_or(0, |saved| saved.have.count()),
    );
    // A flush is due within 5 s, takes some time, and is followed by the record: 7 s at 200 KiB/s.
    let most = 7 * 200 / 32;
    assert!(
        kept + most >= before,
        "{before} pieces before, {kept} after: more than {most} lost"
    );
    world.restart(leech);
    world.run_until_finished(secs(120), &[leech]);
}

#[test]
fn pieces_damaged_between_two_runs_are_found_and_downloaded_again() {
    let torrent = torrent(32, 32);
    let mut world = World::new(241);
    world.add(Plan::seed(&torrent));
    // A seed without a resume record: all data are read and hashed first.
    let spoiled = world.add_stopped(Plan::seed(&torrent));
    for index in [0, 7, 31] {
        let piece = torrent.lengths().piece(index).unwrap();
        world.host_mut(spoiled).disk_mut().spoil(piece);
    }
    world.restart(spoiled);
    world.run_until(secs(30), "the check ends", |world| {
        checked(world, spoiled).is_some()
    });
    assert_eq!(checked(&world, spoiled), Some(29));
    world.run_until_finished(secs(60), &[spoiled]);
}

/// The world's invariants check that wrong data are neither served nor announced.
#[test]
fn pieces_edited_under_a_seed_are_not_served_and_downloaded_again_unless_seed_only() {
    let torrent = torrent(64, 32);
    for (seed, only) in [(243, false), (244, true)] {
        let mut world = World::new(seed);
        let [edited, other] = [200, 40].map(|kib| {
            world.add(Plan::seed(&torrent).access(Access::symmetric(kib * KIB, millis(10))))
        });
        if only {
            world.command(edited, Command::SeedOnly(TORRENT)).unwrap();
        }
        let leech = world.add(Plan::leech(&torrent));
        world.run_for(secs(3));
        let pieces: Vec<Piece> = torrent
            .lengths()
            .iter()
            .filter(|piece| piece.get().is_multiple_of(5))
            .collect();
        world.edit(edited, &pieces);
        world.run_until(secs(30), "it was checked again", |world| {
            rechecked(world, edited).is_some()
        });
        assert_eq!(rechecked(&world, edited), Some((64, 13)));
        world.run_until_finished(secs(120), &[leech]);
        assert!(world.host(other).blocks_sent() > 0 && world.host(leech).banned().is_empty());
        world.run_for(secs(60));
        assert_eq!(world.host(edited).disk().is_complete(), !only);
        assert_eq!(
            world.host(edited).snapshot().unwrap().have.count(),
            if only { 51 } else { 64 }
        );
    }
}

#[test]
fn a_download_that_is_edited_finishes_only_after_it_is_repaired() {
    let torrent = torrent(64, 32);
    let mut world = World::new(245);
    world.add(Plan::seed(&torrent).access(Access::symmetric(300 * KIB, millis(5))));
    let leech = world.add(Plan::leech(&torrent));
    world.run_until(secs(60), "the last piece is there", |world| {
        world.host(leech).disk().is_complete()
    });
    assert_eq!(world.host(leech).finished(), None, "it is not recorded yet");
    let pieces: Vec<Piece> = torrent.lengths().iter().take(20).collect();
    world.edit(leech, &pieces);
    world.run_until_finished(secs(60), &[leech]);
    assert!(world.host(leech).disk().is_complete());
}

fn rechecked(world: &World, id: HostId) -> Option<(u32, u32)> {
    world
        .host(id)
        .news()
        .iter()
        .find_map(|(_, event)| match event {
            Event::Rechecked(_, outcome) => Some((outcome.read, outcome.wrong)),
            _ => None,
        })
}

fn checked(world: &World, id: HostId) -> Option<u32> {
    world
        .host(id)
        .news()
        .iter()
        .find_map(|(_, event)| match event {
            Event::Checked(_, count) => Some(*count),
            _ => None,
        })
}

#[test]
fn shutting_down_flushes_and_records_everything() {
    let torrent = torrent(64, 32);
    let mut world = World::new(242);
    world.add(Plan::seed(&torrent).access(Access::symmetric(200 * KIB, millis(5))));
    let leech = world.add(Plan::leech(&torrent));
    world.run_for(secs(5));
    let had = world.host(leech).snapshot().unwrap().have;
    assert!(had.count() > 5);
    world.command(leech, Command::ShutDown).unwrap();
    let over = |world: &World| {
        world
            .host(leech)
            .news()
            .iter()
            .any(|(_, event)| *event == Event::ShutDown)
    };
    world.run_until(secs(10), "it shuts down", over);
    let record = world
        .host(leech)
        .disk()
        .record()
        .expect("a record was saved")
        .have
        .clone();
    let lost = had
        .ones()
        .filter_map(|index| torrent.lengths().piece(index))
        .find(|piece: &Piece| !record.has(*piece));
    assert_eq!(lost, None, "a piece that was had is not in the record");
    world.kill(leech);
    world.restart(leech);
    world.run_until_finished(secs(120), &[leech]);
}

#[test]
fn a_pause_flushes_everything_at_once() {
    let torrent = torrent(64, 32);
    let mut world = World::new(240);
    world.add(Plan::seed(&torrent).access(Access::symmetric(300 * KIB, millis(5))));
    let leech = world.add(Plan::leech(&torrent));
    world.run_for(millis(3300));
    world.command(leech, Command::Pause(TORRENT)).unwrap();
    world.run_for(millis(100));
    let had = world.host(leech).snapshot().unwrap().have.count();
    let recorded = world
        .host(leech)
        .disk()
        .record()
        .map_or(0, |saved| saved.have.count());
    assert!(had > 0);
    assert_eq!(recorded, had);
}
