//! Rate limits per key: address, network, host.

use std::collections::BTreeMap;

use super::token_bucket::{Level, Limit};
use crate::types::Instant;

/// A token bucket per key, for a bounded number of keys.
///
/// When space is needed, keys with a full bucket are removed. If no bucket is full, new keys are
/// refused. Memory therefore stays bounded under a flood of keys, and existing keys keep their
/// buckets.
#[derive(Clone, Debug)]
pub struct KeyedLimiter<K> {
    limit: Limit,
    max_keys: usize,
    levels: BTreeMap<K, (Limit, Level)>,
    /// The earliest time at which a sweep can find more full buckets than the last one.
    sweep_at: Instant,
}

impl<K: Ord + Copy> KeyedLimiter<K> {
    /// `limit` per key, for at most `max_keys` keys.
    #[must_use]
    pub const fn new(limit: Limit, max_keys: usize) -> Self {
        Self {
            limit,
            max_keys,
            levels: BTreeMap::new(),
            sweep_at: Instant::ZERO,
        }
    }

    /// Spends `tokens` of a key. Returns whether any were available. If so, more may be spent than
    /// were available; the key must then regain the difference.
    pub fn take(&mut self, now: Instant, key: K, tokens: u64) -> bool {
        self.take_all(now, &[(key, 1)], tokens)
    }

    /// Spends as many of `tokens` of a key as are available. Returns their number.
    pub(crate) fn take_available(&mut self, now: Instant, key: K, tokens: u64) -> u64 {
        if !self.has_any(now, key, 1) {
            return 0;
        }
        let Some((limit, level)) = self.levels.get_mut(&key) else {
            return 0;
        };
        let taken = tokens.min(level.available(*limit));
        level.spend(*limit, taken);
        taken
    }

    /// Spends `tokens` of each key, or of none if one of them has none available. Each key comes
    /// with its number of shares, which multiplies its limit.
    pub fn take_all(&mut self, now: Instant, keys: &[(K, u64)], tokens: u64) -> bool {
        let granted = keys
            .iter()
            .all(|(key, shares)| self.has_any(now, *key, *shares));
        for (key, _) in keys.iter().filter(|_| granted) {
            if let Some((limit, level)) = self.levels.get_mut(key) {
                level.spend(*limit, tokens);
            }
        }
        granted
    }

    /// The earliest time at which [`KeyedLimiter::take_all`] can succeed for these keys, as far as
    /// they are tracked; `None`: now, or never because nothing is regained.
    pub fn ready_at(&mut self, now: Instant, keys: &[(K, u64)]) -> Option<Instant> {
        let ready_at = |(key, _): &(K, u64)| {
            let (limit, level) = self.levels.get_mut(key)?;
            level.regain(*limit, now);
            level.ready_at(*limit)
        };
        keys.iter().filter_map(ready_at).max()
    }

    /// The number of tracked keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.levels.len()
    }

    /// Whether no key is tracked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    fn has_any(&mut self, now: Instant, key: K, shares: u64) -> bool {
        if self.levels.len() >= self.max_keys && !self.levels.contains_key(&key) {
            self.sweep(now);
            if self.levels.len() >= self.max_keys {
                return false;
            }
        }
        let fresh = (self.limit.times(shares), Level::default());
        let (limit, level) = self.levels.entry(key).or_insert(fresh);
        level.regain(*limit, now);
        level.has_any(*limit)
    }

    /// Removes full buckets, at most once per refill time, so that a flood of keys does not cause a
    /// sweep for each.
    fn sweep(&mut self, now: Instant) {
        if now < self.sweep_at {
            return;
        }
        self.sweep_at = now + self.limit.refill_time();
        self.levels.retain(|_, (limit, level)| {
            level.regain(*limit, now);
            !level.is_full()
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::collection::vec;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::super::TokenBucket;
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant(millis * 1000)
    }

    #[test]
    fn what_is_available_is_spent_and_not_more() {
        let limit = Limit::per_second(10).with_burst(25);
        let mut limiter = KeyedLimiter::new(limit, 1);
        assert_eq!(limiter.take_available(at(0), 1, 20), 20);
        assert_eq!(limiter.take_available(at(0), 1, 20), 5);
        assert_eq!(limiter.take_available(at(0), 1, 20), 0);
        assert_eq!(limiter.take_available(at(350), 1, 20), 3);
        assert_eq!(limiter.take_available(at(350), 2, 20), 0, "no room");
    }

    proptest! {
        #[test]
        fn with_room_for_all_every_key_has_a_bucket_of_its_own(steps in vec((0u64..500, 0u8..5), 1..200)) {
            let limit = Limit::per_second(3).with_burst(6);
            let mut limiter = KeyedLimiter::new(limit, 5);
            let mut buckets = [TokenBucket::new(limit); 5];
            let mut now = at(0);
            for (wait, key) in steps {
                now = now + Duration::from_millis(wait);
                let bucket = &mut buckets[usize::from(key)];
                let granted = bucket.has_any(now);
                if granted {
                    bucket.charge(now, 1);
                }
                prop_assert_eq!(limiter.take(now, key, 1), granted);
            }
        }

        #[test]
        fn however_many_keys_come_no_more_are_remembered(steps in vec((0u64..50, 0u16..1000), 1..400)) {
            let mut limiter = KeyedLimiter::new(Limit::per_second(5), 20);
            let mut now = at(0);
            for (wait, key) in steps {
                now = now + Duration::from_millis(wait);
                limiter.take(now, key, 1);
                prop_assert!(limiter.len() <= 20);
            }
        }
    }

    #[test]
    fn a_flood_of_keys_keeps_newcomers_out_only_until_those_that_rest_are_forgotten() {
        let mut limiter = KeyedLimiter::new(Limit::per_second(5), 2);
        assert!(limiter.take(at(0), 1, 1) && limiter.take(at(0), 2, 1));
        assert!(!limiter.take(at(0), 3, 1), "all places are taken");
        assert!(limiter.take(at(0), 1, 1), "and those that have one keep it");
        assert!(
            limiter.take(at(1001), 3, 1),
            "the others rested for a second"
        );
    }

    #[test]
    fn a_refused_key_learns_when_all_keys_will_have_something_left() {
        let mut limiter = KeyedLimiter::new(Limit::per_second(2), 9);
        let keys = [(1, 1), (2, 4)];
        assert_eq!(limiter.ready_at(at(0), &keys), None);
        assert!(limiter.take_all(at(0), &keys, 4) && !limiter.take_all(at(0), &keys, 1));
        let ready = limiter.ready_at(at(0), &keys).unwrap();
        assert!(
            at(1000) <= ready && ready <= at(1001),
            "a debt of two tokens"
        );
        assert!(limiter.take_all(ready, &keys, 1));
    }

    #[test]
    fn a_network_with_more_shares_may_ask_more_often_but_its_parts_no_more_than_they_may() {
        let mut limiter = KeyedLimiter::new(Limit::per_second(1).with_burst(10), 100);
        let granted = |limiter: &mut KeyedLimiter<u8>, part| {
            (0..100)
                .filter(|_| limiter.take_all(at(0), &[(part, 1), (99, 4)], 1))
                .count()
        };
        let granted: Vec<usize> = (0..6).map(|part| granted(&mut limiter, part)).collect();
        assert_eq!(granted, [10, 10, 10, 10, 0, 0]);
    }
}
