//! What became of trackers and peers, on the screen: each as it happens for programs and with `-v`;
//! otherwise what a tracker says in its own words.

use std::collections::BTreeSet;
use std::time::Instant;

use aqueduct_core::discovery::{TrackerState, TrackerStatus};
use aqueduct_core::types::InfoHash;
use aqueduct_native::driver::Report;

use super::session::Session;
use crate::ui::Screen;

/// Peers told of at once, and a second from then on; of others there is only a number. An engine
/// makes at most 30 dials a second.
const BURST: f64 = 100.0;
const PER_SECOND: f64 = 20.0;

/// Different words of trackers that are told without `-v`.
const MAX_WORDS: usize = 50;

/// What was told, and what may be.
#[derive(Debug)]
pub(crate) struct Reports {
    /// `-v`, or a program that listens.
    all: bool,
    words: BTreeSet<(InfoHash, String)>,
    pace: Pace,
}

impl Reports {
    pub(crate) fn new(screen: &Screen, verbosity: u8) -> Self {
        let all = verbosity > 0 || matches!(screen, Screen::Json(_));
        Self {
            all,
            words: BTreeSet::new(),
            pace: Pace {
                tokens: BURST,
                at: Instant::now(),
                omitted: 0,
            },
        }
    }

    /// Whether a tracker's answer is worth a line.
    fn tells(&mut self, info_hash: InfoHash, status: &TrackerStatus) -> bool {
        let words = match &status.state {
            _ if status.asking => None,
            TrackerState::Failed(error) => error.own_words(),
            TrackerState::Ok { .. } | TrackerState::Idle => status.warning.as_deref(),
        };
        let new = words.is_some_and(|words| {
            self.words.len() < MAX_WORDS
                && self
                    .words
                    .insert((info_hash, format!("{}: {words}", status.url)))
        });
        self.all || new
    }
}

/// A bound on lines a second.
#[derive(Debug)]
struct Pace {
    tokens: f64,
    at: Instant,
    omitted: u64,
}

impl Pace {
    /// How many were left out since the last line; `None`: this one is, too.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let earned = now.duration_since(self.at).as_secs_f64() * PER_SECOND;
        (self.tokens, self.at) = ((self.tokens + earned).min(BURST), now);
        if self.tokens < 1.0 {
            self.omitted += 1;
            return None;
        }
        self.tokens -= 1.0;
        Some(std::mem::take(&mut self.omitted))
    }
}

impl Session {
    pub(crate) fn on_report(&mut self, report: &Report) {
        let (Report::Tracker { torrent, .. } | Report::Peer { torrent, .. }) = report;
        let (Some(job), Some(snapshot)) =
            (self.jobs.get(torrent), self.driver.snapshot_of(*torrent))
        else {
            return;
        };
        let info_hash = snapshot.info_hash;
        match report {
            Report::Tracker { status, .. } if self.reports.tells(info_hash, status) => {
                self.screen.tracker(&job.name, &info_hash, status)
            }
            Report::Peer {
                addr,
                failure,
                reason,
                ..
            } if self.reports.all => {
                if let Some(omitted) = self.reports.pace.take(Instant::now()) {
                    self.screen
                        .peer(&job.name, &info_hash, *addr, (*failure, reason), omitted);
                }
            }
            Report::Tracker { .. } | Report::Peer { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn beyond_the_pace_lines_are_counted() {
        let start = Instant::now();
        let mut pace = Pace {
            tokens: 2.0,
            at: start,
            omitted: 0,
        };
        assert_eq!(
            [(); 5].map(|()| pace.take(start)),
            [Some(0), Some(0), None, None, None]
        );
        assert_eq!(pace.take(start + Duration::from_millis(60)), Some(3));
    }
}
