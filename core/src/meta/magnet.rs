//! Magnet links (BEP 9), their file selection (BEP 53), and bare info-hashes.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{Magnet, MagnetError};
use crate::types::{InfoHash, InfoHashV1, InfoHashV2, ParseHashError};

/// The maximum length of a link in bytes.
const MAX_LENGTH: usize = 64 * 1024;
/// The maximum number of trackers, web seeds and peers, each; more are ignored.
const MAX_ENTRIES: usize = 100;
/// The maximum number of files that `so` may select: 1,000,000.
pub const MAX_SELECTED: u32 = 1_000_000;
/// The prefix of a v2 hash in BEP 9: the multihash code of SHA-256 and the hash length.
const SHA256_MULTIHASH: &str = "1220";
/// All characters except those that RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl Magnet {
    /// Parses a magnet link, or a bare info-hash like [`Magnet::from_hash_text`]. Spaces around the
    /// link and around its values are ignored, and keys are case-insensitive. Also accepted are
    /// `magnet:///?`, `stream-magnet:?`, and links that were percent-encoded as a whole (because
    /// they were a parameter of a page's address).
    ///
    /// Unknown parameters are skipped, as is an `x.pe` that is not a literal address with a port: a
    /// link must not cause name look-ups.
    ///
    /// # Errors
    /// The hash is missing or malformed, the link names two torrents, no item of `so` is valid, or
    /// the text is longer than 64 KiB.
    pub fn parse(text: &str) -> Result<Self, MagnetError> {
        let text = text.trim();
        if text.len() > MAX_LENGTH {
            return Err(MagnetError::TooLong {
                received: text.len(),
                limit: MAX_LENGTH,
            });
        }
        match query_of(text) {
            Some(query) => Parts::read(query)?
                .finish()
                .or_else(|error| Self::parse_escaped(text, error)),
            None => Self::from_hash_text(text)
                .or_else(|error| Self::parse_escaped(text, Self::or_not_magnet(text, error))),
        }
    }

    /// Parses a link that was percent-encoded as a whole. Returns `error` if decoding does not
    /// result in a link.
    fn parse_escaped(text: &str, error: MagnetError) -> Result<Self, MagnetError> {
        let decoded = decode(text);
        match query_of(&decoded) {
            Some(query) if decoded != text => Parts::read(query)?.finish(),
            _ => Err(error),
        }
    }

    /// Whether a text is intended as a magnet link, judged by its scheme, which may be
    /// percent-encoded.
    #[must_use]
    pub fn is_link(text: &str) -> bool {
        let text = text.trim_start();
        let has_scheme = |scheme: &str| {
            text.get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        ["magnet:", "magnet%3a", "stream-magnet:"]
            .into_iter()
            .any(has_scheme)
    }

    /// Selects the error to report: a text of letters and digits was intended as a hash, so its
    /// error is more helpful.
    fn or_not_magnet(text: &str, error: ParseHashError) -> MagnetError {
        let hash_like = text.len() >= 16 && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if hash_like {
            MagnetError::Hash(error)
        } else {
            MagnetError::NotMagnet
        }
    }

    /// A magnet with only a hash: 40 hexadecimal digits or 32 base32 characters (v1), or 64
    /// hexadecimal digits (v2).
    ///
    /// # Errors
    /// The length is wrong, or a character is not in the alphabet.
    pub fn from_hash_text(text: &str) -> Result<Self, ParseHashError> {
        let info_hash = if text.len() == 64 {
            InfoHash::V2(InfoHashV2::parse(text)?)
        } else {
            InfoHash::V1(InfoHashV1::parse(text)?)
        };
        Ok(Self {
            info_hash,
            name: None,
            trackers: Vec::new(),
            web_seeds: Vec::new(),
            peers: Vec::new(),
            select: None,
        })
    }
}

/// The part of a magnet link after the `?`.
fn query_of(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(':')?;
    let is_magnet = ["magnet", "stream-magnet"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    // Browsers and desktops that treat it as a hierarchical URL insert slashes.
    rest.trim_start_matches('/')
        .strip_prefix('?')
        .filter(|_| is_magnet)
}

impl FromStr for Magnet {
    type Err = MagnetError;

    fn from_str(text: &str) -> Result<Self, MagnetError> {
        Self::parse(text)
    }
}

/// The parameters found so far.
#[derive(Default)]
struct Parts {
    v1: Option<InfoHashV1>,
    v2: Option<InfoHashV2>,
    name: Option<String>,
    trackers: Vec<String>,
    web_seeds: Vec<String>,
    peers: Vec<SocketAddr>,
    /// The last `so` value, not expanded: a link may contain it thousands of times, and each may
    /// select a million files.
    select: Option<String>,
}

impl Parts {
    fn read(query: &str) -> Result<Self, MagnetError> {
        let mut parts = Self::default();
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            // Links copied from a page's source separate parameters with `&amp;`.
            let key = key.strip_prefix("amp;").unwrap_or(key).to_ascii_lowercase();
            match unnumbered(&key) {
                "xt" => parts.topic(&decode(value))?,
                "dn" => {
                    parts.name = parts
                        .name
                        .or_else(|| Some(unescape(&value.replace('+', " "))))
                        .filter(|name| !name.is_empty())
                }
                "tr" => keep(
                    &mut parts.trackers,
                    Some(decode(value)).filter(|url| !url.is_empty()),
                ),
                "ws" => keep(
                    &mut parts.web_seeds,
                    Some(decode(value)).filter(|url| !url.is_empty()),
                ),
                "x.pe" => keep(&mut parts.peers, literal(&decode(value))),
                "so" => parts.select = Some(decode(value)),
                _ => {}
            }
        }
        Ok(parts)
    }

    /// Handles `xt`. Topics of other networks are ignored.
    fn topic(&mut self, urn: &str) -> Result<(), MagnetError> {
        match urn.split_at_checked("urn:btih:".len()) {
            Some((kind, hash)) if kind.eq_ignore_ascii_case("urn:btih:") => {
                only(&mut self.v1, InfoHashV1::parse(hash)?)
            }
            Some((kind, hash)) if kind.eq_ignore_ascii_case("urn:btmh:") => {
                let digest = hash
                    .strip_prefix(SHA256_MULTIHASH)
                    .ok_or(MagnetError::Multihash)?;
                only(
                    &mut self.v2,
                    InfoHashV2::parse(digest).map_err(|_| MagnetError::Multihash)?,
                )
            }
            _ => Ok(()),
        }
    }

    fn finish(self) -> Result<Magnet, MagnetError> {
        let info_hash = match (self.v1, self.v2) {
            (Some(v1), Some(v2)) => InfoHash::Hybrid(v1, v2),
            (Some(v1), None) => InfoHash::V1(v1),
            (None, Some(v2)) => InfoHash::V2(v2),
            (None, None) => return Err(MagnetError::NoHash),
        };
        let Self {
            name,
            trackers,
            web_seeds,
            peers,
            select,
            ..
        } = self;
        let select = select.map(|text| unfold(&text)).transpose()?.flatten();
        Ok(Magnet {
            info_hash,
            name,
            trackers,
            web_seeds,
            peers,
            select,
        })
    }
}

