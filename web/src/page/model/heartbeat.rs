//! Whether the worker is still there. Most that kills one is an error that the page is told of; a
//! worker that hangs, or that the browser ended when memory ran low, is only noticed by its
//! silence.

use std::time::Duration;

/// Between two looks.
pub(crate) const EVERY: Duration = Duration::from_secs(5);
/// So long may a question stay unanswered. Longer than any work that the worker does in one go, and
/// long enough that a worker which is only slow, on a machine that is busy otherwise, never reaches
/// the number of crashes that stops it for good.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to do at a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Ask the worker for a sign of life.
    Ask,
    /// It was asked already, and has time left.
    Wait,
    /// It has not answered for too long.
    Dead,
}

/// The worker's pulse.
#[derive(Default)]
pub(crate) struct Pulse {
    last: Duration,
    /// How long it has owed an answer, if it owes one.
    silent: Option<Duration>,
}

impl Pulse {
    /// One look at `now`, a time since any fixed moment. Time in which the page itself was held up
    /// (out of sight, frozen, the machine asleep) does not count, since the worker was held up with
    /// it.
    pub(crate) fn look(&mut self, now: Duration) -> Verdict {
        let since = now.saturating_sub(std::mem::replace(&mut self.last, now));
        let Some(silent) = &mut self.silent else {
            self.silent = Some(Duration::ZERO);
            return Verdict::Ask;
        };
        *silent = if since > EVERY * 2 {
            Duration::ZERO
        } else {
            *silent + since
        };
        if *silent >= PATIENCE {
            Verdict::Dead
        } else {
            Verdict::Wait
        }
    }

    /// The worker said something, whatever it was.
    pub(crate) fn heard(&mut self) {
        self.silent = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks after so many seconds each, from now on; tells the verdicts.
    fn looks(pulse: &mut Pulse, seconds: &[u64]) -> Vec<Verdict> {
        let mut now = pulse.last;
        let mut look = |&step: &u64| {
            now += Duration::from_secs(step);
            pulse.look(now)
        };
        seconds.iter().map(&mut look).collect()
    }

    #[test]
    fn a_worker_that_is_silent_for_half_a_minute_is_dead() {
        let mut pulse = Pulse::default();
        let verdicts = looks(&mut pulse, &[5; 7]);
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
    fn a_worker_that_says_anything_is_asked_again() {
        let mut pulse = Pulse::default();
        for _ in 0..20 {
            assert_eq!(looks(&mut pulse, &[5, 5]), [Verdict::Ask, Verdict::Wait]);
            pulse.heard();
        }
    }

    #[test]
    fn the_time_in_which_the_page_was_frozen_or_throttled_does_not_count() {
        let mut pulse = Pulse::default();
        let verdicts = looks(&mut pulse, &[5, 5, 5, 5, 5, 3600, 60, 60, 60, 60, 5]);
        assert!(!verdicts.contains(&Verdict::Dead), "{verdicts:?}");
    }
}
