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
    requests.open(at(0), question, &mut VecDeque::new())
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
    assert!(requests.is_prompt(id) && requests.owner(id) == Some(3));
    assert!(matches!(
        events(&mut requests, at(1))[..],
        [Event::Slow(KEY)]
    ));
    assert!(!requests.is_prompt(id));
    assert!(matches!(
        events(&mut requests, at(6))[..],
        [Event::Silent(KEY, 0)]
    ));
    assert!(requests.owner(id).is_some(), "its answer still counts");
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
    assert_eq!((requests.owner(id), requests.poll_timeout()), (None, None));
}

#[test]
fn a_tracker_whose_addresses_cannot_be_reached_has_failed() {
    let mut requests = requests();
    open(&mut requests, udp(), Wait::First);
    let to = "9.9.9.9:1".parse().unwrap();
    requests.handle_unreachable(at(0), to, "closed", &mut VecDeque::new());
    let events = events(&mut requests, at(0));
    let [Event::Over { result, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert!(matches!(result, Err(TrackerError::Unreachable(_))));
}
