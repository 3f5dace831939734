//! Swarms that the bridge's tabs are in: the tracker lists the bridge's peer port for them, and
//! gives the tabs whom it knows.
//!
//! Nothing goes over a socket: the filter would refuse the bridge's own address, and rightly.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::Bound;
use std::sync::{Arc, MutexGuard, PoisonError};

use aqueduct_core::net::compact;
use aqueduct_core::tracker::{Admission, Announce, Counts, Event};
use aqueduct_core::types::InfoHashV1;

use super::Tracking;

/// The bridge's own entries.
#[derive(Debug, Default)]
pub(super) struct Hosted {
    /// Where peers reach the bridge.
    addrs: Vec<SocketAddr>,
    swarms: BTreeMap<InfoHashV1, Tabs>,
    /// The last swarm that was told anew.
    cursor: Option<InfoHashV1>,
}

/// How many tabs are in a swarm. They share an entry, because they share a port.
#[derive(Clone, Copy, Debug, Default)]
struct Tabs {
    all: usize,
    seeds: usize,
}

/// A tab's part in an entry; ends when dropped.
#[derive(Debug)]
pub(crate) struct Listing {
    tracking: Arc<Tracking>,
    info_hash: InfoHashV1,
    seed: bool,
    named: bool,
    /// Peers in the last answer.
    found: usize,
}

impl Tracking {
    /// Tells where peers reach the bridge, and the machine's addresses. Swarms hear of it when they
    /// are told anew, or joined.
    pub(crate) fn set_addrs(&self, peers: Vec<SocketAddr>, own: impl IntoIterator<Item = IpAddr>) {
        self.hosted().addrs = peers;
        self.names.set(own);
    }

    /// A tab joins a swarm: it is listed, unless the swarm is private and its torrent does not name
    /// this tracker. The tracker's own URLs are taken out of `trackers`: nobody else is to be asked
    /// there.
    pub(crate) fn list(
        self: &Arc<Self>,
        info_hash: InfoHashV1,
        seed: bool,
        private: bool,
        trackers: &mut [Vec<String>],
    ) -> Option<Listing> {
        let count = |trackers: &[Vec<String>]| trackers.iter().map(Vec::len).sum::<usize>();
        let before = count(trackers);
        trackers
            .iter_mut()
            .for_each(|tier| tier.retain(|url| !self.names.contain(url)));
        let named = count(trackers) < before;
        (named || !private).then(|| {
            let listing = Listing {
                tracking: Arc::clone(self),
                info_hash,
                seed,
                named,
                found: 0,
            };
            listing.change(1, isize::from(seed));
            listing
        })
    }

    /// Tells the machine anew of a share of the swarms, so that all of them are told in half the
    /// time after which they would be forgotten.
    pub(super) fn refresh(&self) {
        let mut hosted = self.hosted();
        let share = hosted.swarms.len().div_ceil(
            usize::try_from(self.interval.as_secs())
                .unwrap_or(usize::MAX)
                .max(1),
        );
        let after = hosted.cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let next: Vec<(InfoHashV1, Tabs)> = hosted
            .swarms
            .range((after, Bound::Unbounded))
            .take(share)
            .map(|(hash, tabs)| (*hash, *tabs))
            .collect();
        hosted.cursor = next.last().map(|(hash, _)| *hash);
        next.into_iter()
            .for_each(|(hash, tabs)| self.tell(&hosted.addrs, hash, tabs, &mut Vec::new()));
    }

    fn hosted(&self) -> MutexGuard<'_, Hosted> {
        self.hosted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces the bridge's addresses for a swarm, and collects whom the machine knows.
    fn tell(
        &self,
        addrs: &[SocketAddr],
        info_hash: InfoHashV1,
        tabs: Tabs,
        peers: &mut Vec<SocketAddr>,
    ) {
        let event = if tabs.all == 0 {
            Event::Stopped
        } else {
            Event::Present
        };
        let mut compact = Vec::new();
        for addr in addrs {
            let announce = Announce {
                info_hash,
                port: addr.port(),
                seed: tabs.seeds > 0,
                event,
                num_want: None,
            };
            compact.clear();
            // A full tracker lists no more swarms, its own included.
            let _ = self.lock().announce(
                self.now(),
                &announce,
                addr.ip(),
                Admission::Hosted,
                &mut compact,
            );
            peers.extend(read(&compact, addr.is_ipv4()));
        }
        peers.retain(|peer| !addrs.contains(peer));
    }
}

impl Listing {
    /// Whether the torrent itself names this tracker.
    pub(crate) const fn is_named(&self) -> bool {
        self.named
    }

    /// How the swarm is doing, and how many peers [`Listing::peers`] gave last.
    pub(crate) fn counts(&self) -> (Counts, usize) {
        (self.tracking.lock().scrape(&self.info_hash), self.found)
    }

    /// Whom the tracker knows in this swarm, the bridge itself left out.
    pub(crate) fn peers(&mut self) -> Vec<SocketAddr> {
        let hosted = self.tracking.hosted();
        let tabs = hosted
            .swarms
            .get(&self.info_hash)
            .copied()
            .unwrap_or_default();
        let mut peers = Vec::new();
        self.tracking
            .tell(&hosted.addrs, self.info_hash, tabs, &mut peers);
        self.found = peers.len();
        peers
    }

    /// The tab lacks nothing any more.
    pub(crate) fn complete(&mut self) {
        if !std::mem::replace(&mut self.seed, true) {
            self.change(0, 1);
        }
    }

    fn change(&self, all: isize, seeds: isize) {
        let mut hosted = self.tracking.hosted();
        let tabs = hosted.swarms.entry(self.info_hash).or_default();
        *tabs = Tabs {
            all: tabs.all.saturating_add_signed(all),
            seeds: tabs.seeds.saturating_add_signed(seeds),
        };
        let tabs = *tabs;
        if tabs.all == 0 {
            hosted.swarms.remove(&self.info_hash);
        }
        self.tracking
            .tell(&hosted.addrs, self.info_hash, tabs, &mut Vec::new());
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        self.change(-1, -isize::from(self.seed));
    }
}

fn read(peers: &[u8], v4: bool) -> Vec<SocketAddr> {
    if v4 {
        compact::read_v4(peers).collect()
    } else {
        compact::read_v6(peers).collect()
    }
}
