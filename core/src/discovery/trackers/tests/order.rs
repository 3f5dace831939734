//! The order and times of requests: tiers (BEP 12), intervals, and leaving.

use super::*;

#[test]
fn an_announce_brings_peers_and_is_repeated_after_the_interval() {
    let mut world = World::with(&[&["http://a/announce"]]);
    assert_eq!(world.said(), []);
    let (id, host, event) = announce(&world.request(Start));
    assert_eq!((host.as_str(), event.as_str()), ("a", "started"));
    assert_eq!(world.answer(id, peers(900, None)), [Said::Peers(0, 1)]);
    assert_eq!(
        world.state(0),
        TrackerState::Ok {
            seeders: None,
            leechers: None,
            peers: 1
        }
    );
    assert_eq!(
        world.machine.poll_timeout(),
        Some((Instant(900_000_000), Reason::Announce))
    );
    assert_eq!(announce(&world.tick()).2, "none");
}

#[test]
fn a_failure_leads_to_the_rest_of_the_tier_and_then_to_the_next_tier_at_once() {
    let mut world = World::with(&[&["http://a/", "http://b/"], &["http://c/"]]);
    let (first, one, _) = announce(&world.request(Start));
    let (second, other, _) = announce(&world.fail(first));
    let mut tier = [one, other];
    tier.sort();
    assert_eq!(tier, ["a", "b"]);
    let (third, host, _) = announce(&world.answer(second, Ok(b"<html>".to_vec())));
    assert_eq!(host, "c");
    assert_eq!(world.seconds(), 0);
    world.answer(third, nobody());
    let summary = Summary::of(&world.machine.tracker_status(KEY)).to_string();
    assert_eq!(summary, "asked 3 trackers: 2 failed, 1 knows no peers");
}

