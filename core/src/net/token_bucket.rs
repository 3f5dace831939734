//! Token buckets, in integers so that results are the same on every machine.

use std::time::Duration;

use crate::types::Instant;

/// The refill rate and the capacity of a bucket.
///
/// A token may be a byte, a request or any other unit. Products of tokens and the period in
/// microseconds must stay below 2^64: with a period of one second, 10^13 tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    tokens: u64,
    /// The period in microseconds in which `tokens` are regained. Never 0.
    period: u64,
    burst: u64,
}

impl Limit {
    /// `tokens` per second, with a burst of the same number.
    #[must_use]
    pub const fn per_second(tokens: u64) -> Self {
        Self {
            tokens,
            period: 1_000_000,
            burst: tokens,
        }
    }

    /// `tokens` per minute, with a burst of the same number.
    #[must_use]
    pub const fn per_minute(tokens: u64) -> Self {
        Self {
            tokens,
            period: 60_000_000,
            burst: tokens,
        }
    }

    /// The same rate with another capacity: `burst` tokens may be spent at once after a pause.
    #[must_use]
    pub const fn with_burst(self, burst: u64) -> Self {
        Self { burst, ..self }
    }

    /// Rate and burst multiplied by `shares`, for a network that represents several addresses.
    #[must_use]
    pub const fn times(self, shares: u64) -> Self {
        Self {
            tokens: self.tokens.saturating_mul(shares),
            burst: self.burst.saturating_mul(shares),
            ..self
        }
    }

    /// The time in which an empty bucket becomes full; one hour if nothing is regained.
    pub(super) fn refill_time(self) -> Duration {
        match self.capacity().checked_div(self.tokens) {
            Some(micros) => Duration::from_micros(micros.saturating_add(1)),
            None => Duration::from_secs(3600),
        }
    }

    const fn capacity(self) -> u64 {
        self.burst.saturating_mul(self.period)
    }

    const fn price(self, tokens: u64) -> u64 {
        tokens.saturating_mul(self.period)
    }
}

/// How much of a bucket is spent. A new bucket is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Level {
    /// Spent tokens times the limit's period. It exceeds the capacity while the bucket is in debt.
    spent: u64,
    /// The time at which `spent` was updated.
    at: Instant,
}

impl Level {
    /// Adds the tokens that were regained until `now`.
    pub(crate) fn regain(&mut self, limit: Limit, now: Instant) {
        let micros = now.as_micros().saturating_sub(self.at.as_micros());
        self.spent = self
            .spent
            .saturating_sub(limit.tokens.saturating_mul(micros));
        self.at = self.at.max(now);
    }

    /// Whether any token is left, even a fraction.
    pub(crate) const fn has_any(&self, limit: Limit) -> bool {
        self.spent < limit.capacity()
    }

    /// The number of whole tokens that are left.
    pub(crate) fn available(&self, limit: Limit) -> u64 {
        let left = limit.capacity().saturating_sub(self.spent);
        left.checked_div(limit.period).unwrap_or_default()
    }

    /// Whether this many tokens are left.
    const fn has(&self, limit: Limit, tokens: u64) -> bool {
        self.spent.saturating_add(limit.price(tokens)) <= limit.capacity()
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.spent == 0
    }

    /// Spends tokens, even if they are not available.
    pub(crate) const fn spend(&mut self, limit: Limit, tokens: u64) {
        self.spent = self.spent.saturating_add(limit.price(tokens));
    }

    /// When a token will be available; `None` if one is available now or never will be.
    pub(super) fn ready_at(&self, limit: Limit) -> Option<Instant> {
        let most = limit.capacity().checked_sub(1)?;
        self.spent_at_most(limit, most)
            .filter(|_| !self.has_any(limit))
    }

    /// When at most `spent` will be spent; `None`: never.
    fn spent_at_most(&self, limit: Limit, spent: u64) -> Option<Instant> {
        let micros = match self.spent.saturating_sub(spent) {
            0 => 0,
            more => more
                .checked_add(limit.tokens.saturating_sub(1))?
                .checked_div(limit.tokens)?,
        };
        Some(self.at + Duration::from_micros(micros))
    }
}

