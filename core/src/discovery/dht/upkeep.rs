//! Looking after the tables: bootstrap, refresh.

use std::net::SocketAddr;
use std::time::Duration;

use rand::Rng;

use super::io::{Family, Output};
use super::lookup::{Goal, Lookup};
use super::machine::{Dht, Wake};
use crate::net::is_usable;
use crate::types::Instant;

/// How often a table is looked at.
const INTERVAL: Duration = Duration::from_secs(60);

/// Between two refreshes: one after another, so that they are no burst.
const NEXT: Duration = Duration::from_secs(5);

/// Wait after a first attempt that left us with few nodes, doubled each time.
const RETRY: Duration = Duration::from_secs(5);
const MAX_RETRY: Duration = Duration::from_secs(5 * 60);

/// Addresses of bootstrap nodes that are remembered.
const MAX_ROUTERS: usize = 32;

impl Dht {
    /// Finds nodes if there are few, else refreshes a bucket if one is stale.
    pub(super) fn look_after(&mut self, now: Instant, family: Family) {
        let Some(home) = self.homes.get_mut(family) else {
            return;
        };
        let wait = if home.upkeep.is_some() {
            NEXT
        } else if home.is_thin() {
            home.failures = home.failures.saturating_add(1);
            let (wait, names) = (
                doubled(RETRY, home.failures, MAX_RETRY),
                home.failures > 1 || home.table.contacts().next().is_none(),
            );
            self.bootstrap(now, family, names);
            wait
        } else {
            self.refresh(now, family)
        };
        let wait = self.jitter(wait);
        self.timers.set(Wake::Upkeep(family), now + wait);
    }

    /// Looks around, perhaps with help. `names`: bootstrap nodes are looked up, too.
    fn bootstrap(&mut self, now: Instant, family: Family, names: bool) {
        if names && self.resolving == 0 {
            self.resolving = self.config.bootstrap.len();
            let names = self.config.bootstrap.iter().cloned();
            self.outputs
                .extend(names.map(|(host, port)| Output::Resolve { host, port }));
        }
        self.look_around(now, family);
    }

    /// Looks for our neighbours.
    pub(super) fn look_around(&mut self, now: Instant, family: Family) {
        let target = self.homes.get(family).map(|home| home.id);
        let lookup = target.and_then(|target| self.look(family, target, Goal::Nodes));
        self.keep(now, family, lookup);
    }

    fn keep(&mut self, now: Instant, family: Family, lookup: Option<u64>) {
        if let Some(home) = self.homes.get_mut(family) {
            home.upkeep = lookup;
        }
        lookup.into_iter().for_each(|id| self.drive(now, id));
    }

    fn refresh(&mut self, now: Instant, family: Family) -> Duration {
        let Some(home) = self.homes.get_mut(family) else {
            return INTERVAL;
        };
        let Some(bits) = home.table.stale(now) else {
            return INTERVAL;
        };
        let target = home.id.neighbour(bits, &mut self.rng);
        let lookup = self.look(family, target, Goal::Nodes);
        self.keep(now, family, lookup);
        NEXT
    }

    /// Addresses of a bootstrap node.
    pub(super) fn resolved(&mut self, now: Instant, addrs: &[SocketAddr]) {
        self.resolving = self.resolving.saturating_sub(1);
        let usable: Vec<SocketAddr> = addrs
            .iter()
            .copied()
            .filter(|addr| is_usable(*addr))
            .collect();
        let room = MAX_ROUTERS.saturating_sub(self.routers.len());
        self.routers.extend(usable.iter().take(room));
        for family in Family::ALL {
            let ours: Vec<SocketAddr> = usable
                .iter()
                .copied()
                .filter(|addr| Family::of(addr) == family)
                .collect();
            if !ours.is_empty() && self.homes.get(family).is_some_and(|home| home.is_thin()) {
                self.use_routers(now, family, &ours);
                self.feed_starved(now, family);
            }
        }
    }

    fn use_routers(&mut self, now: Instant, family: Family, routers: &[SocketAddr]) {
        let running = self.homes.get(family).and_then(|home| home.upkeep);
        let Some((id, lookup)) = running.and_then(|id| Some((id, self.lookups.get_mut(&id)?)))
        else {
            return self.look_around(now, family);
        };
        routers
            .iter()
            .for_each(|router| lookup.offer_unnamed(*router));
        self.drive(now, id);
    }

    /// A lookup for nodes is over.
    pub(super) fn looked_after(&mut self, now: Instant, lookup: &Lookup) {
        let Some(home) = self.homes.get_mut(lookup.family) else {
            return;
        };
        home.upkeep = None;
        if !home.is_thin() {
            home.failures = 0;
        }
        if lookup.effort.answers > 0 {
            self.feed_starved(now, lookup.family);
        }
    }

    /// Give or take a tenth, so that those who began together do not go on together.
    pub(super) fn jitter(&mut self, span: Duration) -> Duration {
        span.mul_f64(0.9 + f64::from(self.rng.next_u32()) / f64::from(u32::MAX) / 5.0)
    }
}

/// A wait after `failures` in a row.
pub(super) fn doubled(first: Duration, failures: u32, most: Duration) -> Duration {
    first
        .saturating_mul(1 << failures.saturating_sub(1).min(16))
        .min(most)
}
