//! The tracker's limits, with their meaning, unit, default and consequence.

use std::time::Duration;

/// The configuration of [`super::Tracker`]. With the defaults and all limits reached, the tracker
/// uses about 100 MiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The interval between announces that clients are told. Default: 30 min. A peer that does not
    /// announce for twice as long is removed.
    pub interval: Duration,
    /// The minimum interval that clients are told. Default: 60 s.
    pub min_interval: Duration,
    /// The maximum number of swarms. Default: 100,000. Beyond it, a new swarm replaces one of the
    /// address that created most. If no address has created more than the requesting one, the
    /// announce is refused with a failure reason.
    pub max_swarms: usize,
    /// The maximum number of peers in all swarms. Default: 1,000,000. Further clients receive
    /// peers, but are not listed.
    pub max_peers: usize,
    /// The maximum number of peers per swarm and address family. Default: 20,000. Further clients
    /// receive peers, but are not listed.
    pub max_peers_per_swarm: usize,
    /// Peers in an answer to a client that does not say how many it wants (`numwant`). Default 50.
    pub num_want: usize,
    /// The maximum number of peers in an answer. Default: 200. Over UDP an answer is also limited
    /// by [`super::udp::MAX_ANSWER`].
    pub max_num_want: usize,
    /// The maximum number of announces and scrapes per second from one address (/64 for IPv6), with
    /// a burst of ten times as many. Default: 50, since carrier-grade NAT puts many clients behind
    /// one address. Further requests are refused over HTTP and dropped over UDP. The first announce
    /// of a swarm counts as four.
    pub requests_per_address: u32,
    /// The request limit of an IPv6 /48, as a multiple of that of a /64. Default: 4. One customer
    /// may have 65,536 networks of that size.
    pub addresses_per_site: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30 * 60),
            min_interval: Duration::from_secs(60),
            max_swarms: 100_000,
            max_peers: 1_000_000,
            max_peers_per_swarm: 20_000,
            num_want: 50,
            max_num_want: 200,
            requests_per_address: 50,
            addresses_per_site: 4,
        }
    }
}
