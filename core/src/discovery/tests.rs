mod events;
mod side_by_side;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};

use super::{
    AddError, Amounts, Config, Discovery, Fetched, Input, Key, Output, QueryId, Reason, Summary,
    Swarm, TrackerError, TrackerState,
};
use crate::bencode::Encoder;
use crate::io::DiscoverRequest::{Completed, More, Start, Stop};
use crate::types::{InfoHashV1, Instant, PeerId};

const KEY: Key = Key {
    info_hash: InfoHashV1([b'h'; 20]),
    owner: 0,
};

const COMPLETE: Amounts = Amounts {
    uploaded: 0,
    downloaded: 0,
    left: Some(0),
};

/// A machine, a clock, and what came out.
struct World {
    machine: Discovery,
    now: Instant,
}

/// What a test looks at, written as it would be said.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Get(QueryId, String),
    Resolve(QueryId, String),
    Datagram(SocketAddr, Bytes),
    Cancel(QueryId),
    Peers(u64, usize),
    Left(u64),
    External(IpAddr),
}

impl World {
    fn new(config: Config) -> Self {
        Self {
            machine: Discovery::new(config, [7; 32]),
            now: Instant::ZERO,
        }
    }

    fn with(tiers: &[&[&str]]) -> Self {
        let mut world = Self::new(Config::default());
        world.add(KEY, tiers);
        world
    }

    fn add(&mut self, key: Key, tiers: &[&[&str]]) {
        let trackers = tiers
            .iter()
            .map(|tier| tier.iter().map(|url| (*url).to_owned()).collect())
            .collect();
        let amounts = Amounts {
            left: Some(100),
            ..Amounts::default()
        };
        self.machine
            .add(
                self.now,
                key,
                Swarm {
                    trackers,
                    peer_id: PeerId([b'p'; 20]),
                    port: 6881,
                    amounts,
                    private: false,
                },
            )
            .unwrap();
    }

    fn request(&mut self, request: crate::DiscoverRequest) -> Vec<Said> {
        self.machine.request(self.now, KEY, request);
        self.said()
    }

    fn remove(&mut self) -> Vec<Said> {
        self.machine.remove(self.now, KEY);
        self.said()
    }

    fn answer(&mut self, id: QueryId, result: Result<Vec<u8>, TrackerError>) -> Vec<Said> {
        self.machine.handle(
            self.now,
            Input::HttpResponse {
                id,
                result: result.map(fetched),
            },
        );
        self.said()
    }

    fn fail(&mut self, id: QueryId) -> Vec<Said> {
        self.answer(id, Err(TrackerError::Unreachable("nobody".to_owned())))
    }

    /// Goes to the next deadline.
    fn tick(&mut self) -> Vec<Said> {
        self.now = self.machine.poll_timeout().expect("a deadline").0;
        self.machine.handle(self.now, Input::Timeout);
        self.said()
    }

    fn pass(&mut self, seconds: u64) -> Vec<Said> {
        self.now = self.now + Duration::from_secs(seconds);
        self.machine.handle(self.now, Input::Timeout);
        self.said()
    }

    fn said(&mut self) -> Vec<Said> {
        let outputs: Vec<Output> = std::iter::from_fn(|| self.machine.poll_output()).collect();
        outputs.into_iter().filter_map(said).collect()
    }

    fn seconds(&self) -> u64 {
        self.now.0 / 1_000_000
    }

    fn state(&self, index: usize) -> TrackerState {
        self.machine.tracker_status(KEY)[index].state.clone()
    }
}

fn fetched(body: Vec<u8>) -> Fetched {
    Fetched {
        body: body.into(),
        from: IpAddr::from([9, 9, 9, 9]),
        dual: false,
    }
}

fn said(output: Output) -> Option<Said> {
    Some(match output {
        Output::HttpGet { id, url, .. } => Said::Get(id, url),
        Output::Resolve { id, host, port, .. } => Said::Resolve(id, format!("{host}:{port}")),
        Output::UdpSend { to, bytes, .. } => Said::Datagram(to, bytes),
        Output::Cancel(id) => Said::Cancel(id),
        Output::Peers { key, addrs, .. } => Said::Peers(key.owner, addrs.len()),
        Output::Left(key) => Said::Left(key.owner),
        Output::ExternalIp { ip, .. } => Said::External(ip),
        Output::Status { .. } => return None,
    })
}

