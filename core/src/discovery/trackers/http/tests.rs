use std::net::SocketAddr;

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};

use super::*;
use crate::bencode::{Encoded, Encoder};
use crate::discovery::Amounts;
use crate::discovery::trackers::MAX_PEERS;
use crate::types::{InfoHashV1, PeerId};

fn announce() -> Announce {
    let mut hash = [b'a'; 20];
    hash[..4].copy_from_slice(&[0x00, 0xff, b'~', b'/']);
    let amounts = Amounts {
        uploaded: 1,
        downloaded: 2,
        left: Some(u64::MAX),
    };
    Announce {
        info_hash: InfoHashV1(hash),
        peer_id: PeerId(*b"-AQ0100-abcdefghijkl"),
        port: 6881,
        amounts,
        event: AnnounceEvent::Started,
        key: 0xab,
        num_want: 200,
    }
}

#[test]
fn an_announce_keeps_the_query_and_encodes_raw_bytes() {
    let arguments = "info_hash=%00%FF~%2Faaaaaaaaaaaaaaaa&peer_id=-AQ0100-abcdefghijkl&port=6881&uploaded=1&downloaded=2\
                     &left=18446744073709551615&compact=1&numwant=200&key=000000ab&event=started";
    for (url, begin) in [
        ("http://t/announce", "http://t/announce?"),
        ("http://t/a?", "http://t/a?"),
        ("https://me:x@t/a?passkey=1", "https://me:x@t/a?passkey=1&"),
    ] {
        assert_eq!(
            announce_url(&Url::parse(url).unwrap(), &announce(), None),
            format!("{begin}{arguments}")
        );
    }
}

#[test]
fn what_the_tracker_gave_us_is_given_back_and_an_unknown_rest_is_not_zero() {
    let mut announce = announce();
    (announce.amounts.left, announce.event) = (None, AnnounceEvent::None);
    let url = announce_url(&Url::parse("http://t/").unwrap(), &announce, Some(b"x&y"));
    assert!(
        url.ends_with("&left=16384&compact=1&numwant=200&key=000000ab&trackerid=x%26y"),
        "{url}"
    );
}

#[test]
fn compact_peers_of_both_families_are_read() {
    let mut peers6 = [0u8; 36];
    (peers6[0], peers6[15], peers6[16], peers6[17]) = (0x20, 1, 0, 80);
    (peers6[28], peers6[29], peers6[30], peers6[35]) = (0xff, 0xff, 9, 7);
    let body = Encoder::new()
        .int("interval", 900u32)
        .int("min interval", 60u32)
        .int("complete", 3u32)
        .int("incomplete", 4u32)
        .bytes("warning message", "slow\x1b[0m")
        .bytes("tracker id", "t")
        .bytes(
            "peers",
            b"\x01\x02\x03\x04\x1a\xe1\x01\x02\x03\x04\x1a\xe1\x7f\0\0\x01\0\0\0\0\0\0\0\x01",
        )
        .bytes("peers6", peers6)
        .finish();
    let answer = parse_answer(&body).unwrap();
    let expected: Vec<SocketAddr> = ["1.2.3.4:6881", "[2000::1]:80", "9.0.0.0:7"]
        .iter()
        .map(|addr| addr.parse().unwrap())
        .collect();
    assert_eq!(
        answer.peers, expected,
        "no doubles, no port 0, no unspecified address, no IPv4 in disguise"
    );
    assert_eq!(
        (answer.interval, answer.min_interval),
        (
            Some(Duration::from_secs(900)),
            Some(Duration::from_secs(60))
        )
    );
    assert_eq!(
        (
            answer.seeders,
            answer.leechers,
            answer.tracker_id.as_deref()
        ),
        (Some(3), Some(4), Some(&b"t"[..]))
    );
    assert_eq!(answer.warning.as_deref(), Some("slow\\u{1b}[0m"));
}

#[test]
fn peers_in_dictionaries_are_read_and_so_are_their_names() {
    let peer =
        |ip: &str, port: u32| Encoded::from(Encoder::new().bytes("ip", ip).int("port", port));
    let body = Encoder::new()
        .list(
            "peers",
            [
                peer("1.2.3.4", 1),
                peer("::ffff:1.2.3.4", 2),
                peer("host.example", 3),
                peer("1.1.1.1", 70_000),
            ],
        )
        .finish();
    let expected: Vec<SocketAddr> = ["1.2.3.4:1", "1.2.3.4:2"]
        .iter()
        .map(|addr| addr.parse().unwrap())
        .collect();
    let answer = parse_answer(&body).unwrap();
    assert_eq!(answer.peers, expected);
    assert_eq!(answer.names, [(Host::Name("host.example".to_owned()), 3)]);
    let many = (0..100).map(|n| peer(&format!("host{n}.example"), 3));
    assert_eq!(
        parse_answer(&Encoder::new().list("peers", many).finish())
            .unwrap()
            .names
            .len(),
        MAX_NAMES
    );
}