/// A token bucket. A new one is full.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    limit: Limit,
    level: Level,
}

impl TokenBucket {
    /// Creates a full bucket.
    #[must_use]
    pub fn new(limit: Limit) -> Self {
        Self {
            limit,
            level: Level::default(),
        }
    }

    /// Takes `tokens`, all or none.
    ///
    /// # Errors
    /// Fewer tokens are available. Contains the time when enough will be; `None`: never, since
    /// nothing is regained or the capacity is too small.
    pub fn take(&mut self, now: Instant, tokens: u64) -> Result<(), Option<Instant>> {
        self.check(now, tokens)?;
        self.level.spend(self.limit, tokens);
        Ok(())
    }

    /// Whether [`TokenBucket::take`] would succeed. Takes nothing.
    ///
    /// # Errors
    /// As [`TokenBucket::take`].
    pub fn check(&mut self, now: Instant, tokens: u64) -> Result<(), Option<Instant>> {
        self.level.regain(self.limit, now);
        if self.level.has(self.limit, tokens) {
            return Ok(());
        }
        let price = self.limit.price(tokens);
        let most = self.limit.capacity().checked_sub(price);
        Err(most.and_then(|most| self.level.spent_at_most(self.limit, most)))
    }

    /// Takes `tokens` even if fewer are available. The debt must be regained before more can be
    /// taken.
    pub fn charge(&mut self, now: Instant, tokens: u64) {
        self.level.regain(self.limit, now);
        self.level.spend(self.limit, tokens);
    }

    /// Whether any token is left, even a fraction.
    pub fn has_any(&mut self, now: Instant) -> bool {
        self.level.regain(self.limit, now);
        self.level.has_any(self.limit)
    }

    /// Whether the bucket is full, so that dropping it changes nothing.
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.level.regain(self.limit, now);
        self.level.is_full()
    }
}

/// The user's limit on a byte rate, if set. It holds one second's worth of tokens, starts empty,
/// and may go into debt by one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Throttle(Option<TokenBucket>);

impl Throttle {
    /// Sets the limit in bytes per second; `None`: no limit. Available tokens are kept up to the
    /// new capacity, as is a debt.
    pub(crate) fn set(&mut self, now: Instant, limit: Option<u64>) {
        let (saved, debt) = self.0.as_mut().map_or((0, 0), |bucket| {
            bucket.level.regain(bucket.limit, now);
            let (spent, capacity) = (bucket.level.spent, bucket.limit.capacity());
            (
                capacity.saturating_sub(spent),
                spent.saturating_sub(capacity),
            )
        });
        self.0 = limit.map(|bytes| {
            let limit = Limit::per_second(bytes);
            let spent = limit.capacity().saturating_sub(saved).saturating_add(debt);
            let level = Level { spent, at: now };
            TokenBucket { limit, level }
        });
    }

    /// Whether bytes may be spent now. A limit that was reached permits none before
    /// [`Throttle::regain`].
    pub(crate) fn ready(&mut self, now: Instant) -> bool {
        self.0
            .as_mut()
            .is_none_or(|bucket| bucket.level.has_any(bucket.limit) && bucket.has_any(now))
    }

    /// Adds what was regained until `now`.
    pub(crate) fn regain(&mut self, now: Instant) {
        if let Some(bucket) = &mut self.0 {
            bucket.level.regain(bucket.limit, now);
        }
    }

    /// The limit in bytes per second; `None`: no limit.
    pub(crate) fn limit(&self) -> Option<u64> {
        self.0.as_ref().map(|bucket| bucket.limit.tokens)
    }

    /// Spends `bytes`.
    pub(crate) fn spend(&mut self, bytes: u64) {
        if let Some(bucket) = &mut self.0 {
            bucket.level.spend(bucket.limit, bytes);
        }
    }

