//! What every part of discovery knows a torrent by.

use crate::types::{InfoHashV1, PeerId};

/// A membership in a swarm. Two tabs of one bridge are two members of the same swarm: their `owner`
/// tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The swarm, as announces name it ([`crate::types::InfoHash::wire`]).
    pub info_hash: InfoHashV1,
    /// Chosen by the driver; budgets count by it.
    pub owner: u64,
}

/// What discovery must know of a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swarm {
    /// Tiers of tracker URLs (BEP 12), as the torrent has them. Duplicates and what is not http,
    /// https or udp are never asked.
    pub trackers: Vec<Vec<String>>,
    /// The id that stands in our handshakes, too.
    pub peer_id: PeerId,
    /// Where we listen for peers.
    pub port: u16,
    /// How far we are.
    pub amounts: Amounts,
    /// BEP 27: nobody but the trackers is asked, nor told of us. Of a magnet link this is known
    /// late.
    pub private: bool,
}

/// Payload bytes, for announces (BEP 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Sent to peers.
    pub uploaded: u64,
    /// Received from peers.
    pub downloaded: u64,
    /// Missing; `None` as long as the metadata are (a tracker is then told some, so that it does
    /// not take us for a seed).
    pub left: Option<u64>,
}

/// Why a torrent was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// The same key is there.
    #[error("the torrent {0} was added already")]
    Duplicate(InfoHashV1),
}
