//! Every limit of the tracker: meaning, unit, default, consequence.

use std::time::Duration;

/// The settings of [`super::Tracker`]. With the defaults and all bounds reached it holds about 100
/// MiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What clients are told to wait between announces. Default 30 min. A peer that is silent for
    /// twice as long is forgotten.
    pub interval: Duration,
    /// What they are told to wait at least. Default 60 s.
    pub min_interval: Duration,
    /// Swarms in all. Default 100,000. One more takes the place of a swarm of the address that
    /// created most; where none created more than the one that asks, that is refused, and told so.
    pub max_swarms: usize,
    /// Peers in all swarms. Default 1,000,000. Those beyond are given peers, but are not listed.
    pub max_peers: usize,
    /// Peers of one swarm, each address family by itself. Default 20,000. Those beyond are given
    /// peers, but are not listed.
    pub max_peers_per_swarm: usize,
    /// Peers in an answer to a client that does not say how many it wants (`numwant`). Default 50.
    pub num_want: usize,
    /// Most peers in an answer. Default 200. Over UDP an answer is also bounded by
    /// [`super::udp::MAX_ANSWER`].
    pub max_num_want: usize,
    /// Announces and scrapes a second from one address (/64 for IPv6), ten times as many at once
    /// after a pause. Default 50: whole cities stand behind one address. Those beyond are refused
    /// over HTTP and dropped over UDP. The first announce of a swarm counts for four.
    pub requests_per_address: u32,
    /// What one IPv6 /48 may ask, in shares of a /64. Default 4: one customer may hold 65,536 of
    /// those.
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
