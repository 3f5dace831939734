//! The state machine of the tracker: which peers are in which swarm, and which peers a client
//! receives.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::config::Config;
use super::connection::Connections;
use super::creators::{Creator, Creators};
use super::entropy::Entropy;
use super::peers::Change;
use super::rates::Rates;
use super::request::{Admission, Announce, AnnounceAnswer, Counts, Event, Refusal};
use super::swarms::Swarms;
use crate::types::{InfoHashV1, Instant};

/// Requests that an announce counts for if its swarm was not announced before: with the defaults an
/// address creates 45,000 swarms in two intervals.
const CREATION_COST: u32 = 4;

/// A tracker for any number of swarms, in memory only. After a restart its swarms are complete
/// again within one interval.
///
/// Its [`Config`] limits all resources: no number in a request determines an amount of memory.
#[derive(Debug)]
pub struct Tracker {
    pub(super) config: Config,
    pub(super) connections: Connections,
    entropy: Entropy,
    swarms: Swarms,
    rates: Rates,
    /// The number of peers in all swarms.
    peers: usize,
    /// The time up to which [`Tracker::tick`] has visited swarms.
    visited: Instant,
    /// A buffer for the body of an HTTP answer, whose length must be known before it is written.
    pub(super) scratch: Vec<u8>,
}

