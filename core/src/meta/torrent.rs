//! The .torrent file around the `info` dictionary: tracker tiers (BEP 12), web seeds (BEP 19),
//! creator and creation time.

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_bytes::ByteBuf;

use super::{Info, Magnet, Metainfo, MetainfoError, NotATorrent};
use crate::bencode::{BencodeError, Encoded, Encoder, Limits, Value, scan, scan_prefix};

/// The maximum number of tracker URLs, and of web seed URLs; more are ignored.
const MAX_URLS: usize = 200;
/// The maximum length of a URL in bytes; longer ones are ignored.
const MAX_URL: usize = 2048;
/// The maximum size of a URL list in bytes; a longer list is ignored. It is well above the size of
/// all URLs that are kept. The deserialized list is many times larger than its bytes.
const MAX_URL_LIST: usize = 1 << 20;

impl Metainfo {
    /// Parses a .torrent file of at most 10 MB.
    ///
    /// Only the `info` dictionary must be valid. Other entries of the wrong type are ignored, of
    /// duplicate keys the first one counts, and data after the dictionary (some sites append line
    /// breaks) are ignored.
    ///
    /// # Errors
    /// The first fault found; see [`MetainfoError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, MetainfoError> {
        let whole = Bytes::copy_from_slice(bytes);
        let keys = Keys::of(dictionary(&whole)?)?;
        Ok(Self {
            info: Arc::new(info(
                keys.info.ok_or(MetainfoError::Missing("info"))?,
                &whole,
            )?),
            trackers: tiers(keys.announce_list, keys.announce),
            web_seeds: keys
                .url_list
                .and_then(urls)
                .map(Urls::into_urls)
                .unwrap_or_default(),
            comment: keys.comment.and_then(text),
            created_by: keys.created_by.and_then(text),
            created: keys.created.and_then(Value::as_int),
        })
    }

    /// Encodes the .torrent file: canonical, except that `info` is kept byte for byte.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut dict = Encoder::new();
        dict.put("info", Encoded::raw(&self.info.raw[..]));
        if let Some(first) = self.trackers.iter().flatten().next() {
            dict.bytes("announce", first);
        }
        if self.trackers.iter().flatten().count() > 1 {
            dict.list(
                "announce-list",
                self.trackers.iter().map(|tier| strings(tier)),
            );
        }
        if !self.web_seeds.is_empty() {
            dict.put("url-list", strings(&self.web_seeds));
        }
        for (key, value) in [("comment", &self.comment), ("created by", &self.created_by)] {
            if let Some(text) = value {
                dict.bytes(key, text);
            }
        }
        if let Some(seconds) = self.created {
            dict.int("creation date", seconds);
        }
        dict.finish()
    }

    /// The magnet link (BEP 9) of this torrent, with its trackers and web seeds.
    #[must_use]
    pub fn magnet(&self) -> Magnet {
        Magnet {
            info_hash: self.info.info_hash,
            name: Some(self.info.name.clone()),
            trackers: self.trackers.concat(),
            web_seeds: self.web_seeds.clone(),
            peers: Vec::new(),
            select: None,
        }
    }
}

/// Reads the hashed dictionary, with stricter rules than the rest of the file.
fn info(value: Value<'_>, whole: &Bytes) -> Result<Info, MetainfoError> {
    let raw = whole.slice_ref(value.raw());
    let before = raw.as_ptr().addr() - whole.as_ptr().addr();
    scan(&raw, Limits::METADATA).map_err(|error| BencodeError {
        at: before + error.at,
        ..error
    })?;
    Info::read(value, whole)
}

/// The dictionary at the start of the file.
fn dictionary(file: &[u8]) -> Result<Value<'_>, MetainfoError> {
    if file.len() > Limits::TORRENT.bytes {
        scan(file, Limits::TORRENT)?;
    }
    match scan_prefix(file, Limits::TORRENT) {
        Ok((value, _rest)) => Ok(value),
        Err(error) => {
            Err(NotATorrent::recognise(file).map_or(error.into(), MetainfoError::NotATorrent))
        }
    }
}

fn strings(texts: &[String]) -> Encoded {
    Encoded::list(texts.iter().map(Encoded::bytes))
}

fn text(value: Value<'_>) -> Option<String> {
    value
        .as_bytes()
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

/// The entries of the file, found in a single pass, since `info` may be megabytes long.
struct Keys<'a> {
    announce: Option<Value<'a>>,
    announce_list: Option<Value<'a>>,
    comment: Option<Value<'a>>,
    created_by: Option<Value<'a>>,
    created: Option<Value<'a>>,
    info: Option<Value<'a>>,
    url_list: Option<Value<'a>>,
}

impl<'a> Keys<'a> {
    fn of(torrent: Value<'a>) -> Result<Self, MetainfoError> {
        let dict = torrent.as_dict().ok_or(MetainfoError::Type {
            key: "torrent",
            expected: "a dictionary",
        })?;
        let names = [
            "announce",
            "announce-list",
            "comment",
            "created by",
            "creation date",
            "info",
            "url-list",
        ];
        let [
            announce,
            announce_list,
            comment,
            created_by,
            created,
            info,
            url_list,
        ] = dict.gather(names);
        if dict
            .iter()
            .any(|(key, value)| key == b"info" && Some(value) != info)
        {
            return Err(MetainfoError::TwoInfos);
        }
        Ok(Self {
            announce,
            announce_list,
            comment,
            created_by,
            created,
            info,
            url_list,
        })
    }
}

/// A string or a list: BEP 19 allows both for `url-list`, and some programs write a string as a tier
/// of `announce-list`. Whatever else a program writes there does not spoil what stands beside it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Urls {
    // First, since serde takes a list of small integers for a string.
    Many(Vec<Self>),
    One(ByteBuf),
    Other(IgnoredAny),
}

impl Urls {
    /// What a list consists of; itself, if it is none.
    fn into_members(self) -> Vec<Self> {
        match self {
            Self::Many(members) => members,
            other => vec![other],
        }
    }

    /// The strings in it that may be URLs, at most [`MAX_URLS`].
    fn into_urls(self) -> Vec<String> {
        let members = self.into_members().into_iter();
        let texts = members.filter_map(|member| match member {
            Self::One(text) => Some(text),
            Self::Many(_) | Self::Other(_) => None,
        });
        texts.filter_map(|text| url(&text)).take(MAX_URLS).collect()
    }
}

fn urls(value: Value<'_>) -> Option<Urls> {
    if value.raw().len() <= MAX_URL_LIST {
        value.typed()
    } else {
        None
    }
}

fn url(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    (!text.is_empty() && text.len() <= MAX_URL).then(|| text.to_owned())
}

/// BEP 12: `announce` is used only if `announce-list` contains no tracker.
fn tiers(list: Option<Value<'_>>, announce: Option<Value<'_>>) -> Vec<Vec<String>> {
    let tiers = list.and_then(urls).map(Urls::into_members);
    let mut left = MAX_URLS;
    let tiers = tiers.into_iter().flatten();
    let mut named: Vec<Vec<String>> = tiers.map(Urls::into_urls).collect();
    for tier in &mut named {
        tier.truncate(left);
        left -= tier.len();
    }
    named.retain(|tier| !tier.is_empty());
    if named.is_empty() {
        named.extend(
            announce
                .and_then(Value::as_bytes)
                .and_then(url)
                .map(|url| vec![url]),
        );
    }
    named
}
