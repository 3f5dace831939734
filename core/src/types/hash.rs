//! Info-hashes of both BitTorrent versions, and peer ids.

use std::fmt;

/// A SHA-1 digest: of a v1 piece, or of a block that is compared.
pub type Sha1Digest = [u8; 20];

/// The digest of a piece, of the version that the torrent's pieces have. Digests of different
/// versions never match.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PieceDigest {
    /// SHA-1 of the piece (BEP 3).
    V1(Sha1Digest),
    /// Root of the SHA-256 tree over the piece's blocks of 16 KiB (BEP 52).
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

/// SHA-1 of the raw bytes of a v1 `info` dictionary (BEP 3). Where 20 bytes name a swarm on the
/// wire, it may also be a v2 hash cut to that length (BEP 52); see [`InfoHash::wire_names`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHashV1(pub [u8; 20]);

/// SHA-256 of the raw bytes of a v2 `info` dictionary (BEP 52).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHashV2(pub [u8; 32]);

/// What names a swarm: a v1 hash, a v2 hash, or both for a hybrid torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InfoHash {
    /// BEP 3.
    V1(InfoHashV1),
    /// BEP 52.
    V2(InfoHashV2),
    /// BEP 52, a torrent that belongs to a v1 and a v2 swarm.
    Hybrid(InfoHashV1, InfoHashV2),
}

impl InfoHash {
    /// The 20 bytes that stand in handshakes and announces: the v1 hash if there is one, else the
    /// v2 hash cut to 20 bytes (BEP 52).
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

    /// All 20 bytes by which peers may ask for the torrent: those of [`InfoHash::wire`], and of a
    /// hybrid torrent also the v2 hash cut to 20 bytes (BEP 52).
    pub fn wire_names(&self) -> impl Iterator<Item = InfoHashV1> + use<> {
        std::iter::once(self.wire()).chain(self.other_wire())
    }

    /// Of a hybrid torrent the name of its v2 swarm, which [`InfoHash::wire`] is not.
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
    /// The v1 hash in hex if there is one, else the v2 hash.
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
    /// Neither 40 hex digits nor 32 base32 characters.
    #[error("an info-hash has 40 hex digits (or 32 base32 characters), this has {0} characters")]
    Length(usize),
    /// A character outside the alphabet.
    #[error("an info-hash has only hex digits (or base32 characters)")]
    Alphabet,
}

impl InfoHashV1 {
    /// Reads 40 hex digits (either case) or 32 base32 characters (RFC 4648, either case).
    ///
    /// # Errors
    /// Another length, or a character outside the alphabet.
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
    /// Reads 64 hex digits, either case.
    ///
    /// # Errors
    /// Another length, or a character outside the alphabet.
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

/// Twenty bytes by which a peer names itself (BEP 3, BEP 20).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub [u8; 20]);

impl PeerId {
    /// The first eight bytes of every peer id Aqueduct makes, Azureus style (BEP 20): client `AQ`
    /// and the crate's version.
    pub const PREFIX: [u8; 8] = *b"-AQ0100-";

    /// Our prefix followed by twelve random bytes.
    #[must_use]
    pub fn ours(random: [u8; 12]) -> Self {
        let mut id = [0; 20];
        id[..8].copy_from_slice(&Self::PREFIX);
        id[8..].copy_from_slice(&random);
        Self(id)
    }
}

impl fmt::Debug for PeerId {
    /// Printable ASCII as it is, anything else as `.`, so that a peer cannot write to a terminal.
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