#[test]
fn a_tier_is_shuffled_by_the_seed() {
    let first = |seed: u8| {
        let mut world = World {
            machine: Trackers::new(Config::default(), [seed; 32]),
            now: Instant::ZERO,
        };
        world.add(
            KEY,
            &[&["http://a/", "http://b/", "http://c/"], &["http://d/"]],
        );
        announce(&world.request(Start)).1
    };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    (0..60).for_each(|seed| *counts.entry(first(seed)).or_default() += 1);
    assert_eq!(counts.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert!(counts.values().all(|count| *count > 5), "{counts:?}");
}

#[test]
fn the_tracker_that_answers_is_the_first_of_its_tier_from_then_on() {
    let mut world = World::with(&[&["http://a/", "http://b/"]]);
    let (first, failing, _) = announce(&world.request(Start));
    let (second, answering, _) = announce(&world.fail(first));
    world.answer(second, peers(1800, None));
    assert_eq!(
        announce(&world.tick()).1,
        answering,
        "the failing one rests"
    );
    assert_eq!(world.seconds(), 1800);
    world.request(Stop);
    world.pass(60);
    assert_eq!(announce(&world.request(Start)).1, answering);
    assert_ne!(failing, answering);
}

#[test]
fn when_the_answering_tracker_fails_the_resting_ones_are_asked_again() {
    let mut world = World::with(&[&["http://a/", "http://b/"]]);
    let (first, failing, _) = announce(&world.request(Start));
    let (second, ..) = announce(&world.fail(first));
    world.answer(second, peers(1800, None));
    let (third, ..) = announce(&world.tick());
    let (_, host, _) = announce(&world.fail(third));
    assert_eq!((host, world.seconds()), (failing, 1800));
}

#[test]
fn a_silent_tracker_does_not_hold_up_the_next_one() {
    let mut world = World::with(&[&["http://a/"], &["http://b/"]]);
    let (first, ..) = announce(&world.request(Start));
    assert_eq!(announce(&world.tick()).1, "b");
    assert_eq!(world.now, Instant(500_000));
    assert_eq!(
        world.answer(first, peers(1800, None)),
        [Said::Peers(0, 1)],
        "a late answer counts"
    );
}

#[test]
fn a_tracker_without_peers_leads_to_the_next_tier() {
    let mut world = World::with(&[&["http://a/"], &["http://b/"], &["http://c/"]]);
    let (first, ..) = announce(&world.request(Start));
    let (second, host, _) = announce(&world.answer(first, nobody()));
    assert_eq!(host, "b");
    assert_eq!(
        world.answer(second, peers(1800, None)),
        [Said::Peers(0, 1)],
        "c is not asked"
    );
}

#[test]
fn more_is_asked_as_soon_as_the_minimum_interval_allows() {
    let mut world = World::with(&[&["http://a/"]]);
    let (first, ..) = announce(&world.request(Start));
    world.answer(first, peers(1800, Some(1)));
    assert_eq!(world.request(More), []);
    let (second, ..) = announce(&world.tick());
    assert_eq!(world.seconds(), 1);
    world.answer(second, peers(1800, None));
    assert_eq!(world.request(More), []);
    world.tick();
    assert_eq!(
        world.seconds(),
        61,
        "sixty seconds if the tracker names none"
    );
}

#[test]
fn more_leads_one_tier_further_if_nobody_may_be_asked_yet() {
    let mut world = World::with(&[&["http://a/"], &["http://b/"], &["http://c/"]]);
    let (first, ..) = announce(&world.request(Start));
    world.answer(first, peers(1800, None));
    let (second, host, _) = announce(&world.request(More));
    assert_eq!(host, "b");
    assert_eq!(world.request(More), [], "an answer is under way");
    world.answer(second, peers(1800, None));
    assert_eq!(announce(&world.request(More)).1, "c");
}

#[test]
fn intervals_have_bounds() {
    for (said, waited) in [(1, 60), (60, 60), (7000, 7000), (1_000_000, 7200)] {
        let mut world = World::with(&[&["http://a/"]]);
        let (id, ..) = announce(&world.request(Start));
        world.answer(id, peers(said, None));
        world.tick();
        assert_eq!(world.seconds(), waited);
    }
}

#[test]
fn completion_is_told_once_to_those_that_knew_us_incomplete() {
    let mut world = World::with(&[&["http://a/"]]);
    let (first, ..) = announce(&world.request(Start));
    world.machine.update(KEY, COMPLETE);
    assert_eq!(
        world.request(Completed),
        [],
        "while an announce is under way it waits"
    );
    let (second, _, event) = announce(&world.answer(first, peers(1800, None)));
    assert_eq!(
        (event.as_str(), world.seconds()),
        ("completed", 0),
        "it waits for no interval"
    );
    world.answer(second, peers(1800, None));
    assert_eq!(announce(&world.tick()).2, "none");

    let mut world = World::with(&[&["http://a/"]]);
    world.machine.update(KEY, COMPLETE);
    let (first, ..) = announce(&world.request(Start));
    world.answer(first, peers(1800, None));
    assert_eq!(world.request(Completed), [], "a seed from the start");
    assert_eq!(announce(&world.tick()).2, "none");
}

#[test]
fn leaving_is_told_to_those_that_know_us() {
    let mut world = World::with(&[&["http://a/"], &["http://b/"], &["http://c/"]]);
    let (first, ..) = announce(&world.request(Start));
    let (second, ..) = announce(&world.fail(first));
    world.answer(second, peers(1800, None));
    let (farewell, host, event) = announce(&world.request(Stop));
    assert_eq!((host.as_str(), event.as_str()), ("b", "stopped"));
    assert_eq!(
        world.answer(farewell, nobody()),
        [],
        "peers of a farewell are of no use, nor does it lead to c"
    );
    assert_eq!(world.remove(), [Said::Left(0)]);
    assert!(world.machine.is_empty());
    assert_eq!(world.machine.poll_timeout(), None);
}

#[test]
fn a_farewell_is_not_waited_for_longer_than_its_deadline() {
    let mut world = World::with(&[&["http://a/"]]);
    let (first, ..) = announce(&world.request(Start));
    world.answer(first, peers(1800, None));
    let (farewell, ..) = announce(&world.remove());
    assert_eq!(
        world.machine.poll_timeout(),
        Some((Instant(15_000_000), Reason::Farewell))
    );
    assert_eq!(world.tick(), [Said::Cancel(farewell), Said::Left(0)]);
}

#[test]
fn a_torrent_that_comes_back_cuts_its_farewell_short() {
    let mut world = World::with(&[&["http://a/"]]);
    let (first, ..) = announce(&world.request(Start));
    let said = world.remove();
    assert_eq!(said[0], Said::Cancel(first));
    let (farewell, _, event) = announce(&said);
    assert_eq!(event, "stopped", "the tracker may have heard of us");
    world.add(KEY, &[&["http://b/"]]);
    assert_eq!(world.said(), [Said::Cancel(farewell)]);
    assert_eq!(announce(&world.request(Start)).1, "b");
    let again = world.machine.add(
        world.now,
        KEY,
        Swarm {
            trackers: Vec::new(),
            peer_id: PeerId([0; 20]),
            port: 1,
            amounts: Amounts::default(),
            private: false,
        },
    );
    assert_eq!(again, Err(AddError::Duplicate(KEY.info_hash)));
}

#[test]
fn failures_are_retried_ever_more_rarely_up_to_an_hour() {
    let mut world = World::with(&[&["http://a/"]]);
    let (mut id, ..) = announce(&world.request(Start));
    let mut waits = Vec::new();
    for _ in 0..12 {
        let failed_at = world.now;
        world.fail(id);
        id = announce(&world.tick()).0;
        waits.push(world.now.since(failed_at).as_secs());
    }
    for (n, wait) in waits.iter().enumerate() {
        let most = (30 << n).min(3600);
        assert!((most / 2..=most).contains(wait), "{waits:?}");
    }
    assert!(
        waits[8..].windows(2).any(|pair| pair[0] != pair[1]),
        "without jitter: {waits:?}"
    );
}
