//! How long a connection has been silent, and when it is over.

use std::time::Duration;

use crate::types::Instant;

/// NATs drop a mapping after half a minute without a datagram.
const KEEP_ALIVE: Duration = Duration::from_secs(29);

/// Deadlines of one connection that do not depend on what is under way.
#[derive(Debug)]
pub(super) struct Timers {
    /// When a closed connection is removed.
    pub(super) close: Option<Instant>,
    /// Timeouts since the other side was last heard of.
    timeouts: u8,
    sent: Instant,
}

impl Timers {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            close: None,
            timeouts: 0,
            sent: now,
        }
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Instant {
        let silence = self.sent + KEEP_ALIVE;
        self.close.map_or(silence, |close| close.min(silence))
    }

    /// Whether nothing was sent for so long that NATs may drop the mapping; again only after the
    /// same time.
    pub(super) fn take_silence(&mut self, now: Instant) -> bool {
        let is_silent = now.since(self.sent) >= KEEP_ALIVE;
        if is_silent {
            self.sent = now;
        }
        is_silent
    }

    /// A datagram went out.
    pub(super) const fn handle_sent(&mut self, now: Instant) {
        self.sent = now;
    }

    /// The other side is there.
    pub(super) const fn handle_heard(&mut self) {
        self.timeouts = 0;
    }

    /// Timeouts since the other side was last heard of.
    pub(super) const fn timeouts(&self) -> u8 {
        self.timeouts
    }

    /// One more; returns how many.
    pub(super) const fn count_timeout(&mut self) -> u8 {
        self.timeouts = self.timeouts.saturating_add(1);
        self.timeouts
    }
}
