//! The events and amounts that trackers receive during a download.

use super::*;

impl World {
    fn update(&mut self, downloaded: u64, left: Option<u64>) {
        self.machine.update(
            KEY,
            Amounts {
                uploaded: downloaded / 2,
                downloaded,
                left,
            },
        );
    }
}

/// An argument of the only announce.
fn argument(said: &[Said], name: &str) -> String {
    let url = said
        .iter()
        .find_map(|said| {
            if let Said::Get(_, url) = said {
                Some(url)
            } else {
                None
            }
        })
        .expect("an announce");
    let value = url
        .split(['?', '&'])
        .find_map(|argument| argument.strip_prefix(&format!("{name}=")));
    value.unwrap_or_default().to_owned()
}

#[test]
fn a_download_that_ends_before_its_start_was_answered_is_told_complete_once_and_then_left() {
    let mut world = World::with(&[&["http://a/"]]);
    let (started, ..) = announce(&world.request(Start));
    world.update(100, Some(0));
    assert_eq!(world.request(Completed), []);
    assert_eq!(world.remove(), [], "the start is heard out");
    let said = world.answer(started, peers(1800, None));
    let (completed, _, event) = announce(&said);
    assert_eq!(
        (event.as_str(), argument(&said, "left").as_str()),
        ("completed", "0")
    );
    let (stopped, _, event) = announce(&world.answer(completed, peers(1800, None)));
    assert_eq!(event, "stopped");
    assert_eq!(world.answer(stopped, nobody()), [Said::Left(0)]);
    assert_eq!(world.seconds(), 0);
}

#[test]
fn a_download_that_ends_just_before_it_leaves_is_told_complete_once() {
    let mut world = World::with(&[&["http://a/"]]);
    let (started, ..) = announce(&world.request(Start));
    world.answer(started, peers(1800, None));
    world.update(100, Some(0));
    let (completed, _, event) = announce(&world.request(Completed));
    assert_eq!(event, "completed");
    assert_eq!(
        world.request(Stop),
        [],
        "an announce under way is heard out"
    );
    let (_, _, event) = announce(&world.fail(completed));
    assert_eq!(
        event, "stopped",
        "it may have heard the first one, although its answer is lost"
    );
}

#[test]
fn what_is_heard_out_has_a_deadline() {
    let mut world = World::with(&[&["http://a/"]]);
    let (started, ..) = announce(&world.request(Start));
    world.update(100, Some(0));
    world.request(Completed);
    world.remove();
    assert_eq!(
        world.machine.poll_timeout(),
        Some((Instant(15_000_000), Reason::Farewell))
    );
    assert_eq!(world.tick(), [Said::Cancel(started), Said::Left(0)]);
}

#[test]
fn a_selection_of_files_is_no_completed_download() {
    let mut world = World::with(&[&["http://a/"]]);
    let (started, ..) = announce(&world.request(Start));
    world.answer(started, peers(1800, None));
    world.update(60, Some(40));
    assert_eq!(world.request(Completed), []);
    assert_eq!(announce(&world.request(Stop)).2, "stopped");
}

#[test]
fn what_was_complete_when_it_started_or_became_so_in_flight_is_told_apart() {
    let mut world = World::with(&[&["http://a/"]]);
    world.update(0, Some(0));
    let (started, ..) = announce(&world.request(Start));
    world.answer(started, peers(1800, None));
    assert_eq!(world.request(Completed), [], "nothing was downloaded");

    let mut world = World::with(&[&["http://a/"]]);
    let (started, ..) = announce(&world.request(Start));
    world.update(100, Some(0));
    world.answer(started, peers(1800, None));
    assert_eq!(
        announce(&world.request(Completed)).2,
        "completed",
        "the start said that something was missing"
    );
}

#[test]
fn a_new_start_tells_nothing_of_earlier_runs() {
    let mut world = World::with(&[&["http://a/"]]);
    world.update(1000, Some(500));
    let said = world.request(Start);
    assert_eq!(
        (argument(&said, "downloaded"), argument(&said, "uploaded")),
        ("0".to_owned(), "0".to_owned())
    );
    let (started, ..) = announce(&said);
    world.answer(started, peers(1800, None));
    world.update(1100, Some(400));
    let said = world.tick();
    assert_eq!(
        (
            argument(&said, "downloaded"),
            argument(&said, "uploaded"),
            argument(&said, "left")
        ),
        ("100".into(), "50".into(), "400".into())
    );
    let (id, ..) = announce(&said);
    world.answer(id, peers(1800, None));
    let (stopped, ..) = announce(&world.request(Stop));
    world.answer(stopped, nobody());
    world.pass(60);
    assert_eq!(
        argument(&world.request(Start), "downloaded"),
        "0",
        "after a pause, too"
    );
}

#[test]
fn an_interval_of_zero_is_no_invitation() {
    let mut world = World::with(&[&["http://a/"]]);
    let (first, ..) = announce(&world.request(Start));
    world.answer(first, peers(0, Some(0)));
    assert_eq!(
        world.machine.poll_timeout().unwrap().0,
        Instant(1_800_000_000)
    );
    for second in 1..60 {
        assert_eq!(world.pass(1), [], "{second}");
        assert_eq!(world.request(More), [], "{second}");
    }
    assert_eq!(announce(&world.pass(1)).2, "none");
}

