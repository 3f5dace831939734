//! The bridge's own tracker: core's machine behind one lock, fed by HTTP and UDP, and by the
//! bridge's own tabs.

mod hosted;
pub(crate) mod http;
mod names;
pub(crate) mod udp;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aqueduct_core::tracker::{self, Admission};
use aqueduct_core::types;
use tokio::time::{Instant, sleep};

use crate::config::Config;
use crate::limits::Limits;
use crate::limits::policy::Filter;
use crate::metrics::Metrics;
use hosted::Hosted;
pub(crate) use hosted::Listing;
use names::Names;

/// How often the silent are looked for, and some of the bridge's own swarms told anew.
const TICK: Duration = Duration::from_secs(1);
/// A port that every filter lets pass, to ask about an address alone.
const ANY_PORT: u16 = 6881;

/// The tracker and what it needs of its bridge.
#[derive(Debug)]
pub(crate) struct Tracking {
    /// Held for the microsecond that a request takes, or for a batch of datagrams, never across a
    /// wait.
    machine: Mutex<tracker::Tracker>,
    hosted: Mutex<Hosted>,
    names: Names,
    filter: Arc<Filter>,
    metrics: Arc<Metrics>,
    interval: Duration,
    start: Instant,
}

impl Tracking {
    /// A tracker without swarms, reached at the port `web`.
    ///
    /// # Errors
    /// The system has no randomness.
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
            hosted: Mutex::default(),
            names: Names::new(config, web),
            filter,
            metrics,
            interval: config.limits.tracker_interval.0,
            start: Instant::now(),
        })
    }

    /// Looks after it until the task is dropped.
    pub(crate) async fn look_after(self: Arc<Self>) {
        loop {
            sleep(TICK).await;
            self.refresh();
            let mut machine = self.lock();
            machine.tick(self.now());
            let (swarms, peers) = machine.size();
            self.metrics.tracker_swarms.set(swarms);
            self.metrics.tracker_peers.set(peers);
        }
    }

    fn lock(&self) -> MutexGuard<'_, tracker::Tracker> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> types::Instant {
        types::Instant::ZERO + self.start.elapsed()
    }

    /// Whoever is given out is dialled by others, so that the rules for dialling are the rules for
    /// listing. A port that is not dialled keeps nobody from getting peers.
    fn admit(&self, addr: SocketAddr) -> Admission {
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

impl Tracking {
    /// What an announce or scrape over HTTP is answered; nothing for another path.
    pub(crate) fn body(&self, path: &str, query: &str, from: IpAddr) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        self.answer(path.as_bytes(), query.as_bytes(), from, &mut body)
            .then_some(body)
    }

    /// Appends the body that answers; false if there is nothing of the tracker's at this path.
    fn answer(&self, path: &[u8], query: &[u8], from: IpAddr, body: &mut Vec<u8>) -> bool {
        let now = self.now();
        match path {
            b"/announce" => {
                self.lock()
                    .answer_announce(now, from, query, &|addr| self.admit(addr), body)
            }
            b"/scrape" => self.lock().answer_scrape(now, from, query, body),
            _ => return false,
        }
        self.metrics.tracker_requests_total.add(1);
        true
    }
}

/// Where peers reach the bridge: what the operator says, the address that the peer port is bound
/// to, or those of the machine that may be dialled.
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
