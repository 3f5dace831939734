//! The server side of BEP 3, 7, 23, 24 and 48: the queries of `/announce?` and `/scrape?`, and the
//! response bodies.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use super::machine::Tracker;
use super::request::{Admission, Announce, AnnounceAnswer, Event, Refusal};
use crate::types::{InfoHashV1, Instant};

/// The maximum number of swarms in one scrape.
pub const MAX_SCRAPED: usize = 64;

/// A parsed announce request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The announce.
    pub announce: Announce,
    /// Whether the response lists peers as compact strings (BEP 23) or as dictionaries (BEP 3).
    pub compact: bool,
}

impl Request {
    /// Reads the query of an announce. Arguments that it does not know are passed over, as is an
    /// `ip`, which a client can make up.
    ///
    /// # Errors
    /// `info_hash` or `port` is missing or malformed.
    pub fn parse(query: &[u8]) -> Result<Self, Refusal> {
        let (mut info_hash, mut port) = (Err(Refusal::InfoHash), Err(Refusal::Port));
        let (mut seed, mut event, mut num_want, mut compact) = (false, Event::Present, None, true);
        for (name, value) in arguments(query) {
            match name {
                b"info_hash" => info_hash = unescape(value).ok_or(Refusal::InfoHash),
                b"port" => {
                    port = number(value)
                        .and_then(|port| u16::try_from(port).ok())
                        .ok_or(Refusal::Port)
                }
                b"left" => seed = number(value) == Some(0),
                b"event" => event = read_event(value),
                // A negative number leaves the choice to the tracker.
                b"numwant" => num_want = number(value).and_then(|want| usize::try_from(want).ok()),
                b"compact" => compact = value != b"0",
                _ => {}
            }
        }
        let announce = Announce {
            info_hash: InfoHashV1(info_hash?),
            port: port?,
            seed,
            event,
            num_want,
        };
        Ok(Self { announce, compact })
    }
}

/// Parses the query of a scrape: the requested swarms, in order, without duplicates.
///
/// # Errors
/// There is no info-hash, one does not have 20 bytes, or there are more than [`MAX_SCRAPED`].
pub fn parse_scrape(query: &[u8]) -> Result<Vec<InfoHashV1>, Refusal> {
    let named = arguments(query).filter(|(name, _)| *name == b"info_hash");
    let mut swarms = Vec::new();
    for (_, value) in named {
        if swarms.len() == MAX_SCRAPED {
            return Err(Refusal::TooMany);
        }
        swarms.push(InfoHashV1(unescape(value).ok_or(Refusal::InfoHash)?));
    }
    swarms.sort_unstable();
    swarms.dedup();
    if swarms.is_empty() {
        Err(Refusal::InfoHash)
    } else {
        Ok(swarms)
    }
}

fn arguments(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    query.split(|byte| *byte == b'&').filter_map(|argument| {
        let equals = argument.iter().position(|byte| *byte == b'=')?;
        Some((&argument[..equals], &argument[equals + 1..]))
    })
}

