//! The delays with which a tab reconnects to its bridge. They grow, and are randomised so that tabs
//! do not reconnect at the same time.

use std::time::Duration;

/// The maximum delay before the first attempt; doubled with each further one.
const FIRST: Duration = Duration::from_secs(1);
/// The maximum delay of all attempts, within which a restarted bridge is noticed.
const LAST: Duration = Duration::from_secs(20);

/// Counts the attempts since the last welcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    tries: u32,
}

impl Backoff {
    /// Records a lost or failed connection. Returns the delay before the next attempt. `random` is
    /// from 0 to 1, chosen anew each time; it reduces the delay by up to a half, so that the tabs
    /// of a restarted bridge do not reconnect at the same time.
    pub fn failed(&mut self, random: f64) -> Duration {
        let full = FIRST.saturating_mul(1 << self.tries.min(6)).min(LAST);
        self.tries = self.tries.saturating_add(1);
        full.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
    }

    /// Resets the delays after a welcome.
    pub const fn greeted(&mut self) {
        self.tries = 0;
    }

    /// The number of attempts since then.
    #[must_use]
    pub const fn tries(&self) -> u32 {
        self.tries
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// When a tab that lost its bridge at time 0 makes its first attempt after the bridge is back.
    fn back(rng: &mut ChaCha8Rng, gone_for: Duration) -> Duration {
        let mut backoff = Backoff::default();
        let mut now = Duration::ZERO;
        loop {
            now += backoff.failed(f64::from(rng.next_u32()) / f64::from(u32::MAX));
            if now >= gone_for {
                return now;
            }
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_after_a_greeting() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u64> = (0..7).map(|_| backoff.failed(1.0).as_secs()).collect();
        assert_eq!((pauses, backoff.tries()), (vec![1, 2, 4, 8, 16, 20, 20], 7));
        backoff.greeted();
        assert_eq!(backoff.failed(0.0), Duration::from_millis(500));
    }

    #[test]
    fn a_thousand_tabs_are_back_within_thirty_seconds_and_spread_out() {
        let mut rng = ChaCha8Rng::from_seed([1; 32]);
        for gone_for in [0, 3, 10, 60].map(Duration::from_secs) {
            let back: Vec<Duration> = (0..1000).map(|_| back(&mut rng, gone_for)).collect();
            assert!(
                back.iter()
                    .all(|at| *at <= gone_for + Duration::from_secs(30)),
                "{gone_for:?}"
            );
            let at_once = back
                .iter()
                .map(|at| {
                    back.iter()
                        .filter(|other| at.abs_diff(**other) < Duration::from_millis(50))
                        .count()
                })
                .max();
            assert!(
                at_once.is_some_and(|most| most < 300),
                "{gone_for:?}: {at_once:?} within a tenth of a second"
            );
        }
    }
}
