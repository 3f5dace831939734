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
    /// The URLs by which the torrent names this tracker.
    urls: Vec<String>,
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
        let is_own = |url: &mut String| tracker.own_urls.contain(url);
        let urls: Vec<String> = trackers
            .iter_mut()
            .flat_map(|tier| tier.extract_if(.., is_own))
            .collect();
        (!urls.is_empty() || !private).then(|| {
            let listing = Self {
                tracker: Arc::clone(tracker),
                info_hash,
                seed,
                urls,
                found: 0,
            };
            listing.change(1, isize::from(seed));
            listing
        })
    }

    /// Whether the torrent itself names this tracker.
    pub(crate) const fn is_named(&self) -> bool {
        !self.urls.is_empty()
    }

    /// The URLs by which the torrent names this tracker.
    pub(crate) fn urls(&self) -> &[String] {
        &self.urls
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
