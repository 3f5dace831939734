//! Info-hashes of both BitTorrent versions, piece digests, and peer ids.

use std::fmt;

/// A SHA-1 digest of a v1 piece, or of a block for comparison.
pub type Sha1Digest = [u8; 20];

/// The digest of a piece, in the version of the torrent's pieces. Digests of different versions are
/// never equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PieceDigest {
    /// SHA-1 of the piece (BEP 3).
    V1(Sha1Digest),
    /// The root of the SHA-256 tree over the piece's blocks of 16 KiB (BEP 52).
    V2([u8; 32]),
}

impl fmt::Debug for PieceDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest: &[u8] = match self {
            Self::V1(digest) => digest,
            Self::V2(digest) => digest,
        };
        f.write_str(&data_encoding::HEXLOWER.encode(digest))
    }
}

/// The SHA-1 digest of the raw bytes of a v1 `info` dictionary (BEP 3). Where 20 bytes identify a
/// swarm on the wire, it may also be a v2 hash truncated to that length (BEP 52); see
/// [`InfoHash::wire_names`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHashV1(pub [u8; 20]);

/// The SHA-256 digest of the raw bytes of a v2 `info` dictionary (BEP 52).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHashV2(pub [u8; 32]);

/// The identity of a torrent: a v1 hash, a v2 hash, or both for a hybrid torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InfoHash {
    /// A v1 torrent (BEP 3).
    V1(InfoHashV1),
    /// A v2-only torrent (BEP 52).
    V2(InfoHashV2),
    /// A hybrid torrent, which belongs to a v1 and a v2 swarm (BEP 52).
    Hybrid(InfoHashV1, InfoHashV2),
}

impl InfoHash {
    /// The 20 bytes in handshakes and announces: the v1 hash if there is one, otherwise the v2 hash
    /// truncated to 20 bytes (BEP 52).
    #[must_use]
    pub fn wire(&self) -> InfoHashV1 {
        match self {
            Self::V1(v1) | Self::Hybrid(v1, _) => *v1,
            Self::V2(v2) => {
                let mut cut = [0; 20];
                cut.copy_from_slice(&v2.0[..20]);
                InfoHashV1(cut)
            }
        }
    }

    /// All 20-byte hashes by which peers may request the torrent: that of [`InfoHash::wire`], and
    /// for a hybrid torrent also the v2 hash truncated to 20 bytes (BEP 52).
    pub fn wire_names(&self) -> impl Iterator<Item = InfoHashV1> + use<> {
        std::iter::once(self.wire()).chain(self.other_wire())
    }

    /// For a hybrid torrent, the truncated v2 hash, which identifies its v2 swarm; otherwise
    /// `None`.
    #[must_use]
    pub fn other_wire(&self) -> Option<InfoHashV1> {
        match self {
            Self::Hybrid(_, v2) => Some(Self::V2(*v2).wire()),
            Self::V1(_) | Self::V2(_) => None,
        }
    }

    /// The v1 hash, if the torrent has one.
    #[must_use]
    pub fn v1(&self) -> Option<InfoHashV1> {
        match self {
            Self::V1(v1) | Self::Hybrid(v1, _) => Some(*v1),
            Self::V2(_) => None,
        }
    }

    /// The v2 hash, if the torrent has one.
    #[must_use]
    pub fn v2(&self) -> Option<InfoHashV2> {
        match self {
            Self::V2(v2) | Self::Hybrid(_, v2) => Some(*v2),
            Self::V1(_) => None,
        }
    }
}

impl fmt::Display for InfoHash {
    /// The v1 hash in hexadecimal if there is one, otherwise the v2 hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V1(v1) | Self::Hybrid(v1, _) => v1.fmt(f),
            Self::V2(v2) => v2.fmt(f),
        }
    }
}

/// Why a text is not a hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseHashError {
    /// The length is neither that of a hexadecimal nor of a base32 hash.
    #[error("an info-hash has 40 hex digits (or 32 base32 characters), this has {0} characters")]
    Length(usize),
    /// A character is not in the alphabet.
    #[error("an info-hash has only hex digits (or base32 characters)")]
    Alphabet,
}

