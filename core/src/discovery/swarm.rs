//! The identification of a torrent in all parts of discovery.

use crate::types::{InfoHashV1, PeerId};

/// A membership in a swarm. Two tabs of one bridge are two members of the same swarm, distinguished
/// by `owner`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The info-hash of the swarm, as in announces ([`crate::types::InfoHash::wire`]).
    pub info_hash: InfoHashV1,
    /// The owner, chosen by the driver. Budgets apply per owner.
    pub owner: u64,
}

/// The properties of a torrent that discovery needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swarm {
    /// The tiers of tracker URLs (BEP 12) in the torrent's order. Duplicates and URLs that are not
    /// http, https or udp are never asked.
    pub trackers: Vec<Vec<String>>,
    /// Our peer id, which is also used in handshakes.
    pub peer_id: PeerId,
    /// Our listening port.
    pub port: u16,
    /// The amounts for announces.
    pub amounts: Amounts,
    /// Whether the torrent is private (BEP 27): only trackers are used. For a magnet link this
    /// becomes known later.
    pub private: bool,
}

/// Amounts of payload in bytes, for announces (BEP 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Bytes sent to peers.
    pub uploaded: u64,
    /// Bytes received from peers.
    pub downloaded: u64,
    /// Bytes missing; `None` while the metadata are unknown (a tracker is then sent a nonzero
    /// number, so that it does not treat us as a seed).
    pub left: Option<u64>,
}

/// Why a torrent was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// The same key exists already.
    #[error("the torrent {0} was added already")]
    Duplicate(InfoHashV1),
}
