//! Rate limits, in whole bytes so that every machine computes the same.

use std::time::Duration;

use crate::types::Instant;

/// A token bucket of bytes: at most one second's worth saved up, may go one request into debt.
#[derive(Clone, Debug, Default)]
pub(crate) struct TokenBucket {
    /// Bytes per second; `None`: no limit.
    limit: Option<u64>,
    /// Bytes that may be spent, in millionths (so that no rounding loses any).
    tokens: i128,
    at: Instant,
}

impl TokenBucket {
    /// Sets the limit in bytes per second; what was saved up is kept within the new bound.
    pub(crate) fn set(&mut self, now: Instant, limit: Option<u64>) {
        self.refill(now);
        self.limit = limit;
    }

    /// Whether something may be spent now.
    pub(crate) fn ready(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.limit.is_none() || self.tokens > 0
    }

    /// Spends bytes.
    pub(crate) fn spend(&mut self, bytes: u64) {
        if self.limit.is_some() {
            self.tokens -= i128::from(bytes) * 1_000_000;
        }
    }

    /// When something may be spent; `None` if there is no limit, if it may be spent already, or if
    /// the limit is 0 and it never may.
    pub(crate) fn ready_at(&self) -> Option<Instant> {
        let limit = i128::from(self.limit.filter(|limit| *limit > 0)?);
        let micros = u64::try_from((1 - self.tokens).max(0) / limit).unwrap_or(u64::MAX);
        (self.tokens <= 0).then(|| self.at + Duration::from_micros(micros.saturating_add(1)))
    }

    fn refill(&mut self, now: Instant) {
        let limit = i128::from(self.limit.unwrap_or(0));
        let micros = i128::from(now.as_micros().saturating_sub(self.at.as_micros()));
        self.tokens = (self.tokens + limit * micros).min(limit * 1_000_000);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    #[test]
    fn a_bucket_lets_through_its_limit_and_not_more() {
        let mut bucket = TokenBucket::default();
        bucket.set(at(0), Some(10_000));
        let mut spent = 0;
        for ms in 0..20_000 {
            while bucket.ready(at(ms)) {
                bucket.spend(1000);
                spent += 1000;
            }
            let wait = bucket.ready_at().unwrap().since(at(ms));
            assert!(wait > Duration::ZERO && wait <= Duration::from_millis(101));
        }
        assert!((199_000..=202_000).contains(&spent), "{spent}");
    }

    #[test]
    fn a_limit_of_zero_lets_nothing_through_and_wakes_nobody() {
        let mut bucket = TokenBucket::default();
        bucket.set(at(0), Some(0));
        assert!(!bucket.ready(at(60_000)));
        assert_eq!(bucket.ready_at(), None);
    }

    #[test]
    fn without_a_limit_everything_passes() {
        let mut bucket = TokenBucket::default();
        bucket.spend(u64::MAX);
        assert!(bucket.ready(at(0)));
        assert_eq!(bucket.ready_at(), None);
    }
}
