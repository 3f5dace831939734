//! Every limit of the DHT: meaning, unit, default, consequence.

use std::time::Duration;

/// The settings of [`super::Dht`]. `Config::default()` suits a terminal program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whether a socket of IPv4 is there. Default true.
    pub v4: bool,
    /// Whether a socket of IPv6 is there (BEP 32: a DHT of its own). Default true.
    pub v6: bool,
    /// Names and ports of nodes that are asked as long as few others are known. Default none.
    pub bootstrap: Vec<(String, u16)>,
    /// Whether what answers there is an ordinary node. Default false: public routers serve
    /// everybody, and must not fill our table or store our peers.
    pub keep_bootstrap: bool,
    /// We ask and announce, but answer nobody and say so (BEP 43). Default false. A bridge sets it:
    /// it serves tabs, not the DHT.
    pub read_only: bool,
    /// Queries of one lookup that wait for an answer. Default 4. More are faster and waste more.
    pub parallel: usize,
    /// Lookups for torrents under way at a time, both families of one counted as one. Default 16.
    /// Those beyond wait their turn.
    pub max_searches: usize,
    /// Lookups that one owner may begin at once, and the time after which one more is granted;
    /// `None`: no budget. Default `None`. Those beyond wait their turn, in the order in which they
    /// came. Of several owners of one torrent the one that has to wait least pays.
    pub lookups: Option<(u32, Duration)>,
    /// Least time between two lookups for one torrent when more peers are wanted. Default 1 min.
    pub min_interval: Duration,
    /// Time between announces. Default 15 min, give or take a tenth; nodes forget peers after 30
    /// min.
    pub interval: Duration,
    /// Wait after a lookup that found nobody, doubled each time up to `interval`. Default 20 s.
    pub retry: Duration,
    /// Bytes a second that our answers may have in all. Default 8,000. Questions beyond are not
    /// answered.
    pub answer_rate: u32,
    /// Questions a second that one address may ask. Default 5. More are not answered.
    pub questions_per_address: u32,
    /// Peers that we keep for others, over all torrents. Default 20,000. The oldest are forgotten.
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