/// The one announce among what was said: its id, the tracker, the event.
fn announce(said: &[Said]) -> (QueryId, String, String) {
    let gets: Vec<_> = said
        .iter()
        .filter_map(|said| {
            if let Said::Get(id, url) = said {
                Some((*id, url))
            } else {
                None
            }
        })
        .collect();
    let [(id, url)] = gets[..] else {
        panic!("one announce expected: {said:?}")
    };
    let host = url.split('/').nth(2).unwrap_or_default().to_owned();
    let event = url
        .split("&event=")
        .nth(1)
        .unwrap_or("none")
        .split('&')
        .next()
        .unwrap_or_default()
        .to_owned();
    (id, host, event)
}

fn peers(interval: u32, min_interval: Option<u32>) -> Result<Vec<u8>, TrackerError> {
    let mut answer = Encoder::new();
    answer
        .int("interval", interval)
        .bytes("peers", [1, 2, 3, 4, 0, 80]);
    min_interval.into_iter().for_each(|seconds| {
        answer.int("min interval", seconds);
    });
    Ok(answer.finish())
}

fn nobody() -> Result<Vec<u8>, TrackerError> {
    Ok(b"d8:intervali1800e5:peers0:e".to_vec())
}

fn refusal(retry: &str) -> Result<Vec<u8>, TrackerError> {
    Ok(format!("d14:failure reason4:busy8:retry in{retry}e").into_bytes())
}

#[test]
fn a_refusing_tracker_is_asked_again_when_it_says() {
    let mut world = World::with(&[&["http://a/announce"]]);
    let (id, ..) = announce(&world.request(Start));
    world.answer(id, refusal("i40e"));
    assert_eq!(
        world.machine.poll_timeout(),
        Some((Instant(40 * 60 * 1_000_000), Reason::Announce))
    );
    let (id, ..) = announce(&world.tick());
    world.answer(id, refusal("i999999999e"));
    assert_eq!(
        world.machine.poll_timeout().unwrap().0,
        world.now + Duration::from_secs(24 * 3600),
        "within bounds"
    );
}

#[test]
fn a_tracker_that_never_wants_to_be_asked_again_is_not() {
    let mut world = World::with(&[&["http://a/announce"], &["http://b/announce"]]);
    let (id, ..) = announce(&world.request(Start));
    let (id, host, _) = announce(&world.answer(id, refusal("5:never")));
    assert_eq!(host, "b");
    assert_eq!(world.answer(id, nobody()), []);
    assert_eq!(world.request(More), []);
    assert_eq!(announce(&world.pass(1800)).1, "b");
    assert_eq!(
        world.state(0),
        TrackerState::Failed(TrackerError::Never("busy".to_owned()))
    );
}

#[test]
fn our_own_address_is_handed_on() {
    let mut world = World::with(&[&["http://a/announce"]]);
    let (id, ..) = announce(&world.request(Start));
    let body = Encoder::new().bytes("external ip", [9, 8, 7, 6]).finish();
    assert_eq!(
        world.answer(id, Ok(body)),
        [Said::External("9.8.7.6".parse().unwrap())]
    );
}

impl World {
    fn scrape(&mut self) -> Vec<Said> {
        self.machine.scrape(self.now, KEY);
        self.said()
    }
}

#[test]
fn a_scrape_asks_all_trackers_at_once_and_joins_nothing() {
    let mut world = World::with(&[&["http://a/announce", "http://b/"], &["udp://1.2.3.4:5"]]);
    let said = world.scrape();
    let [Said::Get(id, url), Said::Resolve(lookup, _)] = &said[..] else {
        panic!("{said:?}")
    };
    assert_eq!(
        *url,
        format!("http://a/scrape?info_hash={}", "h".repeat(20))
    );
    assert_eq!(world.state(1), TrackerState::Failed(TrackerError::NoScrape));
    let body = format!(
        "d5:filesd20:{}d8:completei3e10:incompletei4eeee",
        "h".repeat(20)
    );
    assert_eq!(world.answer(*id, Ok(body.into_bytes())), []);
    assert_eq!(
        world.state(0),
        TrackerState::Ok {
            seeders: Some(3),
            leechers: Some(4),
            peers: 0
        }
    );
    let addr = "1.2.3.4:5".parse().unwrap();
    world.machine.handle(
        world.now,
        Input::Resolved {
            id: *lookup,
            result: Ok(vec![addr]),
        },
    );
    assert!(matches!(&world.said()[..], [Said::Datagram(to, _)] if *to == addr));
    world.pass(15);
    assert_eq!(
        world.state(2),
        TrackerState::Failed(TrackerError::Timeout(Duration::from_secs(15)))
    );
    assert_eq!(world.remove(), [Said::Left(0)], "nobody has to be told");
}

