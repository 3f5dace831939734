//! Core's token bucket on tokio's clock.

use std::time::Duration;

use aqueduct_core::net::{Limit, TokenBucket};
use aqueduct_core::types;
use tokio::time::Instant;

/// The delay after which a bucket that is never filled (a rate of 0) is checked again.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A rate limit; full at first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    tokens: TokenBucket,
    start: Instant,
}

impl Bucket {
    pub(crate) fn new(limit: Limit, now: Instant) -> Self {
        Self {
            tokens: TokenBucket::new(limit),
            start: now,
        }
    }

    /// Takes one token, or returns when there will be one.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        let taken = self.tokens.take(self.core_time(now), 1);
        taken.map_err(|at| self.tokio_time(at, now))
    }

    /// Whether there is a token; if not, when there will be one.
    pub(crate) fn check(&mut self, now: Instant) -> Result<(), Instant> {
        let checked = self.tokens.check(self.core_time(now), 1);
        checked.map_err(|at| self.tokio_time(at, now))
    }

    /// Takes so many tokens, even if there are fewer: the debt is paid off before the next grant.
    pub(crate) fn charge(&mut self, tokens: usize, now: Instant) {
        self.tokens.charge(self.core_time(now), tokens as u64);
    }

    /// Whether it holds as many tokens as it can: such a bucket need not be remembered.
    pub(crate) fn is_full(&mut self, now: Instant) -> bool {
        self.tokens.is_full(self.core_time(now))
    }

    fn core_time(&self, now: Instant) -> types::Instant {
        types::Instant::ZERO + now.saturating_duration_since(self.start)
    }

    fn tokio_time(&self, at: Option<types::Instant>, now: Instant) -> Instant {
        let at = at.and_then(|at| self.start.checked_add(at.since(types::Instant::ZERO)));
        at.map_or(now + LONGEST_WAIT, |at| at.min(now + LONGEST_WAIT))
    }
}