impl Tracker {
    /// Creates a tracker without swarms.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut entropy = Entropy::new(seed);
        Self {
            connections: Connections::new(entropy.key()),
            entropy,
            swarms: Swarms::default(),
            rates: Rates::new(config.requests_per_address),
            peers: 0,
            visited: Instant::ZERO,
            scratch: Vec::new(),
            config,
        }
    }

    /// Processes an announce from `ip`, and appends peers of the same address family to `out`: 6
    /// bytes each for IPv4 (BEP 23), 18 for IPv6 (BEP 7), at most [`Config::max_num_want`]. There
    /// are no duplicates, the client itself is not included, and a seed receives no seeds.
    ///
    /// # Errors
    /// The tracker is full and no swarm can be replaced (see [`Config::max_swarms`]), or other
    /// peers cannot use the address.
    pub fn announce(
        &mut self,
        now: Instant,
        announce: &Announce,
        ip: IpAddr,
        admission: Admission,
        out: &mut Vec<u8>,
    ) -> Result<AnnounceAnswer, Refusal> {
        let addr = SocketAddr::new(ip.to_canonical(), announce.port);
        let counts = match (announce.event, admission) {
            (Event::Stopped, _) => self.leave(&announce.info_hash, addr),
            (_, Admission::Refused) => return Err(Refusal::Address),
            (_, Admission::Listed) if announce.port > 0 => {
                self.list(now, announce, addr, Creators::of(self.site(ip)), out)?
            }
            (_, Admission::Hosted) if announce.port > 0 => {
                self.list(now, announce, addr, None, out)?
            }
            _ => self.give(announce, addr, out),
        };
        Ok(AnnounceAnswer {
            counts,
            interval: self.config.interval,
            min_interval: self.config.min_interval,
        })
    }

    /// How a swarm is doing; all zeros for one that was never announced.
    #[must_use]
    pub fn scrape(&self, info_hash: &InfoHashV1) -> Counts {
        self.swarms
            .get(info_hash, &self.entropy)
            .map(|swarm| swarm.counts())
            .unwrap_or_default()
    }

    /// Removes peers that have not announced for two intervals. Call it about once per second: each
    /// call visits a share of the swarms, so that all of them are visited within a quarter of an
    /// interval.
    pub fn tick(&mut self, now: Instant) {
        let round = (self.config.interval / 4)
            .max(Duration::from_secs(1))
            .as_micros();
        let visits =
            (self.swarms.len() as u128 * now.since(self.visited).as_micros()).div_ceil(round);
        let limit = seconds(now)
            .saturating_sub(u32::try_from(2 * self.config.interval.as_secs()).unwrap_or(u32::MAX));
        self.peers -= self.swarms.expire(
            usize::try_from(visits).unwrap_or(usize::MAX),
            limit,
            &self.entropy,
        );
        self.visited = now;
    }

    /// The number of swarms, and the number of listed peers.
    #[must_use]
    pub const fn size(&self) -> (usize, usize) {
        (self.swarms.len(), self.peers)
    }

    /// Charges an announce to the budget of an address. Returns whether any budget was left.
    /// Creating a swarm costs more than announcing to an existing one, so that a single address
    /// cannot create the maximum number of swarms before the first one is removed.
    pub(super) fn afford_announce(
        &mut self,
        now: Instant,
        ip: IpAddr,
        announce: &Announce,
    ) -> bool {
        let creating = announce.port > 0
            && announce.event != Event::Stopped
            && self
                .swarms
                .get(&announce.info_hash, &self.entropy)
                .is_none();
        self.afford(now, ip, if creating { CREATION_COST } else { 1 })
    }

    /// Charges requests to the budgets of an address and of its site. Returns whether both had at
    /// least one request left.
    pub(super) fn afford(&mut self, now: Instant, ip: IpAddr, cost: u32) -> bool {
        let site = self.site(ip);
        match ip.to_canonical() {
            IpAddr::V4(_) => self.rates.take(&[(site, 1)], now, cost),
            IpAddr::V6(v6) => self.rates.take(
                &[
                    (self.entropy.hash(&v6.octets()[..8]), 1),
                    (site, self.config.addresses_per_site),
                ],
                now,
                cost,
            ),
        }
    }

    /// The hash of an IPv4 address, or of the /48 of an IPv6 address, which is what one customer
    /// may have.
    fn site(&self, ip: IpAddr) -> u64 {
        match ip.to_canonical() {
            IpAddr::V4(ip) => self.entropy.hash(&ip.octets()),
            IpAddr::V6(ip) => self.entropy.hash(&ip.octets()[..6]),
        }
    }

    fn list(
        &mut self,
        now: Instant,
        announce: &Announce,
        addr: SocketAddr,
        creator: Creator,
        out: &mut Vec<u8>,
    ) -> Result<Counts, Refusal> {
        let (config, entropy) = (&self.config, &mut self.entropy);
        if self.swarms.len() >= config.max_swarms
            && self.swarms.get(&announce.info_hash, entropy).is_none()
        {
            self.peers -= self
                .swarms
                .make_room(creator, entropy)
                .ok_or(Refusal::Full)?;
        }
        let swarm = self
            .swarms
            .get_or_insert(&announce.info_hash, creator, config.max_swarms, entropy)
            .ok_or(Refusal::Full)?;
        let room =
            self.peers < config.max_peers && swarm.len_of(addr.ip()) < config.max_peers_per_swarm;
        if room || swarm.contains(addr, entropy) {
            self.peers += usize::from(
                swarm.put(addr, announce.seed, seconds(now), entropy) == Change::Listed,
            );
        }
        swarm.downloads = swarm
            .downloads
            .saturating_add(u32::from(announce.event == Event::Completed));
        swarm.sample(addr, announce.seed, want(config, announce), entropy, out);
        Ok(swarm.counts())
    }

    /// Peers for an asker that is not listed.
    fn give(&mut self, announce: &Announce, addr: SocketAddr, out: &mut Vec<u8>) -> Counts {
        let Some(swarm) = self.swarms.get_mut(&announce.info_hash, &self.entropy) else {
            return Counts::default();
        };
        swarm.sample(
            addr,
            announce.seed,
            want(&self.config, announce),
            &mut self.entropy,
            out,
        );
        swarm.counts()
    }

    fn leave(&mut self, info_hash: &InfoHashV1, addr: SocketAddr) -> Counts {
        let Some(swarm) = self.swarms.get_mut(info_hash, &self.entropy) else {
            return Counts::default();
        };
        self.peers -= usize::from(swarm.remove(addr, &self.entropy));
        swarm.counts()
    }
}

fn want(config: &Config, announce: &Announce) -> usize {
    announce
        .num_want
        .unwrap_or(config.num_want)
        .min(config.max_num_want)
}

/// Whole seconds since the start; 32 bits are enough for a century.
fn seconds(now: Instant) -> u32 {
    u32::try_from(now.since(Instant::ZERO).as_secs()).unwrap_or(u32::MAX)
}
