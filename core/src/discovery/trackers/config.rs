//! Every limit of discovery: meaning, unit, default, consequence.

use std::time::Duration;

/// The settings of [`super::Trackers`]. `Config::default()` suits a terminal program; a
/// bridge raises `max_queries`, sets a budget of lookups and raises `min_interval_floor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Trackers of one torrent. Default 100. Those beyond are not asked, the last tiers first; one
    /// status stands for all of them.
    pub max_trackers: usize,
    /// Announces under way, all torrents; UDP trackers that stay silent beyond `silence` do not
    /// count. Default 50. Those beyond wait their turn.
    pub max_queries: usize,
    /// The same of one owner's torrents. Default 50. A bridge, which serves many, sets less, so
    /// that none of them takes all there may be with trackers that hang.
    pub max_queries_per_owner: usize,
    /// How long an announce that brings no answer counts against `max_queries_per_owner`, whether
    /// it fails at once or stays under way. Of an owner that has three times as many under way, the
    /// oldest is given up for each new one. `None`: it counts until it ends, or, over UDP, until
    /// `silence` has passed. Default `None`. A bridge sets it, so that a tab cannot tell by when its
    /// next tracker is asked whether a port that it named is open, closed or silent.
    pub unanswered_place: Option<Duration>,
    /// Peers asked for in an announce (`numwant`). Default 200. Trackers give what they like; more
    /// than 2,000 are not read.
    pub num_want: u32,
    /// Time between announces if the tracker does not say, or says 0. Default 30 min.
    pub interval: Duration,
    /// Bounds of what a tracker may say. Default 60 s to 2 h.
    pub interval_bounds: (Duration, Duration),
    /// Least time between two announces without an event if the tracker names none, or 0. Default
    /// 60 s.
    pub min_interval: Duration,
    /// Least value of a `min interval` that is believed. Default 1 s. A bridge sets 60 s, so that
    /// no tab makes it hammer a tracker; a torrent that is removed and added again then waits that
    /// long, too.
    pub min_interval_floor: Duration,
    /// Silence of a tracker that hears of us for the first time after which the next two are asked
    /// as well, as long as none has named peers. Default 0.5 s: twelve silent trackers hold up the
    /// thirteenth for 1.5 s, forty for 2.5 s. Much less, and trackers that are merely far away are
    /// passed over.
    pub patience: Duration,
    /// The same of a tracker that knows us; and silence of a UDP tracker after which its announce
    /// no longer counts against `max_queries`: it goes on in silence and costs next to nothing.
    /// Default 5 s. Less lets more datagrams leave per second where all trackers are silent.
    pub silence: Duration,
    /// Wait after a first failure, doubled with each further one. Default 30 s.
    pub backoff: Duration,
    /// Longest wait after failures. Default 1 h. The actual wait is 50 to 100 % of it, at random.
    pub max_backoff: Duration,
    /// Longest wait that a refusing tracker may ask for (`retry in`, BEP 31). Default 24 h.
    pub max_retry: Duration,
    /// Names of trackers that one owner may have looked up at once, and the time after which one
    /// more is granted; `None`: no budget. Default `None`. The same budget once more is that of its
    /// lookups in the DHT, see [`crate::discovery::dht::Config::lookups`].
    pub lookups: Option<(u32, Duration)>,
    /// Longest wait for the answer to a `stopped`, or to a scrape. Default 15 s. Then the torrent
    /// is forgotten all the same.
    pub farewell: Duration,
    /// Longest wait for a tracker that answered to answer in its other address family as well (BEP
    /// 7). Default 30 s. Its silence there is no failure.
    pub other_family: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_trackers: 100,
            max_queries: 50,
            max_queries_per_owner: 50,
            unanswered_place: None,
            num_want: 200,
            interval: Duration::from_secs(30 * 60),
            interval_bounds: (Duration::from_secs(60), Duration::from_secs(2 * 3600)),
            min_interval: Duration::from_secs(60),
            min_interval_floor: Duration::from_secs(1),
            patience: Duration::from_millis(500),
            silence: Duration::from_secs(5),
            backoff: Duration::from_secs(30),
            max_backoff: Duration::from_secs(3600),
            max_retry: Duration::from_secs(24 * 3600),
            lookups: None,
            farewell: Duration::from_secs(15),
            other_family: Duration::from_secs(30),
        }
    }
}