    /// When bytes may be spent; `None` if there is no limit, if they may be spent already, or if
    /// the limit is 0.
    pub(crate) fn ready_at(&self) -> Option<Instant> {
        let TokenBucket { limit, level } = self.0.as_ref()?;
        level.ready_at(*limit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    const fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    proptest! {
        #[test]
        fn no_span_of_time_sees_more_than_the_burst_and_what_is_regained_in_it(
            (rate, burst) in (1u64..50, 1u64..50),
            steps in vec((0u64..400_000, 1u64..9), 1..60),
        ) {
            let mut bucket = TokenBucket::new(Limit::per_second(rate).with_burst(burst));
            let (mut now, mut taken) = (Instant::ZERO, Vec::new());
            for (wait, tokens) in steps {
                now = now + Duration::from_micros(wait);
                if bucket.take(now, tokens).is_ok() {
                    taken.push((now, tokens));
                }
            }
            for (first, (start, _)) in taken.iter().enumerate() {
                let mut sum = 0;
                for (end, tokens) in &taken[first..] {
                    sum += tokens;
                    let regained = end.since(*start).as_micros() * u128::from(rate);
                    prop_assert!(u128::from(sum) * 1_000_000 <= u128::from(burst) * 1_000_000 + regained);
                }
            }
        }

        #[test]
        fn what_is_refused_is_granted_at_the_time_that_is_told_and_not_before(
            (rate, burst, spent) in (0u64..50, 1u64..50, 0u64..200),
            tokens in 1u64..60,
        ) {
            let mut bucket = TokenBucket::new(Limit::per_minute(rate).with_burst(burst));
            bucket.charge(at(5), spent);
            match bucket.check(at(5), tokens) {
                Ok(()) => prop_assert!(spent + tokens <= burst),
                Err(None) => prop_assert!(rate == 0 || tokens > burst),
                Err(Some(then)) => {
                    let before = Instant::from_micros(then.as_micros() - 1);
                    prop_assert_eq!(bucket.clone().take(before, tokens), Err(Some(then)));
                    prop_assert_eq!(bucket.take(then, tokens), Ok(()));
                }
            }
        }

        #[test]
        fn a_bucket_that_was_never_used_or_rested_long_enough_is_full(rate in 1u64..50, burst in 1u64..50, spent in 0u64..50) {
            let limit = Limit::per_second(rate).with_burst(burst);
            let mut bucket = TokenBucket::new(limit);
            prop_assert!(bucket.is_full(Instant::ZERO));
            bucket.charge(at(1), spent.min(burst));
            prop_assert!(bucket.is_full(at(1) + limit.refill_time()));
        }
    }

    #[test]
    fn a_throttle_lets_through_its_limit_and_not_more() {
        let mut throttle = Throttle::default();
        throttle.set(at(0), Some(10_000));
        let mut spent = 0;
        for ms in 0..20_000 {
            throttle.regain(at(ms));
            while throttle.ready(at(ms)) {
                throttle.spend(1000);
                spent += 1000;
            }
            let wait = throttle.ready_at().unwrap().since(at(ms));
            assert!(wait > Duration::ZERO && wait <= Duration::from_millis(101));
        }
        assert!((199_000..=202_000).contains(&spent), "{spent}");
    }

    #[test]
    fn a_limit_that_is_changed_keeps_what_was_saved_and_what_is_owed() {
        let mut throttle = Throttle::default();
        throttle.set(at(0), Some(1000));
        assert!(!throttle.ready(at(500)), "it is not given out yet");
        throttle.regain(at(500));
        assert!(throttle.ready(at(500)), "half a second's worth is saved up");
        throttle.set(at(500), Some(100));
        throttle.spend(300);
        assert_eq!(throttle.ready_at(), Some(Instant::from_micros(2_500_001)));
        throttle.set(at(500), Some(1000));
        assert_eq!(throttle.ready_at(), Some(Instant::from_micros(700_001)));
    }

    #[test]
    fn a_limit_of_zero_lets_nothing_through_and_wakes_nobody() {
        let mut throttle = Throttle::default();
        throttle.set(at(0), Some(0));
        assert!(!throttle.ready(at(60_000)));
        assert_eq!(throttle.ready_at(), None);
        let mut bucket = TokenBucket::new(Limit::per_second(0));
        assert_eq!(bucket.take(at(60_000), 1), Err(None));
    }

    #[test]
    fn without_a_limit_everything_passes() {
        let mut throttle = Throttle::default();
        throttle.spend(u64::MAX);
        assert!(throttle.ready(at(0)));
        assert_eq!(throttle.ready_at(), None);
    }
}
