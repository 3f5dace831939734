//! What became of trackers that were asked and of peers that were dialled, for the user: each as it
//! happens, and all peers' failures in one sentence.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use aqueduct_core::discovery::TrackerStatus;
use aqueduct_core::types::TorrentId;
use aqueduct_core::{CloseReason, PeerFailure, PeerFailures};

use super::Driver;

/// Reports that nobody has fetched; older ones make room.
const MAX_REPORTS: usize = 256;

/// One tracker's answer, or one peer's failure.
#[derive(Clone, Debug)]
pub enum Report {
    /// An announce is over.
    Tracker {
        /// For which torrent.
        torrent: TorrentId,
        /// What came of it.
        status: TrackerStatus,
    },
    /// A peer came to nothing.
    Peer {
        /// Of which torrent.
        torrent: TorrentId,
        /// Who.
        addr: SocketAddr,
        /// The kind.
        failure: PeerFailure,
        /// In full.
        reason: CloseReason,
    },
}

/// Reports in the order they came, and each torrent's peers that failed.
#[derive(Debug, Default)]
pub(super) struct Reports {
    queue: VecDeque<Report>,
    failures: BTreeMap<TorrentId, PeerFailures>,
}

impl Reports {
    fn push(&mut self, report: Report) {
        if self.queue.len() >= MAX_REPORTS {
            self.queue.pop_front();
        }
        self.queue.push_back(report);
    }

    pub(super) fn peer_failed(
        &mut self,
        torrent: TorrentId,
        addr: SocketAddr,
        reason: CloseReason,
    ) {
        tracing::debug!(torrent = torrent.0, %addr, %reason, "peer");
        let Some(failure) = PeerFailure::of(&reason) else {
            return;
        };
        self.failures
            .entry(torrent)
            .or_default()
            .note(addr, failure);
        self.push(Report::Peer {
            torrent,
            addr,
            failure,
            reason,
        });
    }

    pub(super) fn peer_connected(&mut self, torrent: TorrentId, addr: SocketAddr) {
        self.failures
            .get_mut(&torrent)
            .into_iter()
            .for_each(|failures| failures.forget(addr));
    }
}

impl Driver {
    /// The next report. Who never asks loses the older ones. Cancel-safe.
    pub async fn report(&self) -> Report {
        loop {
            if let Some(report) = self.0.state.borrow_mut().reports.queue.pop_front() {
                return report;
            }
            self.0.reported.notified().await;
        }
    }

    /// How peers of one torrent failed; `None`: none did.
    #[must_use]
    pub fn peer_failures(&self, torrent: TorrentId) -> Option<String> {
        let state = self.0.state.borrow();
        state
            .reports
            .failures
            .get(&torrent)
            .filter(|failures| !failures.is_empty())
            .map(ToString::to_string)
    }

    pub(super) fn report_tracker(&self, torrent: TorrentId, status: TrackerStatus) {
        self.0
            .state
            .borrow_mut()
            .reports
            .push(Report::Tracker { torrent, status });
        self.0.reported.notify_one();
    }
}
