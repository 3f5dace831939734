//! Requests and answers, independent of the protocol.

use std::time::Duration;

use crate::types::InfoHashV1;

/// An announce. The client's own statement of its address is ignored; the address that it sends
/// from is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announce {
    /// The info-hash of the swarm.
    pub info_hash: InfoHashV1,
    /// The client's listening port; 0 if it does not listen, in which case it is not listed.
    pub port: u16,
    /// Whether the client is complete.
    pub seed: bool,
    /// The event of the announce.
    pub event: Event,
    /// The number of peers that the client requests, if it says so.
    pub num_want: Option<usize>,
}

/// The event of an announce (BEP 3). `started` is treated like an announce without an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Event {
    /// The client is active.
    #[default]
    Present,
    /// The client has just completed the download.
    Completed,
    /// The client is leaving.
    Stopped,
}

/// The counts of a swarm (BEP 48). A peer with both address families counts twice, since the two
/// entries cannot be matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The number of complete peers.
    pub seeders: u32,
    /// The number of incomplete peers.
    pub leechers: u32,
    /// The number of downloads that were reported as completed.
    pub downloads: u32,
}

/// The answer to an announce, without the peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnounceAnswer {
    /// The swarm, the asker included.
    pub counts: Counts,
    /// The time until the next announce.
    pub interval: Duration,
    /// The minimum time until the next announce.
    pub min_interval: Duration,
}

/// How the address of an announcing client is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is returned to other clients.
    Listed,
    /// It is that of the tracker's own host: given to others, and its swarms never make room.
    Hosted,
    /// It is given peers, and never given to others.
    Unlisted,
    /// The announce is refused, since other peers cannot use the address.
    Refused,
}

/// Why a request was refused. The text is displayed to the client's user, and is short enough that
/// no answer is longer than its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The info-hash is missing or does not have 20 bytes.
    #[error("info_hash is missing or has not 20 bytes")]
    InfoHash,
    /// The port is not a number up to 65535.
    #[error("port is missing or not a port number")]
    Port,
    /// The scrape has more than [`super::http::MAX_SCRAPED`] info-hashes.
    #[error("too many info_hashes in one scrape, at most 64 are answered")]
    TooMany,
    /// The limit [`super::Config::requests_per_address`] is exceeded.
    #[error("too many requests from your address, ask less often")]
    Rate,
    /// The limit [`super::Config::max_swarms`] is reached.
    #[error("this tracker is full, try again later")]
    Full,
    /// The address was [`Admission::Refused`].
    #[error("this tracker does not list addresses like yours")]
    Address,
}
