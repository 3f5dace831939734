//! The peer wire: what two peers say to each other (BEP 3, 5, 6, 10), one file a message or small
//! family.
//!
//! After the handshake every message is a length of four bytes (big endian, as all numbers here),
//! an id of one byte that the length counts, and a body. [`Message::decode`] takes one off a
//! receive buffer, [`Message::encode`] writes one; neither copies a block's data.
//! [`crate::connection::Connection`] puts handshake and messages in order.

mod bitfield;
mod codec;
mod encryption;
mod extended;
mod fast;
mod fields;
mod handshake;
mod have;
mod piece;
mod port;
mod request;
mod state;

use bytes::Bytes;

use crate::types::{Block, InfoHashV1};

pub use codec::MAX_UNKNOWN;
#[cfg(test)]
pub(crate) use codec::tests as testing;
pub use encryption::EncryptionError;
pub use extended::MAX_EXTENDED;
pub use handshake::{HANDSHAKE_LEN, Handshake};
pub(crate) use handshake::{PEER_ID_AT, RESERVED_AT};
pub use piece::MAX_BLOCK;

/// The eight reserved bytes of a handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reserved(pub [u8; 8]);

impl Reserved {
    /// What we announce: fast extension (BEP 6) and extension protocol (BEP 10).
    pub const OURS: Self = Self([0, 0, 0, 0, 0, 0x10, 0, 0x04]);
    /// The same, and that we have a DHT node (BEP 5).
    #[must_use]
    pub const fn with_dht(mut self) -> Self {
        self.0[7] |= 0x01;
        self
    }
    /// BEP 6.
    #[must_use]
    pub const fn fast(self) -> bool {
        self.0[7] & 0x04 != 0
    }
    /// BEP 10.
    #[must_use]
    pub const fn extended(self) -> bool {
        self.0[5] & 0x10 != 0
    }
    /// BEP 5.
    #[must_use]
    pub const fn dht(self) -> bool {
        self.0[7] & 0x01 != 0
    }
}

/// A range as it stands in `request`, `cancel`, `reject` (BEP 3, 6): not checked against any
/// torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RawBlock {
    /// Piece index.
    pub index: u32,
    /// Offset in the piece, bytes.
    pub begin: u32,
    /// Bytes.
    pub length: u32,
}

/// One message after the handshake. Shapes are right; numbers are not checked against any torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Length 0 (BEP 3).
    KeepAlive,
    /// Id 0.
    Choke,
    /// Id 1.
    Unchoke,
    /// Id 2.
    Interested,
    /// Id 3.
    NotInterested,
    /// Id 4: piece index.
    Have(u32),
    /// Id 5: one bit a piece.
    Bitfield(Bytes),
    /// Id 6.
    Request(RawBlock),
    /// Id 7: a block of data.
    Piece {
        /// Piece index.
        index: u32,
        /// Offset in the piece.
        begin: u32,
        /// A slice of the receive buffer.
        data: Bytes,
    },
    /// Id 8.
    Cancel(RawBlock),
    /// Id 9 (BEP 5): the peer's DHT port.
    Port(u16),
    /// Id 13 (BEP 6).
    Suggest(u32),
    /// Id 14 (BEP 6).
    HaveAll,
    /// Id 15 (BEP 6).
    HaveNone,
    /// Id 16 (BEP 6).
    Reject(RawBlock),
    /// Id 17 (BEP 6).
    AllowedFast(u32),
    /// Id 20 (BEP 10): the extension's number as its receiver named it (0: the extended handshake)
    /// and its payload.
    Extended {
        /// 0 is the extended handshake.
        id: u8,
        /// Bencoded, perhaps followed by data.
        payload: Bytes,
    },
}

impl From<Block> for RawBlock {
    fn from(block: Block) -> Self {
        Self {
            index: block.piece().get(),
            begin: block.begin(),
            length: block.length(),
        }
    }
}

/// How a peer broke the wire's rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The exchange before an encrypted handshake failed.
    #[error(transparent)]
    Encryption(#[from] EncryptionError),
    /// Not the 19 bytes + "BitTorrent protocol" of BEP 3.
    #[error("the handshake does not begin with the protocol's name")]
    Protocol,
    /// The handshake is for another torrent than the one we dialled for.
    #[error("the handshake is for info-hash {received}, not for {expected}")]
    InfoHash {
        /// Ours.
        expected: InfoHashV1,
        /// The remote's.
        received: InfoHashV1,
    },
    /// A message of another length than its type has.
    #[error("message {id}: {expected} bytes expected, {received} came")]
    Length {
        /// Its id.
        id: u8,
        /// What BEP 3, 6 or 10 says.
        expected: u32,
        /// What its header says.
        received: u32,
    },
    /// A message too short to hold what its type says.
    #[error("message {id} of {received} bytes; it has at least {least}")]
    TooShort {
        /// Its id.
        id: u8,
        /// What BEP 3 or 10 says.
        least: u32,
        /// What its header says.
        received: u32,
    },
    /// A message longer than its type may be.
    #[error("message {id} of {received} bytes; at most {limit} are taken")]
    TooLong {
        /// Its id.
        id: u8,
        /// Our bound.
        limit: u32,
        /// What its header says.
        received: u32,
    },
}
