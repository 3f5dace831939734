//! The trackers of the simulated world: the real one, behind a simulated network.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use aqueduct_core::Instant;
use aqueduct_core::tracker::{Admission, Announce, Config, Event, Tracker};
use aqueduct_core::types::InfoHashV1;

/// Where it is asked over HTTP.
pub(super) const HTTP: &str = "http://tracker.example/announce";
/// Where it is asked over UDP.
pub(super) const UDP: &str = "udp://tracker.example:6969/announce";
/// Its address.
pub(super) const ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(44, 0, 0, 1)), 6969);

/// The maximum number of peers in an answer, in addition to unused addresses.
const NUM_WANT: usize = 50;

/// One tracker for all swarms, over HTTP and UDP.
#[derive(Debug)]
pub(super) struct SimTracker {
    tracker: Tracker,
    seed: [u8; 32],
    /// Unused addresses that are in every swarm.
    ghosts: Vec<SocketAddr>,
    with_ghosts: BTreeSet<InfoHashV1>,
}

impl SimTracker {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self {
            tracker: tracker(NUM_WANT, seed),
            seed,
            ghosts: Vec::new(),
            with_ghosts: BTreeSet::new(),
        }
    }

    /// Adds unused addresses. Call it before any announce.
    pub(super) fn add_ghosts(&mut self, count: u8) {
        let ghosts = (1..=count).map(|n| SocketAddr::from(([46, 0, 0, n], 6881)));
        self.ghosts.extend(ghosts);
        let max_num_want = NUM_WANT + self.ghosts.len();
        self.tracker = tracker(max_num_want, self.seed);
    }

    /// Adds the unused addresses to a swarm before its first announce.
    pub(super) fn add_ghosts_to(&mut self, now: Instant, info_hash: InfoHashV1) {
        if self.with_ghosts.insert(info_hash) {
            for ghost in self.ghosts.clone() {
                self.announce(now, info_hash, ghost, Event::Present);
            }
        }
    }

    /// Removes a host that has stopped, as would happen after a while.
    pub(super) fn forget(&mut self, now: Instant, info_hash: InfoHashV1, addr: SocketAddr) {
        self.announce(now, info_hash, addr, Event::Stopped);
    }

    fn announce(&mut self, now: Instant, info_hash: InfoHashV1, addr: SocketAddr, event: Event) {
        let announce = Announce {
            info_hash,
            port: addr.port(),
            seed: false,
            event,
            num_want: Some(0),
        };
        let mut nobody = Vec::new();
        self.tracker
            .announce(now, &announce, addr.ip(), Admission::Listed, &mut nobody)
            .expect("the tracker has room");
    }

    /// The number of known peers of a swarm.
    pub(super) fn count(&self, info_hash: &InfoHashV1) -> u32 {
        let counts = self.tracker.scrape(info_hash);
        counts.seeders + counts.leechers
    }

    /// Answers the arguments of an announce over HTTP.
    pub(super) fn answer_http(&mut self, now: Instant, from: IpAddr, query: &str) -> Vec<u8> {
        let mut body = Vec::new();
        let admit = |_| Admission::Listed;
        self.tracker
            .answer_announce(now, from, query.as_bytes(), &admit, &mut body);
        body
    }

    /// Answers a datagram; `None` if there is no answer.
    pub(super) fn answer_udp(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Option<Vec<u8>> {
        let mut answer = Vec::new();
        let admit = |_| Admission::Listed;
        self.tracker
            .answer_udp(now, from, datagram, &admit, &mut answer);
        (!answer.is_empty()).then_some(answer)
    }
}

fn tracker(max_num_want: usize, seed: [u8; 32]) -> Tracker {
    let config = Config {
        interval: Duration::from_secs(120),
        min_interval: Duration::from_secs(15),
        max_num_want,
        requests_per_address: 10_000,
        ..Config::default()
    };
    Tracker::new(config, seed)
}
