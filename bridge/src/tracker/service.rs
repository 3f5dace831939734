//! The bridge's own tracker: core's state machine behind one lock.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aqueduct_core::tracker::{self, Admission, Announce, Event};
use aqueduct_core::types::{self, InfoHashV1};
use tokio::time::{Instant, sleep};

use crate::config::Config;
use crate::limits::Limits;
use crate::limits::policy::Filter;
use crate::metrics::Metrics;
use crate::sync::lock;
use crate::tracker::own_urls::OwnUrls;
use crate::tracker::tab_swarms::{TabSwarms, Tabs, read_compact};

/// The interval at which silent clients are removed, and some of the tabs' swarms are announced
/// again.
const TICK: Duration = Duration::from_secs(1);
/// A port that every filter permits, to check an address only.
const ANY_PORT: u16 = 6881;

/// The tracker and the parts of the bridge that it needs.
#[derive(Debug)]
pub(crate) struct TrackerService {
    /// Held for about a microsecond per request, or for a batch of datagrams, and never across an
    /// await.
    machine: Mutex<tracker::Tracker>,
    tab_swarms: Mutex<TabSwarms>,
    pub(super) own_urls: OwnUrls,
    filter: Arc<Filter>,
    pub(super) metrics: Arc<Metrics>,
    interval: Duration,
    start: Instant,
}

impl TrackerService {
    /// A tracker without swarms, reached at the port `web`.
    ///
    /// # Errors
    /// The system provides no random bytes.
    pub(crate) fn new(
        config: &Config,
        web: u16,
        filter: Arc<Filter>,
        metrics: Arc<Metrics>,
    ) -> io::Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(io::Error::other)?;
        Ok(Self {
            machine: Mutex::new(tracker::Tracker::new(limits(&config.limits), seed)),
            tab_swarms: Mutex::default(),
            own_urls: OwnUrls::new(config, web),
            filter,
            metrics,
            interval: config.limits.tracker_interval.0,
            start: Instant::now(),
        })
    }

    /// Runs periodic tasks until the task is dropped.
    pub(crate) async fn run_timers(self: Arc<Self>) {
        loop {
            sleep(TICK).await;
            self.refresh();
            let mut machine = self.lock();
            machine.tick(self.now());
            let (swarms, peers) = machine.size();
            self.metrics.tracker.swarms.set(swarms);
            self.metrics.tracker.peers.set(peers);
        }
    }

    /// Sets where peers reach the bridge, and the machine's addresses. It takes effect when a swarm
    /// is joined or announced again.
    pub(crate) fn set_addrs(&self, peers: Vec<SocketAddr>, own: impl IntoIterator<Item = IpAddr>) {
        self.tab_swarms().set_addrs(peers);
        self.own_urls.set(own);
    }

    /// Announces some of the tabs' swarms again, so that each is announced within half the time
    /// after which it would be removed.
    fn refresh(&self) {
        let mut tab_swarms = self.tab_swarms();
        for (info_hash, tabs) in tab_swarms.next_share(self.interval) {
            self.announce(&tab_swarms, info_hash, tabs);
        }
    }

    pub(super) fn tab_swarms(&self) -> MutexGuard<'_, TabSwarms> {
        lock(&self.tab_swarms)
    }

    /// Announces the bridge's addresses for a swarm of its tabs. Returns the peers that the tracker
    /// knows, without the bridge itself.
    pub(super) fn announce(
        &self,
        tab_swarms: &TabSwarms,
        info_hash: InfoHashV1,
        tabs: Tabs,
    ) -> Vec<SocketAddr> {
        let event = if tabs.all == 0 {
            Event::Stopped
        } else {
            Event::Present
        };
        let (mut compact, mut peers) = (Vec::new(), Vec::new());
        for addr in tab_swarms.addrs() {
            let announce = Announce {
                info_hash,
                port: addr.port(),
                seed: tabs.seeds > 0,
                event,
                num_want: None,
            };
            compact.clear();
            // A full tracker lists no more swarms, not even the bridge's own.
            let _ = self.lock().announce(
                self.now(),
                &announce,
                addr.ip(),
                Admission::Hosted,
                &mut compact,
            );
            peers.extend(read_compact(&compact, addr.is_ipv4()));
        }
        peers.retain(|peer| !tab_swarms.addrs().contains(peer));
        peers
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, tracker::Tracker> {
        lock(&self.machine)
    }

    pub(super) fn now(&self) -> types::Instant {
        types::Instant::ZERO + self.start.elapsed()
    }

    /// Clients dial the listed addresses, so the rules for dialling also apply to listing. A client
    /// with a port that is not dialled is not listed, but receives peers.
    pub(super) fn admit(&self, addr: SocketAddr) -> Admission {
        if self.filter.allowed(addr).is_ok() {
            Admission::Listed
        } else if self
            .filter
            .allowed(SocketAddr::new(addr.ip(), ANY_PORT))
            .is_ok()
        {
            Admission::Unlisted
        } else {
            Admission::Refused
        }
    }
}

fn limits(limits: &Limits) -> tracker::Config {
    tracker::Config {
        interval: limits.tracker_interval.0,
        min_interval: limits.tracker_min_interval.0,
        max_swarms: limits.tracker_swarms,
        max_peers: limits.tracker_peers,
        max_peers_per_swarm: limits.tracker_peers_per_swarm,
        requests_per_address: limits.tracker_requests_per_address,
        addresses_per_site: limits.addresses_per_site,
        ..tracker::Config::default()
    }
}

impl TrackerService {
    /// The body that answers an announce or scrape over HTTP; `None` for another path.
    pub(crate) fn body(&self, path: &str, query: &str, from: IpAddr) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        self.answer(path.as_bytes(), query.as_bytes(), from, &mut body)
            .then_some(body)
    }

    /// Appends the body of the answer; false if this path is not the tracker's.
    pub(super) fn answer(
        &self,
        path: &[u8],
        query: &[u8],
        from: IpAddr,
        body: &mut Vec<u8>,
    ) -> bool {
        let now = self.now();
        match path {
            b"/announce" => {
                self.lock()
                    .answer_announce(now, from, query, &|addr| self.admit(addr), body)
            }
            b"/scrape" => self.lock().answer_scrape(now, from, query, body),
            _ => return false,
        }
        self.metrics.tracker.requests_total.add(1);
        true
    }
}

/// The addresses at which peers reach the bridge: those that the operator configured, the address
/// of the peer port, or those of the machine that may be dialled.
pub(crate) fn reachable(config: &Config, peers: SocketAddr, own: &[IpAddr]) -> Vec<SocketAddr> {
    let at = |ip: &IpAddr| SocketAddr::new(*ip, peers.port());
    if !config.public_address.is_empty() {
        return config.public_address.iter().map(at).collect();
    }
    if !peers.ip().is_unspecified() {
        return vec![peers];
    }
    let rules = Filter::new(config.allow.clone());
    let listened = own.iter().filter(|ip| peers.is_ipv6() || ip.is_ipv4());
    listened
        .filter(|ip| rules.allowed(SocketAddr::new(**ip, ANY_PORT)).is_ok())
        .map(at)
        .collect()
}
