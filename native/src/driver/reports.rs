//! The outcome of announces and dials, for the user: each as it happens, and a summary of all
//! peers' failures in one sentence.

use std::cell::RefCell;
use std::collections::BTreeMap;

use aqueduct_core::discovery::TrackerStatus;
use aqueduct_core::types::{PeerAddr, TorrentId};
use aqueduct_core::{CloseReason, PeerFailure, PeerFailures};

use super::queue::Queue;

/// Reports that were not fetched; beyond it the oldest are dropped.
const MAX_REPORTS: usize = 256;

/// One tracker's answer, or one peer's failure.
#[derive(Clone, Debug)]
pub enum Report {
    /// An announce is over.
    Tracker {
        /// The torrent that was announced.
        torrent: TorrentId,
        /// The tracker's state afterwards, with its answer or error.
        status: TrackerStatus,
    },
    /// A peer could not be connected to, or the connection failed.
    Peer {
        /// The torrent that the peer was dialled for.
        torrent: TorrentId,
        /// The peer's address.
        addr: PeerAddr,
        /// The kind of failure.
        failure: PeerFailure,
        /// The failure in full.
        reason: CloseReason,
    },
}

/// Reports in the order in which they came, and the last failure of each peer.
#[derive(Debug)]
pub(super) struct Reports {
    queue: Queue<Report>,
    failures: RefCell<BTreeMap<TorrentId, PeerFailures>>,
}

impl Reports {
    pub(super) fn new() -> Self {
        Self {
            queue: Queue::bounded(MAX_REPORTS),
            failures: RefCell::default(),
        }
    }

    pub(super) fn tracker_answered(&self, torrent: TorrentId, status: TrackerStatus) {
        self.queue.push(Report::Tracker { torrent, status });
    }

    pub(super) fn peer_failed(&self, torrent: TorrentId, addr: PeerAddr, reason: CloseReason) {
        tracing::debug!(torrent = torrent.0, %addr, %reason, "a peer failed");
        let Some(failure) = PeerFailure::of(&reason) else {
            return;
        };
        self.failures
            .borrow_mut()
            .entry(torrent)
            .or_default()
            .note(addr, failure);
        self.queue.push(Report::Peer {
            torrent,
            addr,
            failure,
            reason,
        });
    }

    pub(super) fn peer_connected(&self, torrent: TorrentId, addr: PeerAddr) {
        if let Some(failures) = self.failures.borrow_mut().get_mut(&torrent) {
            failures.forget(addr);
        }
    }

    /// The oldest report that was not fetched; waits for one. Cancel-safe.
    pub(super) async fn next(&self) -> Report {
        self.queue.next().await
    }

    /// How the peers of one torrent failed; `None`: none did.
    pub(super) fn peer_failures(&self, torrent: TorrentId) -> Option<String> {
        let failures = self.failures.borrow();
        failures
            .get(&torrent)
            .filter(|failures| !failures.is_empty())
            .map(ToString::to_string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_peers_failure_is_reported_once_and_forgotten_when_it_connects() {
        let (reports, torrent) = (Reports::new(), TorrentId(1));
        let addr = PeerAddr::from(([192, 0, 2, 1], 6881));
        assert_eq!(reports.peer_failures(torrent), None);
        reports.peer_failed(torrent, addr, CloseReason::Refused);
        assert!(matches!(
            reports.next().await,
            Report::Peer {
                failure: PeerFailure::Refused,
                ..
            }
        ));
        assert!(reports.peer_failures(torrent).is_some());
        assert_eq!(reports.peer_failures(TorrentId(2)), None);
        reports.peer_connected(torrent, addr);
        assert_eq!(reports.peer_failures(torrent), None);
    }
}