#[test]
fn our_address_is_read_in_either_family() {
    let told = |bytes: &[u8]| {
        parse_answer(&Encoder::new().bytes("external ip", bytes).finish())
            .unwrap()
            .external_ip
    };
    assert_eq!(told(&[1, 2, 3, 4]), Some("1.2.3.4".parse().unwrap()));
    assert_eq!(
        told(&[0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        Some("2000::1".parse().unwrap())
    );
    assert_eq!(told(b"1.2.3"), None);
}

#[test]
fn a_refusal_may_say_when_to_come_back() {
    let refusal = |retry: &str| {
        parse_answer(format!("d14:failure reason4:busy8:retry in{retry}e").as_bytes()).unwrap_err()
    };
    assert_eq!(
        refusal("i5e"),
        TrackerError::Later {
            reason: "busy".to_owned(),
            wait: Duration::from_secs(300)
        }
    );
    assert_eq!(refusal("5:never"), TrackerError::Never("busy".to_owned()));
    for senseless in ["i-5e", "4:soon", "le"] {
        assert_eq!(
            refusal(senseless),
            TrackerError::Failure("busy".to_owned()),
            "{senseless}"
        );
    }
}

#[test]
fn a_scrape_is_asked_where_bep_48_says() {
    let hash = InfoHashV1([b'a'; 20]);
    let scrape = |url: &str| scrape_url(&Url::parse(url).unwrap(), &hash);
    let twenty = "a".repeat(20);
    for (announce, expected) in [
        ("http://t/announce", "http://t/scrape?info_hash="),
        (
            "https://t:81/x/announce.php?key=1",
            "https://t:81/x/scrape.php?key=1&info_hash=",
        ),
        ("http://t/announce?", "http://t/scrape?info_hash="),
    ] {
        assert_eq!(
            scrape(announce),
            Ok(format!("{expected}{twenty}")),
            "{announce}"
        );
    }
    for without in [
        "http://t/",
        "http://t/a",
        "http://t/announce/x",
        "http://t/xannounce",
    ] {
        assert_eq!(scrape(without), Err(TrackerError::NoScrape), "{without}");
    }
}

#[test]
fn a_scrape_counts_one_swarm() {
    let hash = InfoHashV1([b'a'; 20]);
    let body = b"d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei3e10:downloadedi9e10:incompletei4eeee";
    let answer = parse_scrape(body, &hash).unwrap();
    assert_eq!((answer.seeders, answer.leechers), (Some(3), Some(4)));
    assert_eq!(
        parse_scrape(b"d5:filesdee", &hash),
        Err(malformed("it does not count the swarm"))
    );
    assert_eq!(parse_scrape(b"<html>", &hash), Err(TrackerError::Html));
}

#[test]
fn every_wrong_answer_has_its_name() {
    let long = format!("d14:failure reason300:{}e", "ü".repeat(150));
    for (body, expected) in [
        (&b"\r\n<!DOCTYPE html><html>"[..], TrackerError::Html),
        (
            b"d14:failure reason8:go\x1baway!e",
            TrackerError::Failure("go\\u{1b}away!".to_owned()),
        ),
        (b"le", malformed("a dictionary was expected")),
        (
            b"d5:peers3:abce",
            malformed("peers has 3 bytes, which is no multiple of 6"),
        ),
        (
            b"d6:peers63:abce",
            malformed("peers6 has 3 bytes, which is no multiple of 18"),
        ),
        (
            b"d5:peersi1ee",
            malformed("peers is neither a list nor a string"),
        ),
        (b"d6:peers6lee", malformed("peers6 is not a string")),
        (long.as_bytes(), TrackerError::Failure("ü".repeat(127))),
    ] {
        assert_eq!(
            parse_answer(body),
            Err(expected),
            "{}",
            String::from_utf8_lossy(body)
        );
    }
    assert!(matches!(parse_answer(b""), Err(TrackerError::Malformed(_))));
    assert_eq!(parse_answer(b"de\n"), Ok(Answer::default()));
}

#[test]
fn no_more_than_two_thousand_peers_are_read() {
    let compact: Vec<u8> = (0..3000u16)
        .flat_map(|n| [1, 1, n.to_be_bytes()[0], n.to_be_bytes()[1], 0, 80])
        .collect();
    assert_eq!(
        parse_answer(&Encoder::new().bytes("peers", compact).finish())
            .unwrap()
            .peers
            .len(),
        MAX_PEERS
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_body_is_read_or_refused(body in vec(any::<u8>(), 0..200), peers in vec(any::<u8>(), 0..60)) {
        let _ = parse_answer(&body);
        let _ = parse_answer(&Encoder::new().bytes("peers", &peers).bytes("peers6", &peers).finish());
    }
}
