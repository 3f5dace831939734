//! Files that a tab offers to media players on its machine. A player requests them from the bridge
//! over HTTP; the bridge answers with what it reads from the tab.

use std::fmt;
use std::ops::Range;

use bytes::{BufMut, BytesMut};
use data_encoding::HEXLOWER;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::Fault;
use super::reader::{Reader, put_bytes};
use crate::media::{MAX_MEDIA_TYPE, MediaType};
use crate::types::SortedMap;

/// The path of a bridge's URL for players, followed by the token, a slash and any name.
pub const PLAYER_PATH: &str = "/v1/play/";

/// The name by which players request an offered file: 128 random bits, as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PlayerToken(pub [u8; 16]);

impl PlayerToken {
    /// Parses 32 hexadecimal digits in lower case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Display for PlayerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// Whoever has a token reads the file, so none reaches a log.
impl fmt::Debug for PlayerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlayerToken(..)")
    }
}

/// What a file's name in a URL has in place of all characters but letters, digits and `-._~`
/// (RFC 3986, 2.3), so that it can be copied anywhere.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// The maximum number of characters of a file's name in a URL. Of a longer one, the end with its
/// extension is kept.
const MAX_NAME: usize = 200;

/// The path of a bridge's URL for players. The name of the file is only for people and for players
/// that show it; the bridge ignores it.
#[must_use]
pub fn player_path(token: PlayerToken, name: &str) -> String {
    let skipped = name.chars().count().saturating_sub(MAX_NAME);
    let name: String = name.chars().skip(skipped).collect();
    let name = utf8_percent_encode(&name, ENCODED);
    format!("{PLAYER_PATH}{token}/{name}")
}

/// What a bridge must know of an offered file to answer a player. Its name is not among it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedFile {
    /// The size in bytes.
    pub size: u64,
    /// The media type.
    pub media_type: MediaType,
}

impl OfferedFile {
    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u64(self.size);
        put_bytes(out, self.media_type.as_str().as_bytes());
    }

    pub(super) fn read(mut r: Reader) -> Result<Self, Fault> {
        let (size, name) = (r.u64()?, r.bytes(MAX_MEDIA_TYPE)?);
        let media_type = std::str::from_utf8(&name).ok().and_then(MediaType::parse);
        let media_type = media_type.ok_or(r.fault())?;
        r.end()?;
        Ok(Self { size, media_type })
    }
}

/// The bytes of an offered file that a player reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReadRequest {
    pub(super) offer: u32,
    pub(super) bytes: Range<u64>,
}

impl ReadRequest {
    pub(super) fn write(&self, out: &mut BytesMut) {
        out.put_u32(self.offer);
        out.put_u64(self.bytes.start);
        out.put_u64(self.bytes.end);
    }

    pub(super) fn read(mut r: Reader) -> Result<Self, Fault> {
        let (offer, start, end) = (r.u32()?, r.u64()?, r.u64()?);
        if start >= end {
            return Err(r.fault());
        }
        r.end()?;
        let bytes = start..end;
        Ok(Self { offer, bytes })
    }
}

/// The offers of a session, as both sides track them.
#[derive(Debug, Default)]
pub(super) struct Offers {
    limit: u16,
    /// The size of each offered file in bytes.
    sizes: SortedMap<u32, u64>,
    newest: u32,
}

impl Offers {
    /// At most `limit` offers at a time.
    pub(super) fn new(limit: u16) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// A number for a new offer, higher than all earlier ones; `None` if there are as many as agreed.
    pub(super) fn next(&self) -> Option<u32> {
        let next = self.newest.checked_add(1)?;
        (self.sizes.len() < usize::from(self.limit)).then_some(next)
    }

    /// Adds an offer. Numbers must increase, so that late frames cannot refer to a newer offer.
    pub(super) fn add(&mut self, offer: u32, size: u64) -> Result<(), Fault> {
        if offer <= self.newest {
            return Err(Fault::DuplicateOffer(offer));
        }
        if self.sizes.len() >= usize::from(self.limit) {
            return Err(Fault::TooManyOffers(self.limit));
        }
        self.newest = offer;
        self.sizes.insert(offer, size);
        Ok(())
    }

    /// Removes an offer. Returns whether it existed.
    pub(super) fn remove(&mut self, offer: u32) -> bool {
        self.sizes.remove(&offer).is_some()
    }

    pub(super) fn contain(&self, offer: u32) -> bool {
        self.sizes.contains_key(&offer)
    }

    /// Whether an offered file has these bytes; `None` if there is no such offer.
    pub(super) fn have(&self, request: &ReadRequest) -> Option<bool> {
        let size = self.sizes.get(&request.offer)?;
        Some(request.bytes.start < request.bytes.end && request.bytes.end <= *size)
    }
}
