//! Announces over HTTP (BEP 3), compact answers (BEP 23), IPv6 (BEP 7), our address (BEP 24), when
//! to retry (BEP 31), scrapes (BEP 48).

use std::net::IpAddr;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::{Announce, AnnounceEvent, Answer, MAX_NAMES, MAX_TEXT, PeerList, words};
use crate::bencode::{BencodeError, Dict, Limits, Value, scan_prefix};
use crate::discovery::status::TrackerError;
use crate::discovery::url::{Host, Url};
use crate::types::InfoHashV1;

/// All but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The URL of an announce: the torrent's own with our arguments after those that it has.
/// `tracker_id`: what the tracker gave us last time.
#[must_use]
pub fn announce_url(url: &Url, announce: &Announce, tracker_id: Option<&[u8]>) -> String {
    let separator = match url.query() {
        None => "?",
        Some("") => "",
        Some(_) => "&",
    };
    let Announce {
        port,
        num_want,
        key,
        ..
    } = announce;
    let (info_hash, peer_id) = (encode(&announce.info_hash.0), encode(&announce.peer_id.0));
    let (uploaded, downloaded, left) = (
        announce.amounts.uploaded,
        announce.amounts.downloaded,
        announce.left(),
    );
    let event = event_argument(announce.event);
    let tracker_id = tracker_id
        .map(|id| format!("&trackerid={}", encode(id)))
        .unwrap_or_default();
    let Url {
        scheme,
        path_and_query,
        ..
    } = url;
    let (user, place) = (url.user_prefix(), url.authority());
    format!(
        "{scheme}://{user}{place}{path_and_query}{separator}info_hash={info_hash}&peer_id={peer_id}&port={port}&uploaded={uploaded}&downloaded={downloaded}&left={left}\
         &compact=1&numwant={num_want}&key={key:08x}{event}{tracker_id}"
    )
}

/// The URL of a scrape, by BEP 48's rule: what follows the last slash must begin with `announce`,
/// and `scrape` takes its place.
///
/// # Errors
/// The rule gives none.
pub fn scrape_url(url: &Url, info_hash: &InfoHashV1) -> Result<String, TrackerError> {
    let (folder, file) = url.path().rsplit_once('/').unwrap_or_default();
    let tail = file
        .strip_prefix("announce")
        .ok_or(TrackerError::NoScrape)?;
    let query = url
        .query()
        .filter(|query| !query.is_empty())
        .map(|query| format!("{query}&"))
        .unwrap_or_default();
    let (scheme, user, place, info_hash) = (
        url.scheme,
        url.user_prefix(),
        url.authority(),
        encode(&info_hash.0),
    );
    Ok(format!(
        "{scheme}://{user}{place}{folder}/scrape{tail}?{query}info_hash={info_hash}"
    ))
}

/// Reads the body of a scrape's answer for one swarm.
///
/// # Errors
/// The tracker's own refusal, a web page, or not what BEP 48 says.
pub fn parse_scrape(body: &[u8], info_hash: &InfoHashV1) -> Result<Answer, TrackerError> {
    read_body(body, |dict| {
        let swarm = dict
            .dict("files")
            .and_then(|files| files.dict(info_hash.0))
            .ok_or_else(|| malformed("it does not count the swarm"))?;
        Ok(Answer {
            seeders: swarm.num("complete"),
            leechers: swarm.num("incomplete"),
            ..Answer::default()
        })
    })
}

fn encode(bytes: &[u8]) -> String {
    percent_encode(bytes, RESERVED).to_string()
}

const fn event_argument(event: AnnounceEvent) -> &'static str {
    match event {
        AnnounceEvent::None => "",
        AnnounceEvent::Started => "&event=started",
        AnnounceEvent::Completed => "&event=completed",
        AnnounceEvent::Stopped => "&event=stopped",
    }
}

/// Reads the body of an answer. Bytes after the dictionary are ignored: some servers add a line
/// break.
///
/// # Errors
/// The tracker's own refusal, a web page, or not what BEP 3, 7 and 23 say.
pub fn parse_answer(body: &[u8]) -> Result<Answer, TrackerError> {
    read_body(body, read_answer)
}

