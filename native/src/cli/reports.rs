//! Display of tracker answers and peer failures: all of them with `-v` and `--json`, otherwise only
//! trackers' own messages.

use std::collections::BTreeSet;
use std::time::Instant;

use aqueduct_core::discovery::{TrackerState, TrackerStatus};
use aqueduct_core::types::InfoHash;
use aqueduct_native::driver::Report;

use crate::ui::Screen;

/// The number of peer failures that may be displayed in a burst. An engine makes at most 30 dials
/// per second.
const BURST: f64 = 100.0;
/// The number of peer failures that are displayed per second afterwards; others are counted.
const PER_SECOND: f64 = 20.0;

/// The maximum number of different tracker messages that are displayed without `-v`.
const MAX_MESSAGES: usize = 50;

/// What was displayed, and what may be.
#[derive(Debug)]
pub(crate) struct Reports {
    /// `-v` or `--json`.
    all: bool,
    messages: BTreeSet<(InfoHash, String)>,
    pace: Pace,
}

impl Reports {
    pub(crate) fn new(screen: &Screen, verbosity: u8) -> Self {
        let all = verbosity > 0 || matches!(screen, Screen::Json(_));
        Self {
            all,
            messages: BTreeSet::new(),
            pace: Pace {
                tokens: BURST,
                at: Instant::now(),
                omitted: 0,
            },
        }
    }

    /// Whether everything is displayed: `-v` or `--json`.
    pub(crate) const fn are_all_shown(&self) -> bool {
        self.all
    }

    /// Displays a report about the torrent `name`, within the limits.
    pub(crate) fn handle(
        &mut self,
        report: &Report,
        name: &str,
        info_hash: InfoHash,
        screen: &Screen,
    ) {
        match report {
            Report::Tracker { status, .. } if self.is_shown(info_hash, status) => {
                screen.tracker(name, &info_hash, status);
            }
            Report::Peer {
                addr,
                failure,
                reason,
                ..
            } if self.all => {
                if let Some(omitted) = self.pace.take(Instant::now()) {
                    screen.peer(name, &info_hash, *addr, (*failure, reason), omitted);
                }
            }
            Report::Tracker { .. } | Report::Peer { .. } => {}
        }
    }

    /// Whether a tracker's answer is displayed: without `-v` each of its own messages once.
    fn is_shown(&mut self, info_hash: InfoHash, status: &TrackerStatus) -> bool {
        let message = match &status.state {
            _ if status.asking => None,
            TrackerState::Failed(error) => error.own_words(),
            TrackerState::Ok { .. } | TrackerState::Idle => status.warning.as_deref(),
        };
        let new = message.is_some_and(|message| {
            self.messages.len() < MAX_MESSAGES
                && self
                    .messages
                    .insert((info_hash, format!("{}: {message}", status.url)))
        });
        self.all || new
    }
}

/// A bound on lines per second.
#[derive(Debug)]
struct Pace {
    tokens: f64,
    at: Instant,
    omitted: u64,
}

impl Pace {
    /// The number of lines omitted since the last one; `None`: this one is omitted too.
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
