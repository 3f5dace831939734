//! Notices that the worker was suspended: the browser froze its page, or the computer slept.
//!
//! Neither is reported to a worker. Its timer runs every few seconds at most, and the date, unlike
//! the monotonic clock, also counts the time in which the computer slept.

/// The time between two calls of the timer, in milliseconds, above which the worker was suspended.
const GAP_MS: u64 = 10_000;

/// When the worker's timer has run last.
pub(super) struct Suspension {
    /// In milliseconds since 1970.
    last: u64,
}

impl Suspension {
    /// `now` is in milliseconds since 1970.
    pub(super) const fn new(now: u64) -> Self {
        Self { last: now }
    }

    /// Records that the timer runs. Returns for how many seconds the worker was suspended before, if
    /// it was.
    pub(super) fn check(&mut self, now: u64) -> Option<u32> {
        let gap = now.saturating_sub(std::mem::replace(&mut self.last, now));
        let seconds = u32::try_from(gap / 1000).unwrap_or(u32::MAX);
        (gap >= GAP_MS).then_some(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspension_is_noticed_once() {
        let mut suspension = Suspension::new(1_000);
        assert_eq!(suspension.check(3_000), None);
        assert_eq!(suspension.check(63_500), Some(60));
        assert_eq!(suspension.check(65_500), None);
    }

    #[test]
    fn a_date_that_is_set_back_is_no_suspension() {
        let mut suspension = Suspension::new(1_000_000);
        assert_eq!(suspension.check(1_000), None);
        assert_eq!(suspension.check(2_000), None);
    }
}
