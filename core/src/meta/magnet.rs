//! Magnet links (BEP 9), which files they select (BEP 53), and bare info-hashes.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{Magnet, MagnetError};
use crate::types::{InfoHash, InfoHashV1, InfoHashV2, ParseHashError};

/// Bytes of a link at most.
const MAX_LENGTH: usize = 64 * 1024;
/// Trackers, web seeds and peers taken at most, each; the rest is ignored.
const MAX_ENTRIES: usize = 100;
/// Files that `so` may select: 1,000,000.
pub const MAX_SELECTED: u32 = 1_000_000;
/// What BEP 9 puts before a v2 hash: the multihash code of SHA-256 and its length.
const SHA256_MULTIHASH: &str = "1220";
/// All but the characters that RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Magnet {
    /// Reads a magnet link, or a bare info-hash as [`Magnet::from_hash_text`] does. Spaces around it are ignored.
    ///
    /// Unknown parameters are skipped, and so is an `x.pe` that is no literal address with a port: a link must not make us look up names.
    ///
    /// # Errors
    /// No hash or a malformed one, two torrents in one link, a malformed `so`, or more than 64 KiB.
    pub fn parse(text: &str) -> Result<Self, MagnetError> {
        let text = text.trim();
        if text.len() > MAX_LENGTH {
            return Err(MagnetError::TooLong { received: text.len(), limit: MAX_LENGTH });
        }
        match text.split_at_checked("magnet:?".len()) {
            Some((scheme, query)) if scheme.eq_ignore_ascii_case("magnet:?") => Parts::read(query)?.finish(),
            _ => Self::from_hash_text(text).map_err(|error| Self::or_not_magnet(text, error)),
        }
    }

    /// A text of only letters and digits was meant as a hash; its error says more.
    fn or_not_magnet(text: &str, error: ParseHashError) -> MagnetError {
        let hash_like = text.len() >= 16 && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if hash_like { MagnetError::Hash(error) } else { MagnetError::NotMagnet }
    }

    /// A magnet of nothing but its hash: 40 hex digits or 32 base32 characters (v1), or 64 hex digits (v2).
    ///
    /// # Errors
    /// Another length, or a character outside the alphabet.
    pub fn from_hash_text(text: &str) -> Result<Self, ParseHashError> {
        let info_hash = if text.len() == 64 { InfoHash::V2(InfoHashV2::parse(text)?) } else { InfoHash::V1(InfoHashV1::parse(text)?) };
        Ok(Self { info_hash, name: None, trackers: Vec::new(), web_seeds: Vec::new(), peers: Vec::new(), select: None })
    }
}

impl FromStr for Magnet {
    type Err = MagnetError;

    fn from_str(text: &str) -> Result<Self, MagnetError> {
        Self::parse(text)
    }
}

/// What was found so far.
#[derive(Default)]
struct Parts {
    v1: Option<InfoHashV1>,
    v2: Option<InfoHashV2>,
    name: Option<String>,
    trackers: Vec<String>,
    web_seeds: Vec<String>,
    peers: Vec<SocketAddr>,
    /// As it was written, and the last one of several: a link may say it thousands of times, and each may stand for a million files.
    select: Option<String>,
}

