//! Budgets, owners, and URLs that cannot be used.

use super::*;

#[test]
fn an_unusable_address_is_never_asked_and_says_why() {
    let mut world = World::with(&[
        &["wss://a/", "udp://b/announce", "http://0x7f.1/"],
        &["http://c/", "http://c/"],
    ]);
    assert_eq!(announce(&world.request(Start)).1, "c");
    let statuses = world.machine.tracker_status(KEY);
    assert_eq!(statuses.len(), 4, "doubles count once");
    assert!(
        statuses[..3]
            .iter()
            .all(|status| matches!(status.state, TrackerState::Failed(TrackerError::Url(_))))
    );
    assert_eq!(statuses[3].tier, 1);
}

#[test]
fn two_members_of_one_swarm_are_asked_for_and_told_apart() {
    let mut world = World::with(&[&["http://a/"]]);
    let other = Key { owner: 1, ..KEY };
    world.add(other, &[&["http://a/"]]);
    let (first, ..) = announce(&world.request(Start));
    world.machine.request(world.now, other, Start);
    let (second, ..) = announce(&world.said());
    assert_eq!(world.answer(second, peers(1800, None)), [Said::Peers(1, 1)]);
    assert_eq!(world.answer(first, peers(1800, None)), [Said::Peers(0, 1)]);
}

#[test]
fn a_bridge_asks_no_tracker_twice_a_minute_for_one_member_however_often_it_joins() {
    let minute = Duration::from_secs(60);
    let mut world = World::new(Config {
        min_interval_floor: minute,
        lookups: Some((1, Duration::from_secs(10))),
        ..Config::default()
    });
    world.add(KEY, &[&["http://a/"]]);
    let (first, ..) = announce(&world.request(Start));
    world.answer(first, peers(1800, Some(1)));
    announce(&world.remove());
    world.add(KEY, &[&["http://a/"]]);
    assert!(
        world
            .request(Start)
            .iter()
            .all(|said| matches!(said, Said::Cancel(_)))
    );
    announce(&world.tick());
    assert_eq!(world.seconds(), 60);
}

#[test]
fn lookups_wait_for_the_owners_budget() {
    let mut world = World::new(Config {
        lookups: Some((1, Duration::from_secs(10))),
        ..Config::default()
    });
    world.add(KEY, &[&["http://a/"], &["http://1.1.1.1/"], &["http://b/"]]);
    let (first, ..) = announce(&world.request(Start));
    let (second, literal, _) = announce(&world.fail(first));
    assert_eq!(literal, "1.1.1.1", "an address needs no lookup");
    assert_eq!(world.fail(second), []);
    assert_eq!(announce(&world.tick()).1, "b");
    assert_eq!(world.seconds(), 10);
}

#[test]
fn no_more_announces_are_under_way_than_allowed() {
    let mut world = World::new(Config {
        max_queries: 2,
        ..Config::default()
    });
    let keys: Vec<Key> = (0..5).map(|owner| Key { owner, ..KEY }).collect();
    for key in &keys {
        world.add(*key, &[&["http://a/"]]);
        world.machine.request(world.now, *key, Start);
    }
    let mut asked = 0;
    let mut open: Vec<QueryId> = Vec::new();
    loop {
        open.extend(world.said().into_iter().filter_map(|said| {
            if let Said::Get(id, _) = said {
                Some(id)
            } else {
                None
            }
        }));
        assert!(open.len() <= 2);
        let Some(id) = open.pop() else { break };
        asked += 1;
        world.machine.handle(
            world.now,
            Input::HttpResponse {
                id,
                result: peers(1800, None).map(fetched),
            },
        );
    }
    assert_eq!(asked, 5);
}

