//! The limits of tracker requests, with their meaning, unit, default and consequence.

use std::time::Duration;

/// The configuration of [`super::Trackers`]. `Config::default()` suits a terminal program; a bridge
/// raises `max_queries`, sets a budget of lookups and raises `min_interval_floor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The maximum number of trackers per torrent. Default: 100. Further ones, in the last tiers,
    /// are not asked, and share one status.
    pub max_trackers: usize,
    /// The maximum number of simultaneous announces over all torrents; UDP trackers that have been
    /// silent for `silence` do not count. Default: 50. Further ones wait.
    pub max_queries: usize,
    /// As `max_queries`, per owner. Default: 50. A bridge, which serves many owners, sets less, so
    /// that one owner cannot use all of them with trackers that hang.
    pub max_queries_per_owner: usize,
    /// How long an unanswered announce counts against `max_queries_per_owner`, whether it fails
    /// immediately or stays pending. If an owner has three times as many pending, the oldest is
    /// cancelled for each new one. `None`: it counts until it ends or, over UDP, until `silence`
    /// has passed. Default: `None`. A bridge sets it, so that the time of the next request does not
    /// reveal to a tab whether a port that it named is open, closed or silent.
    pub unanswered_place: Option<Duration>,
    /// The number of peers requested per announce (`numwant`). Default: 200. Trackers may return
    /// any number; at most 2,000 are read.
    pub num_want: u32,
    /// The interval between announces if the tracker gives none, or 0. Default: 30 min.
    pub interval: Duration,
    /// The bounds on the tracker's interval. Default: 60 s to 2 h.
    pub interval_bounds: (Duration, Duration),
    /// The minimum time between two announces without an event if the tracker gives none, or 0.
    /// Default: 60 s.
    pub min_interval: Duration,
    /// The lower bound on a tracker's `min interval`. Default: 1 s. A bridge sets 60 s, so that a
    /// tab cannot make it send frequent requests to a tracker; a torrent that is removed and added
    /// again then waits that long too.
    pub min_interval_floor: Duration,
    /// The time after which the next two trackers are also asked, if a tracker that is asked for
    /// the first time has not answered and no tracker has returned peers. Default: 0.5 s: twelve
    /// silent trackers delay the thirteenth by 1.5 s, forty by 2.5 s. With much less, distant
    /// trackers would be skipped.
    pub patience: Duration,
    /// The same for a tracker that has answered before; also the time after which a silent UDP
    /// tracker no longer counts against `max_queries`, since waiting costs almost nothing. Default:
    /// 5 s. With less, more datagrams per second are sent if all trackers are silent.
    pub silence: Duration,
    /// The delay after a first failure, doubled with each further one. Default: 30 s.
    pub backoff: Duration,
    /// The maximum delay after failures. Default: 1 h. The actual delay is 50 to 100 % of it, at
    /// random.
    pub max_backoff: Duration,
    /// The maximum delay that a refusing tracker may request (`retry in`, BEP 31). Default: 24 h.
    pub max_retry: Duration,
    /// The budget of host name lookups per owner: the burst, and the time after which one more is
    /// granted; `None`: unlimited. Default: `None`. DHT lookups have a separate budget, see
    /// [`crate::discovery::dht::Config::lookups`].
    pub lookups: Option<(u32, Duration)>,
    /// The timeout for the answer to a `stopped` or a scrape. Default: 15 s. The torrent is then
    /// removed without it.
    pub farewell: Duration,
    /// The timeout for the second announce to a tracker in its other address family (BEP 7).
    /// Default: 30 s. Silence there is not a failure.
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