#[test]
fn trackers_beyond_the_limit_are_told_as_not_asked() {
    let mut world = World::new(Config {
        max_trackers: 2,
        ..Config::default()
    });
    world.add(
        KEY,
        &[
            &["http://a/"],
            &["http://b/"],
            &["http://c/"],
            &["http://d/", "http://a/"],
        ],
    );
    let (_, host, _) = announce(&world.request(Start));
    let statuses = world.machine.tracker_status(KEY);
    assert_eq!(
        (host.as_str(), statuses.len(), statuses[2].url.as_str()),
        ("a", 3, "http://c/")
    );
    assert_eq!(
        world.state(2),
        TrackerState::Failed(TrackerError::TooMany { limit: 2, more: 2 })
    );
}

#[test]
fn what_cannot_be_asked_is_told_at_the_start_and_each_result_once() {
    let mut world = World::with(&[&["wss://a/"], &["http://b/"]]);
    let ended = |world: &mut World| -> Vec<usize> {
        let outputs: Vec<Output> = std::iter::from_fn(|| world.machine.poll_output()).collect();
        let end = |output: &Output| {
            if let Output::Status {
                index, ended: true, ..
            } = output
            {
                Some(*index)
            } else {
                None
            }
        };
        outputs.iter().filter_map(end).collect()
    };
    world.machine.request(world.now, KEY, Start);
    assert_eq!(ended(&mut world), [0]);
    world.machine.handle(
        world.now,
        Input::HttpResponse {
            id: QueryId(0),
            result: peers(1800, None).map(fetched),
        },
    );
    assert_eq!(ended(&mut world), [1]);
    world.machine.request(world.now, KEY, Stop);
    world.machine.handle(
        world.now,
        Input::HttpResponse {
            id: QueryId(1),
            result: peers(1800, None).map(fetched),
        },
    );
    assert_eq!(ended(&mut world), [], "a farewell brings nothing");
}

#[test]
fn a_udp_tracker_that_stays_silent_is_told_of_while_it_is_still_asked() {
    let mut world = World::with(&[&["udp://9.9.9.9:1/"]]);
    let said = world.request(Start);
    let [Said::Resolve(id, _)] = said[..] else {
        panic!("{said:?}")
    };
    world.machine.handle(
        world.now,
        Input::Resolved {
            id,
            result: Ok(vec!["9.9.9.9:1".parse().unwrap()]),
        },
    );
    world.said();
    for (seconds, told) in [(1, 0), (5, 1), (5, 0)] {
        world.now = world.now + Duration::from_secs(seconds);
        world.machine.handle(world.now, Input::Timeout);
        let outputs: Vec<Output> = std::iter::from_fn(|| world.machine.poll_output()).collect();
        let silent = |output: &&Output| matches!(output, Output::Status { ended: true, status, .. } if status.asking);
        assert_eq!(outputs.iter().filter(silent).count(), told, "{seconds}");
    }
}

#[test]
fn peers_with_host_names_are_looked_up_within_the_budget() {
    let mut world = World::new(Config {
        lookups: Some((2, Duration::from_secs(10))),
        ..Config::default()
    });
    world.add(KEY, &[&["http://1.1.1.1/"], &["http://2.2.2.2/"]]);
    let (id, ..) = announce(&world.request(Start));
    let body = b"d5:peersld2:ip12:peer.example4:porti7eed2:ip12:mate.example4:porti8eed2:ip12:last.example4:porti9eeee".to_vec();
    let said = world.answer(id, Ok(body));
    let [Said::Resolve(peer, name), Said::Resolve(mate, _)] = &said[..] else {
        panic!("{said:?}")
    };
    assert_eq!(name, "peer.example:7");
    world.machine.handle(
        world.now,
        Input::Resolved {
            id: *peer,
            result: Ok(vec!["7.7.7.7:7".parse().unwrap()]),
        },
    );
    assert_eq!(world.said(), [Said::Peers(0, 1)]);
    world.machine.handle(
        world.now,
        Input::Resolved {
            id: *peer,
            result: Ok(vec!["7.7.7.7:7".parse().unwrap()]),
        },
    );
    assert_eq!(world.said(), [], "an answer counts once");
    assert!(world.request(Stop).contains(&Said::Cancel(*mate)));
}

#[test]
fn a_tracker_that_lists_another_port_is_told_the_new_one_when_its_interval_permits() {
    let mut world = World::with(&[&["http://a/"]]);
    let said = world.request(Start);
    let (started, ..) = announce(&said);
    assert_eq!(argument(&said, "port"), "6881");
    // The port changes while the first announce is under way, and again after its answer.
    world.machine.set_port(world.now, KEY, 7000);
    assert_eq!(world.said(), []);
    world.answer(started, peers(1800, Some(60)));
    let said = world.tick();
    assert_eq!(
        (world.seconds(), argument(&said, "port")),
        (60, "7000".to_owned())
    );
    let (again, ..) = announce(&said);
    world.answer(again, peers(1800, Some(60)));
    world.pass(10);
    world.machine.set_port(world.now, KEY, 7001);
    let said = world.tick();
    assert_eq!(
        (world.seconds(), argument(&said, "port")),
        (120, "7001".to_owned())
    );
    let (last, ..) = announce(&said);
    world.answer(last, peers(1800, Some(60)));
    world.tick();
    assert_eq!(world.seconds(), 120 + 1800, "it knows the port now");
}