#[test]
fn a_start_takes_the_place_of_a_scrape_under_way() {
    let mut world = World::with(&[&["http://a/announce"]]);
    let said = world.scrape();
    let [Said::Get(scrape, _)] = said[..] else {
        panic!("{said:?}")
    };
    let said = world.request(Start);
    assert_eq!(said[0], Said::Cancel(scrape));
    assert_eq!(announce(&said).2, "started");
    assert_eq!(world.scrape(), [], "announces tell the same");
}

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
            machine: Discovery::new(Config::default(), [seed; 32]),
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

#[test]
fn a_udp_tracker_is_resolved_connected_and_asked() {
    let mut world = World::with(&[&["udp://t.example:6969/announce"]]);
    let [Said::Resolve(id, name)] = &world.request(Start)[..] else {
        panic!("a lookup expected")
    };
    assert_eq!(name, "t.example:6969");
    let to: SocketAddr = "9.9.9.9:6969".parse().unwrap();
    world.machine.handle(
        world.now,
        Input::Resolved {
            id: *id,
            result: Ok(vec![to]),
        },
    );
    let connect = datagram(&world.said(), to);
    world.datagram(to, 0, &connect[12..16], &[5; 8]);
    let request = datagram(&world.said(), to);
    assert_eq!(request[..8], [5; 8]);
    world.datagram(
        "9.9.9.8:6969".parse().unwrap(),
        1,
        &request[12..16],
        &[0; 12],
    );
    assert_eq!(world.said(), [], "another address is not heard");
    world.datagram(
        to,
        1,
        &request[12..16],
        &[0, 0, 7, 8, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4, 0, 80],
    );
    assert_eq!(world.said(), [Said::Peers(0, 1)]);
    assert_eq!(
        world.state(0),
        TrackerState::Ok {
            seeders: Some(2),
            leechers: Some(1),
            peers: 1
        }
    );
    let farewell = datagram(&world.request(Stop), to);
    assert_eq!(
        (farewell[..8].to_vec(), farewell[83]),
        (vec![5; 8], 3),
        "the connection id serves for the farewell, too"
    );
}

impl World {
    fn datagram(&mut self, from: SocketAddr, action: u8, transaction: &[u8], body: &[u8]) {
        let bytes = Bytes::from([&[0, 0, 0, action], transaction, body].concat());
        self.machine
            .handle(self.now, Input::UdpPacket { from, bytes });
    }
}

fn datagram(said: &[Said], expected: SocketAddr) -> Bytes {
    let [Said::Datagram(to, bytes)] = said else {
        panic!("one datagram expected: {said:?}")
    };
    assert_eq!(*to, expected);
    bytes.clone()
}

#[test]
fn a_silent_udp_tracker_is_passed_over_but_still_heard() {
    let mut world = World::with(&[&["udp://9.9.9.9:1/"], &["http://b/"]]);
    let [Said::Resolve(id, _)] = &world.request(Start)[..] else {
        panic!("a lookup expected")
    };
    let to: SocketAddr = "9.9.9.9:1".parse().unwrap();
    world.machine.handle(
        world.now,
        Input::Resolved {
            id: *id,
            result: Ok(vec![to]),
        },
    );
    datagram(&world.said(), to);
    let (second, host, _) = announce(&world.tick());
    assert_eq!((host.as_str(), world.now), ("b", Instant(500_000)));
    world.answer(second, peers(1800, None));
    assert_eq!(
        world.tick(),
        [],
        "from now on it does not count among the queries"
    );
    assert_eq!(world.seconds(), 5);
    let again = datagram(&world.tick(), to);
    assert_eq!(world.seconds(), 15);
    world.datagram(to, 0, &again[12..16], &[5; 8]);
    let request = datagram(&world.said(), to);
    world.datagram(to, 1, &request[12..16], &[0; 12]);
    assert_eq!(
        world.state(0),
        TrackerState::Ok {
            seeders: Some(0),
            leechers: Some(0),
            peers: 0
        }
    );
}

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
    // Each failure has the same torrent ask its next tracker: it does not get its own place back
    // before others had one.
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

/// One step of a random run.
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
        Output::HttpGet { id, .. } | Output::Resolve { id, .. } => Some(*id),
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
