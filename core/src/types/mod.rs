//! Values that are checked once and carried afterwards: indices that cannot be out of range, hashes
//! that know their version, time that only moves when told.

mod addr;
mod bitfield;
mod hash;
mod ids;
mod lengths;
mod text;
mod time;

pub use addr::{PeerAddr, PeerIdentity, PeerSource, TabId};
pub use bitfield::{Bitfield, BitfieldError};
pub use hash::{InfoHash, InfoHashV1, InfoHashV2, ParseHashError, PeerId, PieceDigest, Sha1Digest};
pub use ids::{ConnId, RequestId, TorrentId};
pub use lengths::{BLOCK_SIZE, Block, Lengths, LengthsError, MAX_PIECE_LENGTH, MAX_PIECES, Piece};
pub use text::{is_hidden, is_reordering, visible};
pub use time::Instant;
