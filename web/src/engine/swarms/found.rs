//! What the bridge's search for a torrent's peers has found.

use aqueduct_core::Instant;
use aqueduct_core::tunnel::{
    self, DhtCounts, MAX_TRACKERS, PeerCounts, TrackerCounts, TrackerReport,
};
use aqueduct_core::types::SortedMap;

use crate::engine::errors::tracker_failure;
use crate::message::TrackerAnswer;

/// The bridge's results of its search for peers.
#[derive(Default)]
pub(in crate::engine) struct Found {
    /// From trackers.
    pub(in crate::engine) trackers: TrackerCounts,
    /// From the DHT, if it is used.
    pub(in crate::engine) dht: Option<DhtCounts>,
    /// The state of the peers.
    pub(in crate::engine) peers: PeerCounts,
    /// What single trackers answered, by their URLs; at most [`MAX_TRACKERS`].
    by_url: SortedMap<String, TrackerState>,
}

/// The state of one tracker.
pub(in crate::engine) struct TrackerState {
    /// Its last answer.
    pub(in crate::engine) answer: TrackerAnswer,
    /// Whether it is being asked.
    pub(in crate::engine) asking: bool,
    /// Its own text, escaped.
    pub(in crate::engine) text: Option<String>,
    /// When it is asked again, if that is known.
    pub(in crate::engine) next: Option<Instant>,
}

impl Found {
    /// The state of a tracker, if the bridge reported it.
    pub(in crate::engine) fn tracker(&self, url: &str) -> Option<&TrackerState> {
        self.by_url.get(url)
    }

    /// Records a report on a tracker.
    pub(super) fn set_tracker(&mut self, now: Instant, report: TrackerReport) {
        if self.by_url.len() >= MAX_TRACKERS && !self.by_url.contains_key(&report.url) {
            return;
        }
        let state = TrackerState {
            answer: match report.answer {
                tunnel::TrackerAnswer::None => TrackerAnswer::None,
                tunnel::TrackerAnswer::Peers {
                    named,
                    seeders,
                    leechers,
                } => TrackerAnswer::Peers {
                    named,
                    seeders,
                    leechers,
                },
                tunnel::TrackerAnswer::Failed(failure) => {
                    TrackerAnswer::Failed(tracker_failure(failure).to_owned())
                }
            },
            asking: report.asking,
            text: report.text,
            next: report.next.map(|next| now + next),
        };
        self.by_url.insert(report.url, state);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aqueduct_core::tunnel::TrackerFailure;

    use super::*;

    fn report(url: &str) -> TrackerReport {
        TrackerReport {
            url: url.to_owned(),
            answer: tunnel::TrackerAnswer::Failed(TrackerFailure::Refused),
            asking: false,
            text: Some("no".to_owned()),
            next: Some(Duration::from_secs(90)),
        }
    }

    #[test]
    fn the_newest_report_on_a_tracker_counts_and_its_next_announce_comes_nearer() {
        let (mut found, now) = (Found::default(), Instant::from_micros(5_000_000));
        found.set_tracker(now, report("http://a/announce"));
        let state = found.tracker("http://a/announce").unwrap();
        assert_eq!(
            state.answer,
            TrackerAnswer::Failed("it refused the request".to_owned())
        );
        assert_eq!(state.next, Some(now + Duration::from_secs(90)));
        let answer = tunnel::TrackerAnswer::None;
        let newer = TrackerReport {
            answer,
            ..report("http://a/announce")
        };
        found.set_tracker(now, newer);
        let state = found.tracker("http://a/announce").unwrap();
        assert_eq!(state.answer, TrackerAnswer::None);
        assert!(found.tracker("http://b/announce").is_none());
    }

    #[test]
    fn a_bridge_cannot_fill_memory_with_trackers() {
        let mut found = Found::default();
        for number in 0..MAX_TRACKERS + 9 {
            found.set_tracker(Instant::ZERO, report(&format!("http://{number}/announce")));
        }
        assert_eq!(found.by_url.len(), MAX_TRACKERS);
    }
}
