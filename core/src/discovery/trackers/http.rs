//! Announces over HTTP (BEP 3), compact peers (BEP 23), IPv6 (BEP 7), our external address (BEP
//! 24), retry delays (BEP 31), scrapes (BEP 48).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::announce::{Announce, AnnounceEvent, Answer, MAX_NAMES, MAX_TEXT, PeerList, words};
use super::status::TrackerError;
use crate::bencode::{BencodeError, Dict, Limits, Value, scan_prefix};
use crate::discovery::url::{Host, Url};
use crate::types::InfoHashV1;

/// All characters except those that RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The URL of an announce: the torrent's URL with our arguments appended to its own. `tracker_id`
/// is the value from the last answer.
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

/// The URL of a scrape by the rule of BEP 48: the part after the last slash must begin with
/// `announce`, which is replaced by `scrape`.
///
/// # Errors
/// The rule does not apply to the URL.
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

/// Parses the body of a scrape response for one swarm.
///
/// # Errors
/// The tracker refused, or the body is a web page or not of the form of BEP 48.
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

/// Parses the body of an announce response. Bytes after the dictionary are ignored, since some
/// servers append a line break.
///
/// # Errors
/// The tracker refused, or the body is a web page or not of the form of BEP 3, 7 and 23.
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

/// BEP 31: `retry in` is a number of minutes, or `never`.
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

/// An IP address of four or sixteen bytes.
fn read_ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    v4.or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
        .map(|ip| ip.to_canonical())
}

/// Compact peers of six bytes (BEP 23), or a list of dictionaries (BEP 3).
fn read_peers(
    value: Value<'_>,
    peers: &mut PeerList,
    names: &mut Vec<(Host, u16)>,
) -> Result<(), TrackerError> {
    if let Some(list) = value.as_list() {
        for (host, port) in list.filter_map(Value::as_dict).filter_map(read_peer) {
            match host {
                Host::Addr(ip) => peers.add(SocketAddr::new(ip, port)),
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
mod tests;
