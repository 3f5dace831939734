//! Compressed bodies of HTTP.

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::error::NetError;

/// How a body is packed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Packing {
    Gzip,
    Zlib,
    Deflate,
}

impl Packing {
    /// Recognised by the first bytes, as some servers do not declare it. Neither bencode nor a web
    /// page begins so.
    pub(super) fn of(body: &[u8]) -> Option<Self> {
        match *body {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            // RFC 1950: method 8 with a window of 32 KiB, and a checksum over both bytes.
            [0x78, flags, ..] if u16::from_be_bytes([0x78, flags]).is_multiple_of(31) => {
                Some(Self::Zlib)
            }
            _ => None,
        }
    }

    /// Unpacks at most one byte more than allowed: a small body that unpacks to a huge one costs no
    /// more than an ordinary answer.
    pub(super) fn unpack(self, packed: &[u8], limit: u64) -> Result<Bytes, NetError> {
        let mut whole = Vec::new();
        let unpacked = match self {
            Self::Gzip => MultiGzDecoder::new(packed)
                .take(limit + 1)
                .read_to_end(&mut whole),
            Self::Zlib => ZlibDecoder::new(packed)
                .take(limit + 1)
                .read_to_end(&mut whole),
            Self::Deflate => DeflateDecoder::new(packed)
                .take(limit + 1)
                .read_to_end(&mut whole),
        };
        unpacked.map_err(|_| NetError::Http(format!("broken {}", self.name())))?;
        if whole.len() as u64 > limit {
            Err(NetError::TooLong { limit })
        } else {
            Ok(whole.into())
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zlib | Self::Deflate => "deflate",
        }
    }
}