fn read_event(value: &[u8]) -> Event {
    match value {
        b"completed" => Event::Completed,
        b"stopped" => Event::Stopped,
        _ => Event::Present,
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Decodes exactly 20 bytes, any of which may be written as `%xx`.
fn unescape(value: &[u8]) -> Option<[u8; 20]> {
    let (mut bytes, mut rest) = ([0; 20], value);
    for byte in &mut bytes {
        (*byte, rest) = match rest {
            [b'%', high, low, rest @ ..] => (hex(*high)? << 4 | hex(*low)?, rest),
            [plain, rest @ ..] if *plain != b'%' => (*plain, rest),
            _ => return None,
        };
    }
    rest.is_empty().then_some(bytes)
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

impl Tracker {
    /// Answers an announce. `query` is the part of the target after `/announce?`. The body, which
    /// is always a dictionary, is appended to `out`.
    ///
    /// `admit` decides how the client's address is treated.
    pub fn answer_announce(
        &mut self,
        now: Instant,
        from: IpAddr,
        query: &[u8],
        admit: &dyn Fn(SocketAddr) -> Admission,
        out: &mut Vec<u8>,
    ) {
        let mut peers = std::mem::take(&mut self.scratch);
        peers.clear();
        let ip = from.to_canonical();
        let answer = Request::parse(query).and_then(|request| {
            let announce = request.announce;
            if !self.afford_announce(now, ip, &announce) {
                return Err(Refusal::Rate);
            }
            Ok((
                request,
                self.announce(
                    now,
                    &announce,
                    ip,
                    admit(SocketAddr::new(ip, announce.port)),
                    &mut peers,
                )?,
            ))
        });
        match answer {
            Ok((request, told)) => write_answer(out, &told, &peers, ip, request.compact),
            Err(refusal) => write_refusal(out, refusal),
        }
        self.scratch = peers;
    }

    /// Answers a scrape. `query` is the part of the target after `/scrape?`. A scrape of all swarms
    /// is not supported.
    pub fn answer_scrape(&mut self, now: Instant, from: IpAddr, query: &[u8], out: &mut Vec<u8>) {
        match parse_scrape(query) {
            Ok(swarms) if self.afford(now, from, 1) => self.write_scrape(&swarms, out),
            Ok(_) => write_refusal(out, Refusal::Rate),
            Err(refusal) => write_refusal(out, refusal),
        }
    }

    fn write_scrape(&self, swarms: &[InfoHashV1], out: &mut Vec<u8>) {
        out.extend_from_slice(b"d5:filesd");
        for info_hash in swarms {
            let counts = self.scrape(info_hash);
            out.extend_from_slice(b"20:");
            out.extend_from_slice(&info_hash.0);
            put(
                out,
                format_args!(
                    "d8:completei{}e10:downloadedi{}e10:incompletei{}ee",
                    counts.seeders, counts.downloads, counts.leechers
                ),
            );
        }
        put(
            out,
            format_args!(
                "e5:flagsd20:min_request_intervali{}eee",
                self.config.min_interval.as_secs()
            ),
        );
    }
}

fn write_answer(out: &mut Vec<u8>, told: &AnnounceAnswer, peers: &[u8], ip: IpAddr, compact: bool) {
    let AnnounceAnswer {
        counts,
        interval,
        min_interval,
    } = told;
    put(
        out,
        format_args!(
            "d8:completei{}e10:downloadedi{}e",
            counts.seeders, counts.downloads
        ),
    );
    match ip {
        IpAddr::V4(ip) => write_bytes(out, "11:external ip", &ip.octets()),
        IpAddr::V6(ip) => write_bytes(out, "11:external ip", &ip.octets()),
    }
    put(
        out,
        format_args!(
            "10:incompletei{}e8:intervali{}e12:min intervali{}e",
            counts.leechers,
            interval.as_secs(),
            min_interval.as_secs()
        ),
    );
    match (compact, ip.is_ipv4()) {
        (true, true) => write_bytes(out, "5:peers", peers),
        // Clients expect the IPv4 key even if it is empty.
        (true, false) => {
            out.extend_from_slice(b"5:peers0:");
            write_bytes(out, "6:peers6", peers);
        }
        (false, v4) => write_dictionaries(out, peers, v4),
    }
    out.push(b'e');
}

fn write_bytes(out: &mut Vec<u8>, key: &str, bytes: &[u8]) {
    put(out, format_args!("{key}{}:", bytes.len()));
    out.extend_from_slice(bytes);
}

/// The original format of BEP 3, without peer ids, which are not stored.
fn write_dictionaries(out: &mut Vec<u8>, peers: &[u8], v4: bool) {
    out.extend_from_slice(b"5:peersl");
    for peer in peers.chunks_exact(if v4 { 6 } else { 18 }) {
        let Some((ip, port)) = peer.split_last_chunk::<2>() else {
            break;
        };
        let ip = match <[u8; 4]>::try_from(ip) {
            Ok(v4) => IpAddr::from(v4),
            Err(_) => IpAddr::from(<[u8; 16]>::try_from(ip).unwrap_or_default()),
        };
        let ip = ip.to_string();
        put(
            out,
            format_args!(
                "d2:ip{}:{ip}4:porti{}ee",
                ip.len(),
                u16::from_be_bytes(*port)
            ),
        );
    }
    out.push(b'e');
}

fn write_refusal(out: &mut Vec<u8>, refusal: Refusal) {
    write_bytes(out, "d14:failure reason", refusal.to_string().as_bytes());
    out.push(b'e');
}

/// Appends formatted text. Writing to memory cannot fail.
fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}
