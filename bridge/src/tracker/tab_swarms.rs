//! Swarms that the bridge's tabs are in. The tracker lists the bridge's peer port for them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Bound;
use std::time::Duration;

use aqueduct_core::net::compact;
use aqueduct_core::types::InfoHashV1;

/// The bridge's own entries in its tracker.
#[derive(Debug, Default)]
pub(super) struct TabSwarms {
    /// Where peers reach the bridge.
    addrs: Vec<SocketAddr>,
    swarms: BTreeMap<InfoHashV1, Tabs>,
    /// The last swarm that was announced again.
    cursor: Option<InfoHashV1>,
}

/// The number of tabs in a swarm. They share an entry, because they share a port.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tabs {
    pub(super) all: usize,
    pub(super) seeds: usize,
}

impl TabSwarms {
    pub(super) fn addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    pub(super) fn set_addrs(&mut self, addrs: Vec<SocketAddr>) {
        self.addrs = addrs;
    }

    /// The tabs in a swarm.
    pub(super) fn tabs(&self, info_hash: InfoHashV1) -> Tabs {
        self.swarms.get(&info_hash).copied().unwrap_or_default()
    }

    /// Changes the number of tabs, and of seeds among them. Returns the new numbers.
    pub(super) fn change(&mut self, info_hash: InfoHashV1, all: isize, seeds: isize) -> Tabs {
        let before = self.tabs(info_hash);
        let tabs = Tabs {
            all: before.all.saturating_add_signed(all),
            seeds: before.seeds.saturating_add_signed(seeds),
        };
        if tabs.all == 0 {
            self.swarms.remove(&info_hash);
        } else {
            self.swarms.insert(info_hash, tabs);
        }
        tabs
    }

    /// The swarms that are due, if this is called every second and each must be due once within
    /// `interval`.
    pub(super) fn next_share(&mut self, interval: Duration) -> Vec<(InfoHashV1, Tabs)> {
        let seconds = usize::try_from(interval.as_secs()).unwrap_or(usize::MAX);
        let share = self.swarms.len().div_ceil(seconds.max(1));
        let after = self.cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.swarms.range((after, Bound::Unbounded)).take(share);
        let next: Vec<(InfoHashV1, Tabs)> = next.map(|(hash, tabs)| (*hash, *tabs)).collect();
        self.cursor = next.last().map(|(hash, _)| *hash);
        next
    }
}

/// Reads compact peers (BEP 23, BEP 7).
pub(super) fn read_compact(peers: &[u8], v4: bool) -> Vec<SocketAddr> {
    if v4 {
        compact::read_v4(peers).collect()
    } else {
        compact::read_v6(peers).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_swarm_has_its_turn_within_the_interval_and_empty_ones_are_gone() {
        let (mut swarms, hash) = (TabSwarms::default(), |n| InfoHashV1([n; 20]));
        for n in 0..10 {
            swarms.change(hash(n), 2, 1);
        }
        swarms.change(hash(3), -1, -1);
        assert_eq!(
            (swarms.tabs(hash(3)).all, swarms.tabs(hash(3)).seeds),
            (1, 0)
        );
        swarms.change(hash(4), -2, -1);
        let interval = Duration::from_secs(4);
        let turns: Vec<usize> = (0..4).map(|_| swarms.next_share(interval).len()).collect();
        assert_eq!(
            turns,
            [3, 3, 3, 0],
            "nine swarms, and then from the beginning"
        );
        assert_eq!(swarms.next_share(interval)[0].0, hash(0));
    }
}
