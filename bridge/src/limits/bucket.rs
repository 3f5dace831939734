//! Rates: how often strangers may make the bridge do something.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Entries beyond which those that say nothing any more are thrown away.
const MANY: usize = 4096;
/// Seconds after which a bucket that never fills (a rate of 0) is asked again.
const LONGEST_WAIT: f64 = 3600.0;

/// Grants so many a second, and some at once after a pause.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    /// After a pause, what is granted in a second is granted at once.
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        Self::with_burst(per_second.into(), per_second, now)
    }

    /// After a pause, what is granted in a minute is granted at once.
    pub(crate) fn a_minute(per_minute: u32, now: Instant) -> Self {
        Self::with_burst(f64::from(per_minute) / 60.0, per_minute, now)
    }

    /// After a pause, `burst` are granted at once.
    pub(crate) fn with_burst(per_second: f64, burst: u32, now: Instant) -> Self {
        Self {
            per_second,
            burst: burst.into(),
            tokens: burst.into(),
            filled: now,
        }
    }

    /// Takes one; otherwise says when there will be one.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        self.check(now)?;
        self.tokens -= 1.0;
        Ok(())
    }

    /// Takes so many, also more than there are: there will be none until that is made up for.
    pub(crate) const fn charge(&mut self, cost: f64) {
        self.tokens -= cost;
    }

    /// Whether there is one; otherwise when.
    pub(crate) fn check(&mut self, now: Instant) -> Result<(), Instant> {
        self.fill(now);
        if self.tokens >= 1.0 {
            return Ok(());
        }
        let wait = ((1.0 - self.tokens) / self.per_second).clamp(0.0, LONGEST_WAIT);
        // A little more, so that rounding never leaves it a hair short.
        Err(now + Duration::from_secs_f64(wait) + Duration::from_millis(1))
    }

    /// Takes so many, also those that are not there yet; says whether there was one left.
    pub(crate) fn spend(&mut self, count: usize, now: Instant) -> bool {
        self.fill(now);
        self.tokens -= f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        self.tokens >= 1.0
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        self.filled = now;
    }

    pub(crate) fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.tokens >= self.burst
    }
}
/// A map that is swept of what says nothing any more whenever it has twice as many entries as the
/// last sweep left: that costs little an entry, however many there are.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    pub(crate) entries: BTreeMap<K, V>,
    sweep_at: usize,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            sweep_at: MANY,
        }
    }
}

impl<K: Ord, V> Table<K, V> {
    pub(crate) fn sweep(&mut self, stays: impl FnMut(&K, &mut V) -> bool) {
        if self.entries.len() >= self.sweep_at {
            self.entries.retain(stays);
            self.sweep_at = (self.entries.len() * 2).max(MANY);
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_swept_seldom_but_does_not_keep_the_past() {
        let (mut table, mut looked) = (Table::default(), 0);
        for n in 0..100_000 {
            table.sweep(|_, ()| {
                looked += 1;
                true
            });
            table.entries.insert(n, ());
        }
        assert!(looked < 200_000, "{looked} looks at 100000 entries");
        for n in 100_000..200_000 {
            table.sweep(|_, ()| false);
            table.entries.insert(n, ());
        }
        assert!(
            table.entries.len() <= 100_000,
            "{} entries",
            table.entries.len()
        );
    }
}
