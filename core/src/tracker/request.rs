//! What clients ask, in whatever form, and what they are told.

use std::time::Duration;

use crate::types::InfoHashV1;

/// One announce. What a client says of its own address is never believed: the address that it asks
/// from is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announce {
    /// The swarm.
    pub info_hash: InfoHashV1,
    /// Where it listens; 0: nowhere, and it is not listed.
    pub port: u16,
    /// It lacks nothing.
    pub seed: bool,
    /// Why it asks.
    pub event: Event,
    /// Peers that it wants, if it says.
    pub num_want: Option<usize>,
}

/// Why a client announces itself (BEP 3). A `started` says nothing that an announce without an
/// event does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Event {
    /// It is there.
    #[default]
    Present,
    /// It has just got its last byte.
    Completed,
    /// It leaves.
    Stopped,
}

/// How a swarm is doing (BEP 48). Peers with both address families count twice: nothing tells that
/// they are one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Complete peers.
    pub seeders: u32,
    /// Other peers.
    pub leechers: u32,
    /// Downloads that were reported as complete.
    pub downloads: u32,
}

/// What an announce is answered, beside peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The swarm, the asker included.
    pub counts: Counts,
    /// Until the next announce.
    pub interval: Duration,
    /// Until the next announce at least.
    pub min_interval: Duration,
}

/// What becomes of an address that announces itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is given to others.
    Listed,
    /// It is that of the tracker's own host: given to others, and its swarms never make room.
    Hosted,
    /// It is given peers, and never given to others.
    Unlisted,
    /// It is told that its address is of no use.
    Refused,
}

/// Why a request is not answered. Prints as what the client's user is shown, short enough that no
/// answer is longer than its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No swarm is named, or not by 20 bytes.
    #[error("info_hash is missing or has not 20 bytes")]
    InfoHash,
    /// Not a number up to 65535.
    #[error("port is missing or not a port number")]
    Port,
    /// More than [`super::http::MAX_SCRAPED`].
    #[error("too many info_hashes in one scrape, at most 64 are answered")]
    TooMany,
    /// [`super::Config::requests_per_address`].
    #[error("too many requests from your address, ask less often")]
    Rate,
    /// [`super::Config::max_swarms`].
    #[error("this tracker is full, try again later")]
    Full,
    /// [`Admission::Refused`].
    #[error("this tracker does not list addresses like yours")]
    Address,
}
