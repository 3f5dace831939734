//! Many small worlds, each with a random mixture of faults.

use aqueduct_core::{Command, Phase};
use aqueduct_tests::sim::{Access, Fault, HostId, Misbehavior, Plan, TORRENT, World};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{KIB, millis, secs, seeds, torrent};

fn some_access(rng: &mut ChaCha8Rng) -> Access {
    let access = Access::symmetric(
        rng.random_range(30..2000) * KIB,
        millis(rng.random_range(1..200)),
    );
    access.lossy(if rng.random_bool(0.3) { 0.03 } else { 0.0 })
}

fn some_misbehavior(rng: &mut ChaCha8Rng) -> Misbehavior {
    match rng.random_range(0..5) {
        0 => Misbehavior::Corrupt(rng.random_range(1..6)),
        1 => Misbehavior::Stall(rng.random_range(0..30)),
        2 => Misbehavior::FreeRide,
        3 => Misbehavior::InvalidMessages,
        _ => Misbehavior::ForgeMetadata,
    }
}

/// A random event that affects a host from outside.
fn some_event(world: &mut World, rng: &mut ChaCha8Rng, id: HostId) {
    match rng.random_range(0..4) {
        0 => {
            world.kill(id);
            world.after(millis(rng.random_range(100..5000)), move |world| {
                world.restart(id)
            });
            world.run_for(secs(5));
        }
        1 => world.cut_line(id, millis(rng.random_range(100..20_000))),
        2 => {
            let calls = world.host(id).disk().calls;
            world.host_mut(id).disk_mut().fault = Fault::Call(calls + rng.random_range(0..10));
        }
        _ => {
            let _ = world.command(id, Command::Pause(TORRENT));
            world.run_for(millis(rng.random_range(0..3000)));
            let _ = world.command(id, Command::Resume(TORRENT));
        }
    }
}

/// Resumes torrents that stopped with an error, as users would.
fn resume_the_failed(world: &mut World, hosts: &[HostId]) {
    for id in hosts {
        if world
            .host(*id)
            .snapshot()
            .is_some_and(|view| view.phase == Phase::Error)
        {
            world.command(*id, Command::Resume(TORRENT)).unwrap();
        }
    }
}

fn troubled_world(seed: u64) {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed ^ 0x7_0B1E);
    let torrent = torrent(
        rng.random_range(1..60),
        [1, 16, 33, 64][rng.random_range(0..4)],
    );
    let mut world = if rng.random_bool(0.5) {
        World::encoded(seed)
    } else {
        World::new(seed)
    };
    world.add(Plan::seed(&torrent).access(Access::symmetric(500 * KIB, millis(10))));
    for _ in 0..rng.random_range(0..4) {
        world.add(
            Plan::seed(&torrent)
                .access(some_access(rng))
                .misbehavior(some_misbehavior(rng)),
        );
    }
    let plans = (0..rng.random_range(1..7)).map(|_| {
        let plan = Plan::leech(&torrent).access(some_access(rng));
        if rng.random_bool(0.3) {
            plan.magnet()
        } else {
            plan
        }
    });
    let leeches = plans
        .collect::<Vec<_>>()
        .into_iter()
        .map(|plan| world.add(plan))
        .collect::<Vec<_>>();
    for _ in 0..rng.random_range(0..6) {
        world.run_for(millis(rng.random_range(0..4000)));
        let victim = leeches[rng.random_range(0..leeches.len())];
        some_event(&mut world, rng, victim);
    }
    for _ in 0..60 {
        world.run_for(secs(10));
        resume_the_failed(&mut world, &leeches);
    }
    world.run_until_finished(secs(600), &leeches);
}

#[test]
fn with_random_faults_every_leech_ends_with_the_right_bytes() {
    for seed in seeds(1000..1060) {
        troubled_world(seed);
    }
}

#[test]
fn a_swarm_with_constant_churn_completes() {
    let torrent = torrent(64, 32);
    let mut world = World::new(400);
    let access = Access::symmetric(200 * KIB, millis(30));
    world.add(Plan::seed(&torrent).access(access));
    let leeches = world.add_many(25, &Plan::leech(&torrent).access(access));
    for round in 0..40 {
        world.run_for(millis(700));
        let leaver = leeches[(round * 7) % leeches.len()];
        world.kill(leaver);
        world.after(secs(2), move |world| world.restart(leaver));
        if (round + 1) % 3 == 0 {
            world.run_for(millis(2100));
        }
    }
    world.run_until_finished(secs(300), &leeches);
}
