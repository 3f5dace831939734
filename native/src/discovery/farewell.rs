//! How long to wait for trackers when leaving.

use std::time::Duration;

use tokio::time::Instant;

/// The minimum time without any answer after which the wait ends: enough for a connection to a
/// nearby tracker.
const LEAST: Duration = Duration::from_millis(500);
/// The same as a multiple of this run's slowest answer.
const TIMES: u32 = 3;

/// The request to end the task.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closing {
    pub(super) asked: Instant,
    /// The deadline for ending.
    pub(super) deadline: Instant,
    /// Whether it may end earlier, if no tracker seems to answer any more.
    pub(super) brief: bool,
}

impl Closing {
    pub(super) fn at_once() -> Self {
        let now = Instant::now();
        Self {
            asked: now,
            deadline: now,
            brief: false,
        }
    }
}

/// The observed speed of trackers.
#[derive(Debug, Default)]
pub(super) struct Pace {
    slowest: Duration,
    heard: Option<Instant>,
}

impl Pace {
    /// Records an answer to a request that was sent at `asked`, if known.
    pub(super) fn answered(&mut self, asked: Option<Instant>) {
        let now = Instant::now();
        self.slowest = self
            .slowest
            .max(asked.map_or(Duration::ZERO, |asked| now - asked));
        self.heard = Some(now);
    }

    /// When to end.
    pub(super) fn end(&self, closing: Closing) -> Instant {
        let patience = LEAST.max(self.slowest * TIMES);
        let quiet = self
            .heard
            .map_or(closing.asked, |heard| heard.max(closing.asked))
            + patience;
        if closing.brief {
            closing.deadline.min(quiet)
        } else {
            closing.deadline
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_never_answered_is_waited_for_briefly_and_who_is_slow_for_longer() {
        let wait = |pace: &Pace, brief| {
            let asked = Instant::now();
            pace.end(Closing {
                asked,
                deadline: asked + Duration::from_secs(3),
                brief,
            }) - asked
        };
        let mut pace = Pace::default();
        assert_eq!(
            (wait(&pace, true), wait(&pace, false)),
            (LEAST, Duration::from_secs(3))
        );
        let asked = Instant::now();
        tokio::time::advance(Duration::from_millis(400)).await;
        pace.answered(Some(asked));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(wait(&pace, true), Duration::from_millis(1200));
        pace.answered(Some(asked));
        assert_eq!(
            wait(&pace, true),
            Duration::from_secs(3),
            "never longer than was asked for"
        );
    }
}
