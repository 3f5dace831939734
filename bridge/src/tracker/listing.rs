//! A tab's entry in the bridge's own tracker, which also returns peers to it. No socket is
//! involved, since the filter refuses the bridge's own address.

use std::net::SocketAddr;
use std::sync::Arc;

use aqueduct_core::tracker::Counts;
use aqueduct_core::types::InfoHashV1;

use crate::tracker::service::TrackerService;

/// A tab's share of the bridge's entry for a swarm, which is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Listing {
    tracker: Arc<TrackerService>,
    info_hash: InfoHashV1,
    seed: bool,
    named: bool,
    /// The number of peers in the last answer.
    found: usize,
}

impl Listing {
    /// Lists a tab that joins a swarm, unless the swarm is private and its torrent does not name this
    /// tracker. The tracker's own URLs are removed from `trackers`: they need no request.
    pub(crate) fn new(
        tracker: &Arc<TrackerService>,
        info_hash: InfoHashV1,
        seed: bool,
        private: bool,
        trackers: &mut [Vec<String>],
    ) -> Option<Self> {
        let count = |trackers: &[Vec<String>]| trackers.iter().map(Vec::len).sum::<usize>();
        let before = count(trackers);
        trackers
            .iter_mut()
            .for_each(|tier| tier.retain(|url| !tracker.own_urls.contain(url)));
        let named = count(trackers) < before;
        (named || !private).then(|| {
            let listing = Self {
                tracker: Arc::clone(tracker),
                info_hash,
                seed,
                named,
                found: 0,
            };
            listing.change(1, isize::from(seed));
            listing
        })
    }

    /// Whether the torrent itself names this tracker.
    pub(crate) const fn is_named(&self) -> bool {
        self.named
    }

    /// The swarm's seeders and leechers, and how many peers [`Listing::peers`] returned last.
    pub(crate) fn counts(&self) -> (Counts, usize) {
        (self.tracker.lock().scrape(&self.info_hash), self.found)
    }

    /// The peers that the tracker knows in this swarm, without the bridge itself.
    pub(crate) fn peers(&mut self) -> Vec<SocketAddr> {
        let tab_swarms = self.tracker.tab_swarms();
        let tabs = tab_swarms.tabs(self.info_hash);
        let peers = self.tracker.announce(&tab_swarms, self.info_hash, tabs);
        self.found = peers.len();
        peers
    }

    /// Records that the tab has become a seed.
    pub(crate) fn complete(&mut self) {
        if !std::mem::replace(&mut self.seed, true) {
            self.change(0, 1);
        }
    }

    fn change(&self, all: isize, seeds: isize) {
        let mut tab_swarms = self.tracker.tab_swarms();
        let tabs = tab_swarms.change(self.info_hash, all, seeds);
        self.tracker.announce(&tab_swarms, self.info_hash, tabs);
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        self.change(-1, -isize::from(self.seed));
    }
}
