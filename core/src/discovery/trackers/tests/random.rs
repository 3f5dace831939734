//! Random sequences of inputs.

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};

use super::*;

/// A step of a random run.
fn step(world: &mut World, open: &mut Vec<QueryId>, action: u8, choice: u8) -> Vec<Output> {
    let key = Key {
        owner: u64::from(choice % 3),
        ..KEY
    };
    match action % 8 {
        0 => drop(world.machine.add(world.now, key, random_swarm(choice))),
        1 => world.machine.request(
            world.now,
            key,
            [Start, Start, More, Completed, Stop][usize::from(choice) % 5],
        ),
        2 => world.machine.remove(world.now, key),
        3 => world.now = world.now + Duration::from_secs(u64::from(choice)),
        4 => {
            world.now = world
                .machine
                .poll_timeout()
                .map_or(world.now, |(at, _)| at.max(world.now))
        }
        _ if open.is_empty() => {}
        _ => {
            let id = open.remove(usize::from(choice) % open.len());
            let body = [
                peers(1800, Some(1)),
                nobody(),
                Err(TrackerError::Html),
                Ok(b"?".to_vec()),
            ][usize::from(choice) % 4]
                .clone();
            let addr = SocketAddr::from(([1, 1, 1, choice], 80));
            let resolved = if choice.is_multiple_of(2) {
                Ok(vec![addr])
            } else {
                Err(TrackerError::Html)
            };
            world.machine.handle(
                world.now,
                Input::HttpResponse {
                    id,
                    result: body.map(fetched),
                },
            );
            world.machine.handle(
                world.now,
                Input::Resolved {
                    id,
                    result: resolved,
                },
            );
        }
    }
    world.machine.handle(world.now, Input::Timeout);
    let outputs: Vec<Output> = std::iter::from_fn(|| world.machine.poll_output()).collect();
    open.extend(outputs.iter().filter_map(|output| match output {
        Output::Net(Request::HttpGet { id, .. } | Request::Resolve { id, .. }) => Some(*id),
        _ => None,
    }));
    outputs
}

fn random_swarm(choice: u8) -> Swarm {
    let tiers = [
        &["http://a/", "udp://b:1/"][..],
        &["udp://9.9.9.9:1/", "nonsense"],
        &["http://c/"],
    ];
    let trackers = tiers[..usize::from(choice) % 4]
        .iter()
        .map(|tier| tier.iter().map(|url| (*url).to_owned()).collect())
        .collect();
    Swarm {
        trackers,
        peer_id: PeerId([0; 20]),
        port: 1,
        amounts: Amounts::default(),
        private: false,
    }
}

fn run(steps: &[(u8, u8)], config: Config) -> (World, Vec<Output>) {
    let mut world = World::new(config);
    let mut open = Vec::new();
    let outputs = steps
        .iter()
        .flat_map(|(action, choice)| step(&mut world, &mut open, *action, *choice))
        .collect();
    (world, outputs)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_happens_every_torrent_can_leave_and_nothing_is_left_behind(steps in vec(any::<(u8, u8)>(), 0..120), max_queries in 1usize..4) {
        let config = Config { max_queries, max_queries_per_owner: 2, lookups: Some((2, Duration::from_secs(10))), ..Config::default() };
        let (mut world, _) = run(&steps, config);
        (0..3).for_each(|owner| world.machine.remove(world.now, Key { owner, ..KEY }));
        for _ in 0..100 {
            let Some((at, _)) = world.machine.poll_timeout() else { break };
            world.now = at.max(world.now);
            world.machine.handle(world.now, Input::Timeout);
        }
        assert!(world.machine.is_empty());
        assert_eq!(world.machine.poll_timeout(), None);
    }

    #[test]
    fn the_same_seed_and_calls_give_the_same_outputs(steps in vec(any::<(u8, u8)>(), 0..60)) {
        assert_eq!(run(&steps, Config::default()).1, run(&steps, Config::default()).1);
    }
}
