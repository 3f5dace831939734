//! Types that are validated on construction: indices that cannot be out of range, hashes that carry
//! their version, and time that only the driver advances.

mod addr;
mod bitfield;
mod hash;
mod ids;
mod lengths;
pub mod sort;
mod sorted;
mod text;
mod time;

pub use addr::{PeerAddr, PeerIdentity, PeerSource, TabId};
pub use bitfield::{Bitfield, BitfieldError};
pub use hash::{InfoHash, InfoHashV1, InfoHashV2, ParseHashError, PeerId, PieceDigest, Sha1Digest};
pub use ids::{ConnId, RequestId, TorrentId};
pub use lengths::{BLOCK_SIZE, Block, Lengths, LengthsError, MAX_PIECE_LENGTH, MAX_PIECES, Piece};
pub use sorted::{SortedMap, SortedSet};
pub use text::{is_hidden, is_reordering, visible};
pub use time::Instant;