#[test]
fn an_owner_whose_trackers_hang_holds_up_no_other() {
    let mut world = World::new(Config {
        max_queries: 4,
        max_queries_per_owner: 2,
        ..Config::default()
    });
    let key = |owner, torrent| Key {
        owner,
        info_hash: InfoHashV1([torrent; 20]),
    };
    let asked = |world: &mut World, key| {
        world.add(key, &[&["http://a/"]]);
        world.machine.request(world.now, key, Start);
        world
            .said()
            .into_iter()
            .filter_map(|said| {
                if let Said::Get(id, _) = said {
                    Some(id)
                } else {
                    None
                }
            })
            .collect::<Vec<_>>()
    };
    let hanging: Vec<QueryId> = (0..10)
        .flat_map(|torrent| asked(&mut world, key(1, torrent)))
        .collect();
    assert_eq!(hanging.len(), 2, "more of one owner wait");
    assert_eq!(asked(&mut world, key(2, 0)).len(), 1);
    assert_eq!(asked(&mut world, key(2, 1)).len(), 1);
    assert_eq!(asked(&mut world, key(3, 0)).len(), 0, "there are four");
    let is_asking = |world: &World, key| world.machine.tracker_status(key)[0].asking;
    world.answer(hanging[0], peers(1800, None));
    assert!(
        is_asking(&world, key(3, 0)) && !is_asking(&world, key(1, 2)),
        "owners take turns"
    );
    world.answer(hanging[1], peers(1800, None));
    assert!(
        is_asking(&world, key(1, 2)) && !is_asking(&world, key(1, 3)),
        "and their torrents, in the order in which they came"
    );
}

#[test]
fn however_many_owners_have_trackers_that_hang_another_ones_is_asked_at_once_and_freed_places_go_around()
 {
    let mut world = World::new(Config {
        max_queries: 64,
        max_queries_per_owner: 8,
        patience: Duration::from_secs(3600),
        ..Config::default()
    });
    let key = |owner, torrent| Key {
        owner,
        info_hash: InfoHashV1([torrent; 20]),
    };
    let asked = |world: &mut World, key| {
        world.add(key, &[&["http://a/", "http://b/"]]);
        world.machine.request(world.now, key, Start);
        world
            .said()
            .into_iter()
            .filter_map(|said| {
                if let Said::Get(id, _) = said {
                    Some(id)
                } else {
                    None
                }
            })
            .collect::<Vec<_>>()
    };
    let mut hanging: Vec<QueryId> = (0..32)
        .flat_map(|torrent| (0..20).map(move |owner| key(owner, torrent)))
        .flat_map(|key| asked(&mut world, key))
        .collect();
    assert_eq!(
        hanging.len(),
        56,
        "an eighth is kept for those that have nothing"
    );
    for owner in 100..104 {
        assert_eq!(asked(&mut world, key(owner, 0)).len(), 1, "owner {owner}");
    }
    assert_eq!(
        asked(&mut world, key(100, 1)).len(),
        0,
        "its second one waits"
    );
    // Each failure makes the same torrent ask its next tracker, but not before other torrents had
    // their turn.
    let is_asking = |world: &World| {
        world
            .machine
            .tracker_status(key(100, 1))
            .iter()
            .any(|tracker| tracker.asking)
    };
    for _ in 0..4 + 20 {
        assert!(
            !is_asking(&world),
            "four places are kept, and twenty owners have waited longer"
        );
        world.fail(hanging.remove(0));
    }
    world.fail(hanging.remove(0));
    assert!(is_asking(&world));
}

#[test]
fn a_tracker_that_too_many_ask_is_put_off_without_a_failure() {
    let mut world = World::with(&[&["http://a/announce"]]);
    let (id, ..) = announce(&world.request(Start));
    assert_eq!(
        world.answer(id, Err(TrackerError::Busy(Duration::from_secs(7)))),
        []
    );
    assert_eq!(world.state(0), TrackerState::Idle);
    let (_, _, event) = announce(&world.tick());
    assert_eq!((event.as_str(), world.seconds()), ("started", 7));
}
