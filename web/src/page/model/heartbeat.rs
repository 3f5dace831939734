//! Detects whether the worker is alive. The browser reports errors that end a worker. One that
//! hangs, or that the browser ended when memory ran low, can only be detected by its silence.

use std::time::Duration;

/// Interval of the checks.
pub(super) const INTERVAL: Duration = Duration::from_secs(5);
/// The timeout for an answer. It is longer than any work that the worker does in one turn, and long
/// enough that a worker which is only slow, on a busy machine, never reaches the number of crashes
/// that stops it permanently.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send a ping to the worker.
    Ask,
    /// A ping is pending, and its timeout has not passed.
    Wait,
    /// It has not answered for too long.
    Dead,
}

/// When the worker was asked, and since when it has been silent.
#[derive(Default)]
pub(super) struct Heartbeat {
    last: Duration,
    /// How long a ping has been unanswered, if one is pending.
    silent: Option<Duration>,
}

impl Heartbeat {
    /// Checks the worker at `now`, relative to any fixed time. Time in which the page itself was
    /// suspended (hidden, frozen, the machine asleep) does not count, since the worker was
    /// suspended with it.
    pub(super) fn check(&mut self, now: Duration) -> Verdict {
        let since = now.saturating_sub(std::mem::replace(&mut self.last, now));
        let Some(silent) = &mut self.silent else {
            self.silent = Some(Duration::ZERO);
            return Verdict::Ask;
        };
        *silent = if since > INTERVAL * 2 {
            Duration::ZERO
        } else {
            *silent + since
        };
        if *silent >= TIMEOUT {
            Verdict::Dead
        } else {
            Verdict::Wait
        }
    }

    /// Records a message of the worker.
    pub(super) fn heard(&mut self) {
        self.silent = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks after each of these numbers of seconds; returns the verdicts.
    fn checks(heartbeat: &mut Heartbeat, seconds: &[u64]) -> Vec<Verdict> {
        let mut now = heartbeat.last;
        let mut check = |&step: &u64| {
            now += Duration::from_secs(step);
            heartbeat.check(now)
        };
        seconds.iter().map(&mut check).collect()
    }

    #[test]
    fn a_worker_that_is_silent_for_half_a_minute_is_dead() {
        let mut heartbeat = Heartbeat::default();
        let verdicts = checks(&mut heartbeat, &[5; 7]);
        assert_eq!(verdicts[0], Verdict::Ask);
        assert!(
            verdicts[1..6]
                .iter()
                .all(|verdict| *verdict == Verdict::Wait),
            "{verdicts:?}"
        );
        assert_eq!(verdicts[6], Verdict::Dead);
    }

    #[test]
    fn a_worker_that_sends_anything_is_asked_again() {
        let mut heartbeat = Heartbeat::default();
        for _ in 0..20 {
            assert_eq!(
                checks(&mut heartbeat, &[5, 5]),
                [Verdict::Ask, Verdict::Wait]
            );
            heartbeat.heard();
        }
    }

    #[test]
    fn the_time_in_which_the_page_was_frozen_or_throttled_does_not_count() {
        let mut heartbeat = Heartbeat::default();
        let verdicts = checks(&mut heartbeat, &[5, 5, 5, 5, 5, 3600, 60, 60, 60, 60, 5]);
        assert!(!verdicts.contains(&Verdict::Dead), "{verdicts:?}");
    }
}