fn read_body(
    body: &[u8],
    read: impl FnOnce(Dict<'_>) -> Result<Answer, TrackerError>,
) -> Result<Answer, TrackerError> {
    if body.trim_ascii_start().starts_with(b"<") {
        return Err(TrackerError::Html);
    }
    let (value, _rest) = scan_prefix(body, Limits::MESSAGE).map_err(not_bencode)?;
    let dict = value
        .as_dict()
        .ok_or_else(|| malformed("a dictionary was expected"))?;
    match dict.get("failure reason") {
        Some(reason) => Err(read_failure(
            words(reason.as_bytes().unwrap_or_default()),
            dict.get("retry in"),
        )),
        None => read(dict),
    }
}

/// BEP 31: minutes, or the word `never`.
fn read_failure(reason: String, retry: Option<Value<'_>>) -> TrackerError {
    let minutes = retry.and_then(|retry| u64::try_from(retry.as_int()?).ok());
    match (minutes, retry.and_then(Value::as_bytes)) {
        (Some(minutes), _) => TrackerError::Later {
            reason,
            wait: Duration::from_secs(minutes.saturating_mul(60)),
        },
        (None, Some(b"never")) => TrackerError::Never(reason),
        _ => TrackerError::Failure(reason),
    }
}

fn read_answer(dict: Dict<'_>) -> Result<Answer, TrackerError> {
    let seconds = |key: &str| {
        dict.num::<u32>(key)
            .map(|seconds| Duration::from_secs(seconds.into()))
    };
    let (mut peers, mut names) = (PeerList::default(), Vec::new());
    dict.get("peers")
        .map_or(Ok(()), |value| read_peers(value, &mut peers, &mut names))?;
    dict.get("peers6")
        .map_or(Ok(()), |value| read_peers6(value, &mut peers))?;
    Ok(Answer {
        interval: seconds("interval"),
        min_interval: seconds("min interval"),
        seeders: dict.num("complete"),
        leechers: dict.num("incomplete"),
        peers: peers.list,
        names,
        warning: dict.bytes("warning message").map(words),
        tracker_id: dict
            .bytes("tracker id")
            .filter(|id| id.len() <= MAX_TEXT)
            .map(<[u8]>::to_vec),
        external_ip: dict.bytes("external ip").and_then(read_ip),
    })
}

/// Four or sixteen bytes.
fn read_ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    v4.or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
        .map(|ip| ip.to_canonical())
}

/// Six bytes a peer (BEP 23), or a list of dictionaries (BEP 3).
fn read_peers(
    value: Value<'_>,
    peers: &mut PeerList,
    names: &mut Vec<(Host, u16)>,
) -> Result<(), TrackerError> {
    if let Some(list) = value.as_list() {
        for (host, port) in list.filter_map(Value::as_dict).filter_map(read_peer) {
            match host {
                Host::Addr(ip) => peers.add(ip, port),
                name if port != 0
                    && names.len() < MAX_NAMES
                    && !names.contains(&(name.clone(), port)) =>
                {
                    names.push((name, port))
                }
                Host::Name(_) => {}
            }
        }
        return Ok(());
    }
    let compact = value
        .as_bytes()
        .ok_or_else(|| malformed("peers is neither a list nor a string"))?;
    whole_entries(compact, 6, "peers")?;
    peers.add_v4(compact);
    Ok(())
}

/// BEP 3: "IP address (IPv4, IPv6 without brackets) or DNS name".
fn read_peer(peer: Dict<'_>) -> Option<(Host, u16)> {
    let text = peer.str("ip")?;
    let host = text
        .parse()
        .map(Host::Addr)
        .or_else(|_| Host::parse(text))
        .ok()?;
    Some((host, peer.num("port")?))
}

fn read_peers6(value: Value<'_>, peers: &mut PeerList) -> Result<(), TrackerError> {
    let compact = value
        .as_bytes()
        .ok_or_else(|| malformed("peers6 is not a string"))?;
    whole_entries(compact, 18, "peers6")?;
    peers.add_v6(compact);
    Ok(())
}

fn whole_entries(compact: &[u8], size: usize, name: &str) -> Result<(), TrackerError> {
    if compact.len().is_multiple_of(size) {
        return Ok(());
    }
    Err(malformed(&format!(
        "{name} has {} bytes, which is no multiple of {size}",
        compact.len()
    )))
}

fn not_bencode(error: BencodeError) -> TrackerError {
    malformed(&error.to_string())
}

fn malformed(what: &str) -> TrackerError {
    TrackerError::Malformed(what.to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::collection::vec;
    use proptest::prelude::{ProptestConfig, any, proptest};

    use super::*;
    use crate::bencode::{Encoded, Encoder};
    use crate::discovery::io::Amounts;
    use crate::discovery::tracker::MAX_PEERS;
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
            parse_answer(format!("d14:failure reason4:busy8:retry in{retry}e").as_bytes())
                .unwrap_err()
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
        let body =
            b"d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei3e10:downloadedi9e10:incompletei4eeee";
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
}