/// Removes the index that some programs append to repeated parameters: `tr.1`.
fn unnumbered(key: &str) -> &str {
    match key.split_once('.') {
        Some((name, number))
            if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) =>
        {
            name
        }
        _ => key,
    }
}

/// Decodes a value and trims spaces, which come from links that were broken into lines.
fn decode(value: &str) -> String {
    unescape(value).trim().to_owned()
}

fn unescape(value: &str) -> String {
    percent_decode_str(value).decode_utf8_lossy().into_owned()
}

/// Adds an item, unless it is a duplicate or the limit is reached.
fn keep<T: PartialEq>(kept: &mut Vec<T>, value: Option<T>) {
    if let Some(value) = value
        && kept.len() < MAX_ENTRIES
        && !kept.contains(&value)
    {
        kept.push(value);
    }
}

fn only<T: PartialEq>(slot: &mut Option<T>, hash: T) -> Result<(), MagnetError> {
    match slot {
        Some(other) if *other != hash => Err(MagnetError::TwoTorrents),
        _ => {
            *slot = Some(hash);
            Ok(())
        }
    }
}

/// Parses a dotted-quad IPv4 address or a bracketed IPv6 address without a zone, with a nonzero
/// port.
fn literal(text: &str) -> Option<SocketAddr> {
    let addr: SocketAddr = text.parse().ok()?;
    (addr.port() != 0 && !text.contains('%')).then_some(addr)
}

/// Expands `0,2,4-6` (BEP 53) to ascending, unique indices. An empty list selects all files.
/// Invalid items are ignored, unless no item is valid.
fn unfold(text: &str) -> Result<Option<Vec<u32>>, MagnetError> {
    const WRONG: MagnetError = MagnetError::Select {
        limit: MAX_SELECTED,
    };
    if text.is_empty() {
        return Ok(None);
    }
    let ranges: Vec<_> = text.split(',').filter_map(range).collect();
    // Count before expanding: a short link can select four billion files.
    let count: u64 = ranges
        .iter()
        .map(|r| u64::from(r.end() - r.start()) + 1)
        .sum();
    if count == 0 || count > u64::from(MAX_SELECTED) {
        return Err(WRONG);
    }
    Ok(Some(
        ranges
            .into_iter()
            .flatten()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
    ))
}

/// Parses `3` or `4-6`.
fn range(text: &str) -> Option<RangeInclusive<u32>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some(first..=last)
}

/// The inverse of [`unfold`], for ascending indices.
fn fold(select: &[u32]) -> String {
    let neighbours = |a: &u32, b: &u32| a.checked_add(1) == Some(*b);
    let range = |run: &[u32]| match run {
        [first, .., last] => format!("{first}-{last}"),
        run => run.iter().map(u32::to_string).collect(),
    };
    select
        .chunk_by(neighbours)
        .map(range)
        .collect::<Vec<_>>()
        .join(",")
}

impl fmt::Display for Magnet {
    /// Formats the link. All foreign text is percent-encoded, so the result is safe on a terminal
    /// and in a page.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v1 = self
            .info_hash
            .v1()
            .map(|hash| format!("xt=urn:btih:{hash}"));
        let v2 = self
            .info_hash
            .v2()
            .map(|hash| format!("xt=urn:btmh:{SHA256_MULTIHASH}{hash}"));
        write!(
            f,
            "magnet:?{}",
            v1.into_iter().chain(v2).collect::<Vec<_>>().join("&")
        )?;
        let texts = self
            .name
            .iter()
            .map(|name| ("dn", name))
            .chain(self.trackers.iter().map(|url| ("tr", url)));
        for (key, text) in texts.chain(self.web_seeds.iter().map(|url| ("ws", url))) {
            write!(f, "&{key}={}", utf8_percent_encode(text, RESERVED))?;
        }
        self.peers
            .iter()
            .try_for_each(|peer| write!(f, "&x.pe={peer}"))?;
        self.select
            .iter()
            .filter(|s| !s.is_empty())
            .try_for_each(|select| write!(f, "&so={}", fold(select)))
    }
}