impl InfoHashV1 {
    /// Parses 40 hexadecimal digits or 32 base32 characters (RFC 4648), in either case.
    ///
    /// # Errors
    /// The length is wrong, or a character is not in the alphabet.
    pub fn parse(text: &str) -> Result<Self, ParseHashError> {
        let bytes = match text.len() {
            40 => data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()),
            32 => data_encoding::BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()),
            n => return Err(ParseHashError::Length(n)),
        };
        bytes
            .ok()
            .and_then(|b| b.try_into().ok())
            .map(Self)
            .ok_or(ParseHashError::Alphabet)
    }
}

impl InfoHashV2 {
    /// Parses 64 hexadecimal digits in either case.
    ///
    /// # Errors
    /// The length is wrong, or a character is not in the alphabet.
    pub fn parse(text: &str) -> Result<Self, ParseHashError> {
        if text.len() != 64 {
            return Err(ParseHashError::Length(text.len()));
        }
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes());
        bytes
            .ok()
            .and_then(|b| b.try_into().ok())
            .map(Self)
            .ok_or(ParseHashError::Alphabet)
    }
}

macro_rules! hex_fmt {
    ($($t:ty),*) => {$(
        impl fmt::Display for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
            }
        }
        impl fmt::Debug for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}
hex_fmt!(InfoHashV1, InfoHashV2);

/// The 20 bytes by which a peer identifies itself (BEP 3, BEP 20).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub [u8; 20]);

impl PeerId {
    /// The first eight bytes of every peer id of Aqueduct, in Azureus style (BEP 20): the client
    /// `AQ` and the crate's version.
    pub const PREFIX: [u8; 8] = *b"-AQ0100-";

    /// [`PeerId::PREFIX`] followed by twelve random bytes.
    #[must_use]
    pub fn ours(random: [u8; 12]) -> Self {
        let mut id = [0; 20];
        id[..8].copy_from_slice(&Self::PREFIX);
        id[8..].copy_from_slice(&random);
        Self(id)
    }
}

impl fmt::Debug for PeerId {
    /// Printable ASCII unchanged, any other byte as `.`, so that a peer cannot control a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &b in &self.0 {
            let shown = if b.is_ascii_graphic() {
                char::from(b)
            } else {
                '.'
            };
            write!(f, "{shown}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_v1_hash_are_read() {
        let hex = "00112233445566778899aabbccddeeff00112233";
        let hash = InfoHashV1::parse(hex).unwrap();
        assert_eq!(hash.to_string(), hex);
        let base32 = data_encoding::BASE32_NOPAD.encode(&hash.0);
        assert_eq!(InfoHashV1::parse(&base32.to_lowercase()).unwrap(), hash);
        assert_eq!(InfoHashV1::parse("0011"), Err(ParseHashError::Length(4)));
        assert_eq!(
            InfoHashV1::parse(&"g".repeat(40)),
            Err(ParseHashError::Alphabet)
        );
    }

    #[test]
    fn a_v2_swarm_is_named_on_the_wire_by_the_first_twenty_bytes() {
        let v2 = InfoHashV2(std::array::from_fn(|i| u8::try_from(i).unwrap()));
        assert_eq!(InfoHash::V2(v2).wire().0[..], v2.0[..20]);
        let (v1, cut) = (InfoHashV1([9; 20]), InfoHash::V2(v2).wire());
        let hybrid = InfoHash::Hybrid(v1, v2);
        assert_eq!(hybrid.wire(), v1);
        assert_eq!(hybrid.wire_names().collect::<Vec<_>>(), [v1, cut]);
        assert_eq!(InfoHash::V1(v1).wire_names().collect::<Vec<_>>(), [v1]);
        assert_eq!(InfoHash::V2(v2).wire_names().collect::<Vec<_>>(), [cut]);
    }
}
