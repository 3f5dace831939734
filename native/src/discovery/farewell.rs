//! How long trackers are waited for that are told that we leave.

use std::time::Duration;

use tokio::time::Instant;

/// Silence of all of them, at least: enough for a connection and an answer from nearby.
const LEAST: Duration = Duration::from_millis(500);
/// And so many times what the slowest answer of this run took.
const TIMES: u32 = 3;

/// That the task is to end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closing {
    pub(super) asked: Instant,
    /// When it must have ended.
    pub(super) deadline: Instant,
    /// Whether it may end before, once nobody seems to answer any more.
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

/// What is known of the trackers' pace.
#[derive(Debug, Default)]
pub(super) struct Pace {
    slowest: Duration,
    heard: Option<Instant>,
}

impl Pace {
    /// A tracker answered what it was asked at `asked`, if that is known.
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
