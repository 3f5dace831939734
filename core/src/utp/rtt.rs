//! Round-trip times, and the retransmission timeout that follows from them (RFC 6298, with the
//! bounds of BEP 29).

use std::time::Duration;

/// The timeout before the first sample.
const INITIAL: Duration = Duration::from_secs(1);
const MIN: Duration = Duration::from_millis(500);
const MAX: Duration = Duration::from_secs(30);

/// The estimate of one connection.
#[derive(Debug, Default)]
pub(super) struct Rtt {
    estimate: Option<Estimate>,
    /// Timeouts in a row; each doubles the next one.
    backoff: u32,
}

#[derive(Clone, Copy, Debug)]
struct Estimate {
    smoothed: Duration,
    variation: Duration,
    lowest: Duration,
}

impl Rtt {
    /// Takes a sample of a packet that was sent only once. After a retransmission it is unknown
    /// which copy was acknowledged.
    pub(super) fn sample(&mut self, sample: Duration) {
        self.estimate = Some(match self.estimate {
            None => Estimate {
                smoothed: sample,
                variation: sample / 2,
                lowest: sample,
            },
            Some(old) => Estimate {
                smoothed: (old.smoothed * 7 + sample) / 8,
                variation: (old.variation * 3 + old.smoothed.abs_diff(sample)) / 4,
                lowest: old.lowest.min(sample),
            },
        });
    }

    /// Whether there was a sample.
    pub(super) const fn is_known(&self) -> bool {
        self.estimate.is_some()
    }

    /// The smoothed round-trip time; the initial timeout before the first sample.
    pub(super) fn smoothed(&self) -> Duration {
        self.estimate.map_or(INITIAL, |estimate| estimate.smoothed)
    }

    /// The lowest sample; zero before the first.
    pub(super) fn lowest(&self) -> Duration {
        self.estimate
            .map_or(Duration::ZERO, |estimate| estimate.lowest)
    }

    /// How long to wait for an acknowledgement.
    pub(super) fn timeout(&self) -> Duration {
        let base = self.estimate.map_or(INITIAL, |estimate| {
            (estimate.smoothed + estimate.variation * 4).max(MIN)
        });
        base.saturating_mul(1 << self.backoff.min(16)).min(MAX)
    }

    /// The timeout passed without an acknowledgement: the next one is twice as long.
    pub(super) fn back_off(&mut self) {
        self.backoff += 1;
    }

    /// Something new was acknowledged.
    pub(super) fn reset_backoff(&mut self) {
        self.backoff = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn the_timeout_follows_the_samples_within_its_bounds() {
        let mut rtt = Rtt::default();
        assert_eq!(rtt.timeout(), millis(1000));
        rtt.sample(millis(300));
        assert_eq!((rtt.smoothed(), rtt.timeout()), (millis(300), millis(900)));
        for _ in 0..100 {
            rtt.sample(millis(20));
        }
        assert_eq!(rtt.timeout(), MIN);
        assert_eq!(rtt.lowest(), millis(20));
    }

    #[test]
    fn each_timeout_in_a_row_doubles_the_next_until_something_is_acknowledged() {
        let mut rtt = Rtt::default();
        rtt.sample(millis(100));
        let timeouts: Vec<_> = (0..8)
            .map(|_| {
                let timeout = rtt.timeout();
                rtt.back_off();
                timeout
            })
            .collect();
        assert_eq!(
            timeouts[..5],
            [500, 1000, 2000, 4000, 8000].map(millis),
            "{timeouts:?}"
        );
        assert_eq!(timeouts[7], MAX);
        rtt.reset_backoff();
        assert_eq!(rtt.timeout(), MIN);
    }
}
