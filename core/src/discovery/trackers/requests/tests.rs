use rand::SeedableRng;

use super::*;
use crate::types::InfoHashV1;

const KEY: Key = Key {
    info_hash: InfoHashV1([1; 20]),
    owner: 3,
};

fn at(seconds: u64) -> Instant {
    Instant(seconds * 1_000_000)
}

fn open(requests: &mut Requests, destination: Destination, wait: Wait) -> QueryId {
    let question = Question {
        key: KEY,
        tracker: 0,
        ask: Ask::Scrape(KEY.info_hash),
        destination,
        wait,
        other_family: None,
    };
    let mut outputs = VecDeque::new();
    let id = requests.open(at(0), question, &mut outputs);
    let owner = outputs.back().and_then(owner);
    assert_eq!(owner, Some(KEY.owner), "{outputs:?}");
    id
}

fn owner(output: &Output) -> Option<u64> {
    match output {
        Output::Net(
            Request::HttpGet { owner, .. }
            | Request::Resolve { owner, .. }
            | Request::UdpSend { owner, .. },
        ) => Some(*owner),
        _ => None,
    }
}

fn requests() -> Requests {
    Requests::new(&Config::default(), ChaCha8Rng::from_seed([1; 32]))
}

fn events(requests: &mut Requests, now: Instant) -> Vec<Event> {
    while requests.handle_timeout(now, &mut VecDeque::new()) {}
    std::iter::from_fn(|| requests.poll_event()).collect()
}

fn udp() -> Destination {
    Destination::Addrs {
        addrs: vec!["9.9.9.9:1".parse().unwrap()],
        path: String::new(),
    }
}

#[test]
fn a_silent_datagram_is_slow_first_and_then_holds_up_nobody() {
    let mut requests = requests();
    let id = open(&mut requests, udp(), Wait::First);
    assert!(requests.is_prompt(id) && requests.is_open(id));
    assert!(matches!(
        events(&mut requests, at(1))[..],
        [Event::Slow(KEY)]
    ));
    assert!(!requests.is_prompt(id));
    assert!(matches!(
        events(&mut requests, at(6))[..],
        [Event::Silent(KEY, 0)]
    ));
    assert!(requests.is_open(id), "its answer still counts");
}

#[test]
fn what_is_waited_for_before_leaving_is_given_up_at_last() {
    let mut requests = requests();
    let url = String::new();
    let http = Destination::Http { url, family: None };
    let id = open(&mut requests, http, Wait::Again);
    requests.wait_before_leaving(at(1), id);
    assert!(events(&mut requests, at(15)).is_empty());
    assert!(matches!(
        events(&mut requests, at(16))[..],
        [Event::GivenUp(_)]
    ));
    assert_eq!(
        (requests.is_open(id), requests.poll_timeout()),
        (false, None)
    );
}

#[test]
fn a_tracker_whose_addresses_cannot_be_reached_has_failed() {
    let mut requests = requests();
    open(&mut requests, udp(), Wait::First);
    let to = Endpoint::Addr("9.9.9.9:1".parse().unwrap());
    requests.handle_unreachable(at(0), &to, "closed", &mut VecDeque::new());
    let events = events(&mut requests, at(0));
    let [Event::Over { result, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert!(matches!(result, Err(TrackerError::Unreachable(_))));
}

/// Requests with one slot for the owner of [`KEY`], which is freed a fixed time after its request
/// started.
fn timed() -> Requests {
    let config = Config {
        max_queries_per_owner: 1,
        unanswered_place: Some(Duration::from_secs(4)),
        ..Config::default()
    };
    Requests::new(&config, ChaCha8Rng::from_seed([1; 32]))
}

fn http() -> Destination {
    let url = String::new();
    Destination::Http { url, family: None }
}

/// For each tenth of a second, whether another tracker of the same torrent is asked, and whether
/// the owner may ask another one.
fn seen(fails_at: Option<u64>, destination: Destination) -> Vec<(usize, bool)> {
    let mut requests = timed();
    let id = open(&mut requests, destination, Wait::First);
    let tenths = (0..60).map(|tenth| {
        let now = Instant(tenth * 100_000);
        if fails_at == Some(tenth) {
            let error = TrackerError::Unreachable("connection refused".to_owned());
            requests.end(id, Err(error), None);
        }
        let slow = |event: &Event| matches!(event, Event::Slow(KEY));
        let asked = events(&mut requests, now).into_iter().filter(slow).count();
        (asked, requests.queue().admits(KEY.owner))
    });
    tenths.collect()
}

#[test]
fn where_failures_are_not_told_what_is_asked_next_does_not_depend_on_how_a_tracker_failed() {
    for destination in [http, udp] {
        let silent = seen(None, destination());
        let asked = |seen: &[(usize, bool)]| seen.iter().map(|(asked, _)| asked).sum::<usize>();
        assert_eq!(asked(&silent), 1, "{silent:?}");
        assert!(!silent[39].1 && silent[40].1, "{silent:?}");
        for fails_at in [0, 3, 7, 30, 50] {
            assert_eq!(seen(Some(fails_at), destination()), silent, "{fails_at}");
        }
    }
}

#[test]
fn an_owner_whose_trackers_hang_loses_the_oldest_request_for_each_beyond_its_bound() {
    let mut requests = timed();
    let ids: Vec<QueryId> = (0..4)
        .map(|_| open(&mut requests, http(), Wait::First))
        .collect();
    let events = events(&mut requests, at(0));
    let [Event::Over { result, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert!(matches!(result, Err(TrackerError::Timeout(_))));
    let open = ids.iter().map(|id| requests.is_open(*id));
    assert_eq!(open.collect::<Vec<_>>(), [false, true, true, true]);
}

#[test]
fn an_answer_frees_the_place_at_once() {
    let mut requests = timed();
    let id = open(&mut requests, http(), Wait::First);
    assert!(!requests.queue().admits(KEY.owner));
    requests.end(id, Ok(Answer::default()), None);
    assert!(requests.queue().admits(KEY.owner));
}
