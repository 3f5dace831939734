//! The reports on one swarm that were sent to a tab, and changes since then.

use aqueduct_core::discovery::{DhtCounts, TrackerStatus};
use aqueduct_core::tunnel::{PeerCounts, Server, TrackerCounts};
use tokio::time::Instant;

use crate::swarm::context::SwarmContext;
use crate::swarm::tracker_reports::TrackerReports;
use crate::tracker::Listing;

/// No tracker is reported while this many bytes wait to be sent: a report of one may have 4 KiB, and a
/// tab that does not read must not fill the bridge's memory with them.
const MAX_UNREAD: usize = 256 << 10;

/// The last report of each kind.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    tracker_reports: TrackerReports,
    peers: Option<PeerCounts>,
    trackers: Option<TrackerCounts>,
    dht: Option<DhtCounts>,
}

impl Reports {
    /// When the passing of time changes a report.
    pub(crate) fn next_change(&self, context: &SwarmContext) -> Option<Instant> {
        self.tracker_reports.next_change(context)
    }

    /// Tells the tab of peers, if that is new.
    pub(crate) fn report_peers(&mut self, join: u32, counts: PeerCounts, tunnel: &mut Server) {
        if let Some(counts) = changed(&mut self.peers, Some(counts)) {
            tunnel.peers(join, &counts);
        }
    }

    /// Tells the tab of the DHT, if that is new.
    pub(crate) fn report_dht(&mut self, join: u32, counts: Option<DhtCounts>, tunnel: &mut Server) {
        if let Some(counts) = changed(&mut self.dht, counts) {
            tunnel.dht(join, &counts);
        }
    }

    /// Tells the tab of trackers, if that is new. `own`: the bridge's own tracker, if the torrent
    /// names it.
    pub(crate) fn report_trackers(
        &mut self,
        join: u32,
        statuses: &[TrackerStatus],
        own: Option<&Listing>,
        context: &SwarmContext,
        tunnel: &mut Server,
    ) {
        let may_tell = tunnel.backlog() < MAX_UNREAD;
        let (mut counts, mut changes) = self.tracker_reports.update(statuses, context, may_tell);
        if let Some(listing) = own {
            count_own(listing, &mut counts);
            changes.extend(self.tracker_reports.update_own(listing, may_tell));
        }
        for report in changes {
            tunnel.tracker(join, &report);
        }
        if let Some(counts) = changed(&mut self.trackers, Some(counts)) {
            tunnel.trackers(join, &counts);
        }
    }
}

/// Stores a value; returns it if it differs from the reported one.
fn changed<T: Copy + PartialEq>(told: &mut Option<T>, now: Option<T>) -> Option<T> {
    let news = now.filter(|_| *told != now);
    *told = now;
    news
}

/// Counts the bridge's own tracker as one that answered.
fn count_own(listing: &Listing, counts: &mut TrackerCounts) {
    let (swarm, found) = listing.counts();
    counts.total = counts.total.saturating_add(1);
    counts.answered += 1;
    counts.empty += u16::from(found == 0);
    counts.seeders = counts.seeders.max(swarm.seeders);
    counts.leechers = counts.leechers.max(swarm.leechers);
}
