//! The peer wire protocol (BEP 3, 5, 6, 10), with one file per message or small group of messages.
//!
//! After the handshake every message consists of a length of four bytes (big-endian, as all numbers
//! here), an id of one byte that is included in the length, and a body. [`Message::decode`] removes
//! a message from a receive buffer, [`Message::encode`] writes one; neither copies a block's data.
//! [`crate::connection::Connection`] enforces the order of handshake and messages.

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
    /// The capabilities that we announce: the fast extension (BEP 6) and the extension protocol
    /// (BEP 10).
    pub const OURS: Self = Self([0, 0, 0, 0, 0, 0x10, 0, 0x04]);
    /// Adds the capability of a DHT node (BEP 5).
    #[must_use]
    pub const fn with_dht(mut self) -> Self {
        self.0[7] |= 0x01;
        self
    }
    /// Whether the fast extension is supported (BEP 6).
    #[must_use]
    pub const fn fast(self) -> bool {
        self.0[7] & 0x04 != 0
    }
    /// Whether the extension protocol is supported (BEP 10).
    #[must_use]
    pub const fn extended(self) -> bool {
        self.0[5] & 0x10 != 0
    }
    /// Whether the peer has a DHT node (BEP 5).
    #[must_use]
    pub const fn dht(self) -> bool {
        self.0[7] & 0x01 != 0
    }
}

/// A range in `request`, `cancel` or `reject` (BEP 3, 6), not checked against any torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RawBlock {
    /// The piece index.
    pub index: u32,
    /// The offset in the piece, in bytes.
    pub begin: u32,
    /// The length in bytes.
    pub length: u32,
}

/// A message after the handshake. Its format is valid; numbers are not checked against any torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A message of length 0 (BEP 3).
    KeepAlive,
    /// Id 0 (BEP 3).
    Choke,
    /// Id 1 (BEP 3).
    Unchoke,
    /// Id 2 (BEP 3).
    Interested,
    /// Id 3 (BEP 3).
    NotInterested,
    /// Id 4 (BEP 3): a piece index.
    Have(u32),
    /// Id 5 (BEP 3): one bit per piece.
    Bitfield(Bytes),
    /// Id 6 (BEP 3): a request for a block.
    Request(RawBlock),
    /// Id 7 (BEP 3): a block of data.
    Piece {
        /// The piece index.
        index: u32,
        /// The offset in the piece, in bytes.
        begin: u32,
        /// The data, a slice of the receive buffer.
        data: Bytes,
    },
    /// Id 8 (BEP 3): withdraws a request.
    Cancel(RawBlock),
    /// Id 9 (BEP 5): the UDP port of the peer's DHT node.
    Port(u16),
    /// Id 13 (BEP 6): the index of a piece that the sender suggests to download.
    Suggest(u32),
    /// Id 14 (BEP 6): the sender has all pieces.
    HaveAll,
    /// Id 15 (BEP 6): the sender has no pieces.
    HaveNone,
    /// Id 16 (BEP 6): refuses a request.
    Reject(RawBlock),
    /// Id 17 (BEP 6): the index of a piece that may be requested while choked.
    AllowedFast(u32),
    /// Id 20 (BEP 10): a message of an extension.
    Extended {
        /// The number that the receiver assigned to the extension; 0 is the extended handshake.
        id: u8,
        /// A bencoded dictionary, possibly followed by data.
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

/// How a peer violated the wire protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The exchange before an encrypted handshake failed.
    #[error(transparent)]
    Encryption(#[from] EncryptionError),
    /// The handshake does not start with the byte 19 and "BitTorrent protocol" (BEP 3).
    #[error("the handshake does not begin with the protocol's name")]
    Protocol,
    /// The handshake is for another torrent than the one that was dialled.
    #[error("the handshake is for info-hash {received}, not for {expected}")]
    InfoHash {
        /// The info-hash that was dialled.
        expected: InfoHashV1,
        /// The info-hash that was received.
        received: InfoHashV1,
    },
    /// The length does not match the type of the message.
    #[error("message {id}: {expected} bytes expected, {received} came")]
    Length {
        /// The id of the message.
        id: u8,
        /// The length according to BEP 3, 6 or 10.
        expected: u32,
        /// The length in the header.
        received: u32,
    },
    /// The message is too short for its type.
    #[error("message {id} of {received} bytes; it has at least {least}")]
    TooShort {
        /// The id of the message.
        id: u8,
        /// The minimum length according to BEP 3 or 10.
        least: u32,
        /// The length in the header.
        received: u32,
    },
    /// The message is too long for its type.
    #[error("message {id} of {received} bytes; at most {limit} are taken")]
    TooLong {
        /// The id of the message.
        id: u8,
        /// The maximum length.
        limit: u32,
        /// The length in the header.
        received: u32,
    },
}
