//! Parallel requests: dead trackers delay no others, and the order of BEP 12 determines the tracker
//! that is kept.

use super::*;

/// A torrent with one tracker per tier.
fn tiers(urls: &[String]) -> World {
    let tiers: Vec<[&str; 1]> = urls.iter().map(|url| [url.as_str()]).collect();
    World::with(&tiers.iter().map(<[&str; 1]>::as_slice).collect::<Vec<_>>())
}

/// The hosts that were asked over HTTP, with the ids of the requests.
fn asked(said: &[Said]) -> Vec<(String, QueryId)> {
    let get = |said: &Said| {
        if let Said::Get(id, url) = said {
            Some((url.split('/').nth(2)?.to_owned(), *id))
        } else {
            None
        }
    };
    said.iter().filter_map(get).collect()
}

/// Advances the time until this tracker is asked.
fn until(world: &mut World, said: &mut Vec<Said>, host: &str) -> QueryId {
    loop {
        if let Some((_, id)) = asked(said).into_iter().find(|(other, _)| other == host) {
            return id;
        }
        let more = world.tick();
        said.extend(more);
    }
}

#[test]
fn twelve_silent_trackers_hold_up_the_thirteenth_for_two_seconds_at_most() {
    for scheme in ["http", "udp"] {
        let silent = (0..12).map(|n| format!("{scheme}://9.9.9.{n}:1/announce"));
        let mut world = tiers(
            &silent
                .chain(["http://good/announce".to_owned()])
                .collect::<Vec<_>>(),
        );
        let mut said = world.request(Start);
        let good = until(&mut world, &mut said, "good");
        assert!(world.now <= Instant(2_000_000), "{scheme}: {:?}", world.now);
        assert_eq!(world.answer(good, peers(1800, None)), [Said::Peers(0, 1)]);
    }
}

#[test]
fn a_tracker_that_answers_soon_is_asked_alone() {
    let mut world = World::with(&[&["http://a/", "http://b/"], &["http://c/"]]);
    let (first, kept, _) = announce(&world.request(Start));
    world.now = Instant(400_000);
    world.answer(first, peers(1800, None));
    assert_eq!(announce(&world.tick()).1, kept);
    assert_eq!(world.now, Instant(1_800_400_000));
}

#[test]
fn of_trackers_that_name_peers_the_first_in_order_is_kept_and_only_that_one_asked_again() {
    let mut world = World::with(&[
        &["http://a/"],
        &["http://b/"],
        &["http://c/"],
        &["http://d/"],
    ]);
    let mut said = world.request(Start);
    let c = until(&mut world, &mut said, "c");
    let ids: BTreeMap<String, QueryId> = asked(&said).into_iter().collect();
    world.answer(c, peers(1800, None));
    assert_eq!(
        world.answer(ids["a"], peers(1800, None)),
        [Said::Peers(0, 1)],
        "a late answer counts"
    );
    assert_eq!(world.fail(ids["b"]), [], "with peers there is no need of d");
    let (again, host, _) = announce(&world.tick());
    assert_eq!(
        (host.as_str(), world.machine.poll_timeout().is_some()),
        ("a", true)
    );
    assert!(world.seconds() >= 1800);
    let gone: Vec<String> = asked(&world.fail(again))
        .into_iter()
        .map(|(host, _)| host)
        .collect();
    assert!(
        gone.contains(&"b".to_owned()) || gone.contains(&"c".to_owned()),
        "when it fails, others are asked at once: {gone:?}"
    );
}

#[test]
fn an_answer_ends_the_asking_of_others() {
    let urls: Vec<String> = (0..40).map(|n| format!("http://t{n}/announce")).collect();
    let mut world = tiers(&urls);
    let mut said = world.request(Start);
    let third = until(&mut world, &mut said, "t2");
    world.answer(third, peers(1800, None));
    let before = asked(&said).len();
    while world.machine.poll_timeout().unwrap().0 < Instant(1_700_000_000) {
        said.extend(world.tick());
    }
    assert_eq!(asked(&said).len(), before, "nobody is asked for 1700 s");
}

