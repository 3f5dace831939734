//! The limits of the DHT, with their meaning, unit, default and consequence.

use std::time::Duration;

/// The configuration of [`super::Dht`]. `Config::default()` suits a terminal program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whether there is an IPv4 socket. Default: true.
    pub v4: bool,
    /// Whether there is an IPv6 socket (BEP 32: a separate DHT). Default: true.
    pub v6: bool,
    /// Host names and ports of nodes that are asked while few others are known. Default: none.
    pub bootstrap: Vec<(String, u16)>,
    /// Whether bootstrap nodes are ordinary nodes. Default: false, since public routers serve
    /// everyone, and must neither fill our table nor store our peers.
    pub keep_bootstrap: bool,
    /// Whether we only query and announce, and tell other nodes that we do not answer queries (BEP
    /// 43). Default: false. A bridge sets it, since it serves tabs, not the DHT.
    pub read_only: bool,
    /// The maximum number of pending queries per lookup. Default: 4. More are faster and waste more
    /// traffic.
    pub parallel: usize,
    /// The maximum number of simultaneous lookups for torrents; both families of one count once.
    /// Default: 16. Further ones wait.
    pub max_searches: usize,
    /// The budget of lookups per owner: the burst, and the time after which one more is granted;
    /// `None`: unlimited. Default: `None`. Further lookups wait in order. If several owners have
    /// the same torrent, the one with the shortest wait pays.
    pub lookups: Option<(u32, Duration)>,
    /// The minimum time between two lookups for one torrent if more peers are wanted. Default: 1
    /// min.
    pub min_interval: Duration,
    /// The time between announces. Default: 15 min, varied by 10 %. Nodes drop peers after 30 min.
    pub interval: Duration,
    /// The delay after a lookup that found no peers, doubled each time up to `interval`. Default:
    /// 20 s.
    pub retry: Duration,
    /// The maximum rate of our answers in bytes per second. Default: 8,000. Further queries are not
    /// answered.
    pub answer_rate: u32,
    /// The maximum number of queries per second and address. Default: 5. Further queries are not
    /// answered.
    pub questions_per_address: u32,
    /// The maximum number of peers that are stored for other nodes, over all torrents. Default:
    /// 20,000. The oldest are dropped.
    pub max_stored: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            v4: true,
            v6: true,
            bootstrap: Vec::new(),
            keep_bootstrap: false,
            read_only: false,
            parallel: 4,
            max_searches: 16,
            lookups: None,
            min_interval: Duration::from_secs(60),
            interval: Duration::from_secs(15 * 60),
            retry: Duration::from_secs(20),
            answer_rate: 8000,
            questions_per_address: 5,
            max_stored: 20_000,
        }
    }
}