impl Parts {
    fn read(query: &str) -> Result<Self, MagnetError> {
        let mut parts = Self::default();
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            // Links copied out of a page's source have `&amp;` between their parameters.
            let key = key.strip_prefix("amp;").unwrap_or(key);
            match unnumbered(key) {
                "xt" => parts.topic(&decode(value))?,
                "dn" => parts.name = parts.name.or_else(|| Some(decode(&value.replace('+', " ")))).filter(|name| !name.is_empty()),
                "tr" => keep(&mut parts.trackers, Some(decode(value)).filter(|url| !url.is_empty())),
                "ws" => keep(&mut parts.web_seeds, Some(decode(value)).filter(|url| !url.is_empty())),
                "x.pe" => keep(&mut parts.peers, literal(&decode(value))),
                "so" => parts.select = Some(decode(value)),
                _ => {}
            }
        }
        Ok(parts)
    }

    /// `xt`: other networks' topics are none of ours.
    fn topic(&mut self, urn: &str) -> Result<(), MagnetError> {
        match urn.split_at_checked("urn:btih:".len()) {
            Some((kind, hash)) if kind.eq_ignore_ascii_case("urn:btih:") => only(&mut self.v1, InfoHashV1::parse(hash)?),
            Some((kind, hash)) if kind.eq_ignore_ascii_case("urn:btmh:") => {
                let digest = hash.strip_prefix(SHA256_MULTIHASH).ok_or(MagnetError::Multihash)?;
                only(&mut self.v2, InfoHashV2::parse(digest).map_err(|_| MagnetError::Multihash)?)
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
        let Self { name, trackers, web_seeds, peers, select, .. } = self;
        let select = select.map(|text| unfold(&text)).transpose()?.flatten();
        Ok(Magnet { info_hash, name, trackers, web_seeds, peers, select })
    }
}

/// Some makers number repeated parameters: `tr.1`.
fn unnumbered(key: &str) -> &str {
    match key.split_once('.') {
        Some((name, number)) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => key,
    }
}

fn decode(value: &str) -> String {
    percent_decode_str(value).decode_utf8_lossy().into_owned()
}

/// Takes one more, once each, within the bound.
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

/// A dotted quad or a bracketed IPv6 address without a zone, with a port that can be dialled.
fn literal(text: &str) -> Option<SocketAddr> {
    let addr: SocketAddr = text.parse().ok()?;
    (addr.port() != 0 && !text.contains('%')).then_some(addr)
}

/// `0,2,4-6` (BEP 53), ascending and once each; nothing selects everything.
fn unfold(text: &str) -> Result<Option<Vec<u32>>, MagnetError> {
    const WRONG: MagnetError = MagnetError::Select { limit: MAX_SELECTED };
    if text.is_empty() {
        return Ok(None);
    }
    let mut ranges = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().map_err(|_| WRONG)?, last.parse().map_err(|_| WRONG)?);
        ranges.push(if first <= last { first..=last } else { return Err(WRONG) });
    }
    // Counted before anything is unfolded: a short link can name four thousand million files.
    if ranges.iter().map(|r| u64::from(r.end() - r.start()) + 1).sum::<u64>() > u64::from(MAX_SELECTED) {
        return Err(WRONG);
    }
    Ok(Some(ranges.into_iter().flatten().collect::<BTreeSet<_>>().into_iter().collect()))
}

/// The inverse of [`unfold`] for ascending indices.
fn fold(select: &[u32]) -> String {
    let neighbours = |a: &u32, b: &u32| a.checked_add(1) == Some(*b);
    let range = |run: &[u32]| match run {
        [first, .., last] => format!("{first}-{last}"),
        run => run.iter().map(u32::to_string).collect(),
    };
    select.chunk_by(neighbours).map(range).collect::<Vec<_>>().join(",")
}

impl fmt::Display for Magnet {
    /// The link, with everything foreign percent-encoded: safe on a terminal and in a page.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v1 = self.info_hash.v1().map(|hash| format!("xt=urn:btih:{hash}"));
        let v2 = self.info_hash.v2().map(|hash| format!("xt=urn:btmh:{SHA256_MULTIHASH}{hash}"));
        write!(f, "magnet:?{}", v1.into_iter().chain(v2).collect::<Vec<_>>().join("&"))?;
        let texts = self.name.iter().map(|name| ("dn", name)).chain(self.trackers.iter().map(|url| ("tr", url)));
        for (key, text) in texts.chain(self.web_seeds.iter().map(|url| ("ws", url))) {
            write!(f, "&{key}={}", utf8_percent_encode(text, RESERVED))?;
        }
        self.peers.iter().try_for_each(|peer| write!(f, "&x.pe={peer}"))?;
        self.select.iter().filter(|s| !s.is_empty()).try_for_each(|select| write!(f, "&so={}", fold(select)))
    }
}
