//! The slots that a tab has for peers of one swarm.

use std::collections::BTreeSet;

use aqueduct_core::net::is_local;
use aqueduct_core::tunnel::PeerCounts;
use aqueduct_core::types::PeerAddr;

use crate::limits::network::network_of;

/// Counts the peers of one swarm against the number that the tab wants.
#[derive(Debug)]
pub(crate) struct Places {
    want: u16,
    counts: PeerCounts,
    /// Peers that dialled in and are still connected.
    incoming: BTreeSet<PeerAddr>,
}

impl Places {
    pub(crate) fn new(want: u16) -> Self {
        Self {
            want,
            counts: PeerCounts::default(),
            incoming: BTreeSet::new(),
        }
    }

    pub(crate) const fn set_want(&mut self, want: u16) {
        self.want = want;
    }

    /// The counts for the tab.
    pub(crate) const fn counts(&self) -> PeerCounts {
        self.counts
    }

    /// Whether the tab has fewer peers than it wants, dials in progress included.
    pub(crate) fn has_room(&self) -> bool {
        self.counts.connected + self.counts.dialling < self.want.into()
    }

    /// Counts an address that was found. `refused`: by the filter.
    pub(crate) fn found(&mut self, refused: bool) {
        self.counts.found += 1;
        self.counts.refused += u32::from(refused);
    }

    pub(crate) const fn dial_started(&mut self) {
        self.counts.dialling += 1;
    }

    /// A dial has ended, or was not made. `failed`: it led to no peer.
    pub(crate) fn dial_ended(&mut self, failed: bool) {
        self.counts.dialling = self.counts.dialling.saturating_sub(1);
        self.counts.failed += u32::from(failed);
    }

    pub(crate) const fn connected(&mut self) {
        self.counts.connected += 1;
    }

    /// Admits a dialling peer, if there is room. While `waiting` addresses can be dialled, half of
    /// the slots are reserved for them. One address gets one slot, or in a private network, where
    /// it may represent several peers, a quarter of all.
    pub(crate) fn admit_incoming(&mut self, addr: PeerAddr, waiting: usize) -> bool {
        let (want, host) = (usize::from(self.want), addr.ip().map(network_of));
        let per_host = if addr.ip().is_some_and(is_local) {
            (want / 4).max(1)
        } else {
            1
        };
        let same_host = self
            .incoming
            .iter()
            .filter(|other| other.ip().map(network_of) == host)
            .count();
        let reserved = waiting.min(want / 2);
        let connected = usize::try_from(self.counts.connected).unwrap_or(usize::MAX);
        let admitted =
            connected < want && self.incoming.len() + reserved < want && same_host < per_host;
        if admitted {
            self.incoming.insert(addr);
            self.counts.connected += 1;
        }
        admitted
    }

    pub(crate) fn disconnected(&mut self, addr: PeerAddr) {
        self.counts.connected = self.counts.connected.saturating_sub(1);
        self.incoming.remove(&addr);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8, port: u16) -> PeerAddr {
        PeerAddr::from(([9, 9, 9, last], port))
    }

    #[test]
    fn dials_and_peers_together_take_as_many_places_as_the_tab_wants() {
        let mut places = Places::new(2);
        places.dial_started();
        places.dial_ended(false);
        places.connected();
        places.dial_started();
        assert!(!places.has_room());
        places.dial_ended(true);
        assert!(places.has_room() && places.counts().failed == 1);
        places.set_want(1);
        assert!(!places.has_room());
        places.disconnected(peer(1, 1));
        assert!(places.has_room());
    }

    #[test]
    fn one_address_that_dials_in_has_one_place_and_a_private_one_a_quarter() {
        let mut places = Places::new(8);
        assert!(places.admit_incoming(peer(1, 1), 0) && !places.admit_incoming(peer(1, 2), 0));
        places.disconnected(peer(1, 1));
        assert!(places.admit_incoming(peer(1, 2), 0));
        let private = (1..=8).map(|port| PeerAddr::from(([10, 0, 0, 1], port)));
        let admitted = private.filter(|addr| places.admit_incoming(*addr, 0));
        assert_eq!(admitted.count(), 2);
    }

    #[test]
    fn half_of_the_places_are_kept_for_peers_to_dial_while_there_are_any() {
        let admitted = |waiting| {
            let mut places = Places::new(8);
            (1..=9)
                .filter(|last| places.admit_incoming(peer(*last, 1), waiting))
                .count()
        };
        assert_eq!([0, 2, 100].map(admitted), [8, 6, 4]);
    }
}