#[test]
fn no_more_are_asked_at_a_time_than_allowed_and_the_queue_is_withdrawn_with_the_first_answer() {
    let mut world = World::new(Config {
        max_queries: 5,
        max_queries_per_owner: 5,
        ..Config::default()
    });
    let urls: Vec<String> = (0..40).map(|n| format!("http://t{n}/announce")).collect();
    let tiers: Vec<[&str; 1]> = urls.iter().map(|url| [url.as_str()]).collect();
    world.add(
        KEY,
        &tiers.iter().map(<[&str; 1]>::as_slice).collect::<Vec<_>>(),
    );
    let mut said = world.request(Start);
    for _ in 0..20 {
        said.extend(world.pass(1));
    }
    let ids: Vec<QueryId> = asked(&said).into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), 5);
    assert_eq!(
        asked(&world.fail(ids[4])).len(),
        1,
        "a place that is free is taken"
    );
    world.answer(ids[0], peers(1800, None));
    let waiting = world
        .machine
        .schedule
        .get(KEY)
        .unwrap()
        .trackers
        .iter()
        .filter(|tracker| tracker.waiting)
        .count();
    assert_eq!((waiting, asked(&world.fail(ids[1]))), (0, Vec::new()));
}

#[test]
fn a_name_that_must_wait_for_the_budget_holds_up_no_address() {
    let mut world = World::new(Config {
        lookups: Some((1, Duration::from_secs(10))),
        ..Config::default()
    });
    world.add(
        KEY,
        &[
            &["http://a/"],
            &["http://b/"],
            &["http://1.1.1.1/"],
            &["http://c/"],
            &["http://2.2.2.2/"],
        ],
    );
    let (a, ..) = announce(&world.request(Start));
    let (literal, host, _) = announce(&world.fail(a));
    assert_eq!((host.as_str(), world.seconds()), ("1.1.1.1", 0));
    let said = world.pass(1);
    assert_eq!(
        asked(&said)
            .iter()
            .map(|(host, _)| host.as_str())
            .collect::<Vec<_>>(),
        ["2.2.2.2"],
        "c waits for the budget like b"
    );
    world.answer(literal, peers(1800, None));
    let planned = |index: usize| {
        world.machine.schedule.get(KEY).unwrap().trackers[index]
            .next
            .is_some()
    };
    assert_eq!(
        [1, 2, 3].map(planned),
        [true, true, false],
        "c comes after 1.1.1.1 and is no longer needed, b comes before it"
    );
}

#[test]
fn a_tracker_far_down_that_is_silent_once_is_not_waited_for() {
    let mut world = World::with(&[&["http://a/"], &["http://b/"], &["http://c/"]]);
    let (a, ..) = announce(&world.request(Start));
    world.answer(a, peers(1800, None));
    let (_, host, _) = announce(&world.request(More));
    assert_eq!(host, "b");
    assert_eq!(
        world.pass(3),
        [],
        "a has named peers: the silence of b leads to nobody"
    );
}

#[test]
fn a_kept_tracker_that_is_slow_to_answer_again_is_given_time() {
    let mut world = World::with(&[&["http://a/"], &["http://b/"]]);
    let (first, ..) = announce(&world.request(Start));
    world.answer(first, peers(1800, None));
    announce(&world.tick());
    assert_eq!(world.pass(4), []);
    assert_eq!(announce(&world.pass(1)).1, "b");
}

#[test]
fn more_peers_are_not_waited_for_from_those_that_are_silent() {
    let mut world = World::with(&[
        &["http://a/"],
        &["http://b/"],
        &["http://c/"],
        &["http://d/"],
    ]);
    let mut said = world.request(Start);
    let b = until(&mut world, &mut said, "b");
    assert_eq!(world.answer(b, peers(1800, None)), [Said::Peers(0, 1)]);
    assert_eq!(asked(&world.pass(5)), []);
    assert_eq!(
        announce(&world.request(More)).1,
        "d",
        "a and c, which was asked beside b, keep silent"
    );
}
