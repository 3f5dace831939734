mod http_requests;
mod udp_requests;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};

use super::{Admission, Announce, Config, Counts, Event, Refusal, Tracker, http, udp};
use crate::discovery::trackers as client;
use crate::discovery::url::Url;
use crate::discovery::{Amounts, TrackerError};
use crate::types::{InfoHashV1, Instant, PeerId};

const HASH: InfoHashV1 = InfoHashV1([7; 20]);

fn tracker(config: Config) -> Tracker {
    Tracker::new(config, [5; 32])
}

fn at(seconds: u64) -> Instant {
    Instant(seconds * 1_000_000)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn listed(_: SocketAddr) -> Admission {
    Admission::Listed
}

fn present(port: u16) -> Announce {
    Announce {
        info_hash: HASH,
        port,
        seed: false,
        event: Event::Present,
        num_want: None,
    }
}

/// Announces, and returns the number of peers in the answer.
fn announce(
    tracker: &mut Tracker,
    now: u64,
    from: &str,
    announce: Announce,
) -> Result<usize, Refusal> {
    let mut out = Vec::new();
    let size = if ip(from).to_canonical().is_ipv4() {
        6
    } else {
        18
    };
    tracker
        .announce(at(now), &announce, ip(from), Admission::Listed, &mut out)
        .map(|_| out.len() / size)
}

fn counts(seeders: u32, leechers: u32, downloads: u32) -> Counts {
    Counts {
        seeders,
        leechers,
        downloads,
    }
}

#[test]
fn peers_hear_of_each_other_by_address_family_and_never_of_themselves() {
    let mut tracker = tracker(Config::default());
    assert_eq!(announce(&mut tracker, 0, "1.1.1.1", present(1)), Ok(0));
    assert_eq!(announce(&mut tracker, 0, "1.1.1.1", present(2)), Ok(1));
    assert_eq!(
        announce(&mut tracker, 0, "::ffff:1.1.1.1", present(1)),
        Ok(1),
        "the first again, through a socket of both families"
    );
    assert_eq!(announce(&mut tracker, 0, "2000::1", present(1)), Ok(0));
    assert_eq!(announce(&mut tracker, 0, "2000::2", present(1)), Ok(1));
    assert_eq!(
        (tracker.size(), tracker.scrape(&HASH)),
        ((1, 4), counts(0, 4, 0))
    );
}

#[test]
fn no_address_fills_the_tracker_alone() {
    // A tenth of the default configuration, including the rate.
    let config = Config {
        requests_per_address: 5,
        max_swarms: 10_000,
        ..Config::default()
    };
    let most = config.max_swarms / 2;
    let (mut tracker, mut body, mut swarm) = (tracker(config), Vec::new(), 0_u32);
    for second in 0..3 * 3600 {
        for _ in 0..20 {
            swarm += 1;
            let name: String = swarm
                .to_be_bytes()
                .repeat(5)
                .iter()
                .map(|byte| format!("%{byte:02x}"))
                .collect();
            body.clear();
            tracker.answer_announce(
                at(second),
                ip("1.1.1.1"),
                format!("info_hash={name}&port=6881&left=0").as_bytes(),
                &listed,
                &mut body,
            );
        }
        tracker.tick(at(second));
    }
    assert!(
        (1000..most).contains(&tracker.size().0),
        "{:?}",
        tracker.size()
    );
    body.clear();
    tracker.answer_announce(
        at(3 * 3600),
        ip("2.2.2.2"),
        b"info_hash=zzzzzzzzzzzzzzzzzzzz&port=6881&left=0",
        &listed,
        &mut body,
    );
    assert!(body.starts_with(b"d8:completei1e"), "others are served");
}

/// Announces a swarm with this number.
fn found(tracker: &mut Tracker, now: u64, from: &str, swarm: u32) -> Result<usize, Refusal> {
    let mut info_hash = InfoHashV1([0; 20]);
    info_hash.0[..4].copy_from_slice(&swarm.to_be_bytes());
    announce(
        tracker,
        now,
        from,
        Announce {
            info_hash,
            ..present(1)
        },
    )
}

#[test]
fn a_crowd_that_fills_the_tracker_keeps_no_swarm_of_others_out() {
    let mut tracker = tracker(Config {
        max_swarms: 1000,
        ..Config::default()
    });
    let mut crowd = (0..).map(|swarm: u32| (format!("9.9.9.{}", swarm % 50), swarm));
    for (from, swarm) in crowd.by_ref().take(1000) {
        assert_eq!(found(&mut tracker, 0, &from, swarm), Ok(0));
    }
    // One client with ten torrents, and two hundred others with one each, one of which has two
    // peers.
    const HONEST: u32 = 1 << 24;
    for swarm in HONEST..HONEST + 10 {
        assert_eq!(
            found(&mut tracker, 1, "1.1.1.1", swarm),
            Ok(0),
            "there are 20 of each of the others"
        );
    }
    for n in 0..200 {
        let from = format!("2.2.2.{n}");
        assert_eq!(found(&mut tracker, 1, &from, HONEST + 100 + n), Ok(0));
    }
    assert_eq!(found(&mut tracker, 1, "3.3.3.3", HONEST + 100), Ok(1));
    for (from, swarm) in crowd.take(20_000) {
        let _ = found(&mut tracker, 2, &from, swarm);
        assert_eq!(tracker.size().0, 1000);
    }
    let kept = |range: std::ops::Range<u32>| {
        let hash = |n: u32| {
            [&n.to_be_bytes()[..], &[0; 16]]
                .concat()
                .try_into()
                .map(InfoHashV1)
                .unwrap()
        };
        range
            .filter(|n| tracker.scrape(&hash(*n)).leechers > 0)
            .count()
    };
    assert_eq!(
        (kept(HONEST..HONEST + 10), kept(HONEST + 100..HONEST + 300)),
        (10, 200)
    );
}

#[test]
fn where_nobody_has_more_than_others_a_full_tracker_refuses() {
    let mut tracker = tracker(Config {
        max_swarms: 10,
        ..Config::default()
    });
    (0..10).for_each(|n| assert_eq!(found(&mut tracker, 0, &format!("1.1.1.{n}"), n), Ok(0)));
    assert_eq!(found(&mut tracker, 0, "2.2.2.2", 10), Err(Refusal::Full));
    assert_eq!(found(&mut tracker, 0, "1.1.1.1", 10), Err(Refusal::Full));
    assert_eq!(
        found(&mut tracker, 0, "2.2.2.2", 9),
        Ok(1),
        "what is there is served"
    );
}

#[test]
fn twenty_networks_of_one_site_ask_as_often_as_four() {
    let mut tracker = tracker(Config {
        requests_per_address: 1,
        ..Config::default()
    });
    let mut granted = |from: &str| {
        (0..50)
            .filter(|_| tracker.afford(at(0), ip(from), 1))
            .count()
    };
    let all: usize = (0..20)
        .map(|network| granted(&format!("2000:0:1:{network}::1")))
        .sum();
    assert_eq!((all, granted("2000:0:2::1")), (40, 10));
}

#[test]
fn leaving_and_completing_are_counted() {
    let mut tracker = tracker(Config::default());
    announce(
        &mut tracker,
        0,
        "1.1.1.1",
        Announce {
            seed: true,
            ..present(1)
        },
    )
    .unwrap();
    announce(&mut tracker, 0, "1.1.1.2", present(1)).unwrap();
    assert_eq!(tracker.scrape(&HASH), counts(1, 1, 0));
    announce(
        &mut tracker,
        0,
        "1.1.1.2",
        Announce {
            seed: true,
            event: Event::Completed,
            ..present(1)
        },
    )
    .unwrap();
    assert_eq!(tracker.scrape(&HASH), counts(2, 0, 1));
    let gone = Announce {
        event: Event::Stopped,
        ..present(1)
    };
    assert_eq!(
        announce(&mut tracker, 0, "1.1.1.1", gone),
        Ok(0),
        "who leaves wants no peers"
    );
    assert_eq!(tracker.scrape(&HASH), counts(1, 0, 1));
    assert_eq!(tracker.scrape(&InfoHashV1([8; 20])), Counts::default());
}

#[test]
fn silent_peers_and_their_swarms_are_forgotten_after_two_intervals() {
    let mut tracker = tracker(Config {
        interval: Duration::from_secs(100),
        ..Config::default()
    });
    for byte in 0..50 {
        let announced = Announce {
            info_hash: InfoHashV1([byte; 20]),
            ..present(1)
        };
        announce(&mut tracker, u64::from(byte), "1.1.1.1", announced).unwrap();
        announce(&mut tracker, u64::from(byte), "2000::1", announced).unwrap();
    }
    (50..=200).for_each(|second| tracker.tick(at(second)));
    assert_eq!(tracker.size(), (50, 100));
    // Visiting all swarms takes a quarter of an interval.
    (201..=275).for_each(|second| tracker.tick(at(second)));
    assert_eq!(tracker.size(), (0, 0));
}

#[test]
fn what_is_full_gives_peers_but_lists_nobody() {
    let mut tracker = tracker(Config {
        max_swarms: 1,
        max_peers_per_swarm: 2,
        max_peers: 3,
        ..Config::default()
    });
    (1..=2).for_each(|port| assert!(announce(&mut tracker, 0, "1.1.1.1", present(port)).is_ok()));
    assert_eq!(announce(&mut tracker, 0, "1.1.1.1", present(3)), Ok(2));
    assert_eq!(
        announce(&mut tracker, 0, "1.1.1.1", present(1)),
        Ok(1),
        "a listed one stays listed"
    );
    (1..=2).for_each(|port| assert!(announce(&mut tracker, 0, "2000::1", present(port)).is_ok()));
    assert_eq!(tracker.size(), (1, 3));
    assert_eq!(
        announce(
            &mut tracker,
            0,
            "1.1.1.1",
            Announce {
                info_hash: InfoHashV1([9; 20]),
                ..present(1)
            }
        ),
        Err(Refusal::Full)
    );
}

#[test]
fn addresses_that_nobody_could_use_are_not_listed() {
    let mut tracker = tracker(Config::default());
    let mut out = Vec::new();
    assert_eq!(announce(&mut tracker, 0, "1.1.1.1", present(0)), Ok(0));
    assert_eq!(
        tracker.announce(
            at(0),
            &present(1),
            ip("10.0.0.1"),
            Admission::Refused,
            &mut out
        ),
        Err(Refusal::Address)
    );
    assert!(
        tracker
            .announce(
                at(0),
                &present(1),
                ip("1.1.1.1"),
                Admission::Unlisted,
                &mut out
            )
            .is_ok()
    );
    assert_eq!(tracker.size(), (0, 0));
}

/// An announce as the client side encodes it.
fn asking(event: client::AnnounceEvent, left: u64) -> client::Announce {
    let amounts = Amounts {
        left: Some(left),
        ..Amounts::default()
    };
    client::Announce {
        info_hash: HASH,
        peer_id: PeerId([1; 20]),
        port: 6881,
        amounts,
        event,
        key: 1,
        num_want: 200,
    }
}

fn over_udp(tracker: &mut Tracker, from: &str, datagram: &[u8]) -> Vec<u8> {
    let mut out = vec![1; 99];
    tracker.answer_udp(at(0), from.parse().unwrap(), datagram, &listed, &mut out);
    out
}

fn connected(tracker: &mut Tracker, from: &str) -> u64 {
    let answer = over_udp(tracker, from, &client::udp::connect(3));
    let response = client::udp::Response::parse(&answer).unwrap();
    assert_eq!((answer.len(), response.transaction), (16, 3));
    response.as_connection().unwrap().unwrap()
}

fn over_http(tracker: &mut Tracker, from: &str, query: &str) -> Vec<u8> {
    let mut out = Vec::new();
    tracker.answer_announce(at(0), ip(from), query.as_bytes(), &listed, &mut out);
    out
}

fn query(left: u64) -> String {
    let url = client::http::announce_url(
        &Url::parse("http://t/announce").unwrap(),
        &asking(client::AnnounceEvent::None, left),
        None,
    );
    url.split_once('?').unwrap().1.to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_datagram_is_answered_within_bounds(bytes in vec(any::<u8>(), 0..140), action in 0u8..4, knows in any::<bool>()) {
        let mut tracker = tracker(Config::default());
        let from = "1.2.3.4:5";
        let id = if knows { connected(&mut tracker, from) } else { 0x0417_2710_1980 };
        for datagram in [bytes.clone(), [&id.to_be_bytes()[..], &[0, 0, 0, action], &bytes].concat()] {
            let answer = over_udp(&mut tracker, from, &datagram);
            prop_assert!(answer.len() <= udp::MAX_ANSWER);
            prop_assert!(knows || answer.len() <= datagram.len());
        }
    }

    #[test]
    fn any_query_is_answered_with_a_dictionary(tail in "[a-z_0-9=&%-]{0,60}", bytes in vec(any::<u8>(), 0..60)) {
        let mut tracker = tracker(Config::default());
        for query in [tail.as_bytes(), &bytes, format!("{}&{tail}", query(1)).as_bytes()] {
            let mut out = Vec::new();
            tracker.answer_announce(at(0), ip("1.2.3.4"), query, &listed, &mut out);
            prop_assert!(crate::bencode::scan(&out, crate::bencode::Limits::MESSAGE).is_ok());
            out.clear();
            tracker.answer_scrape(at(0), ip("1.2.3.4"), query, &mut out);
            prop_assert!(crate::bencode::scan(&out, crate::bencode::Limits::MESSAGE).is_ok());
        }
    }
}
