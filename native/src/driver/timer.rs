//! The one timer of the session.

use std::cell::Cell;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::until::until;

/// Fires at the earliest of the deadlines that it was given.
///
/// A deadline that moves back does not move the timer: one that fires too early costs less than
/// waking its task for every change.
#[derive(Debug, Default)]
pub(super) struct Timer {
    armed: Cell<Option<Instant>>,
    changed: Notify,
}

impl Timer {
    /// Sets the deadline, if it is earlier than the one that the timer is armed for.
    pub(super) fn update(&self, deadline: Option<Instant>) {
        let Some(deadline) = deadline else { return };
        if self.armed.get().is_none_or(|armed| deadline < armed) {
            self.armed.set(Some(deadline));
            self.changed.notify_one();
        }
    }

    /// Waits until the deadline has passed. The timer is not armed afterwards. Cancel-safe.
    pub(super) async fn fired(&self) {
        loop {
            let deadline = self.armed.get();
            tokio::select! {
                () = until(deadline) => break,
                () = self.changed.notified() => {}
            }
        }
        self.armed.set(None);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_earlier_deadline_brings_the_timer_forward_and_a_later_one_does_not_delay_it() {
        let (timer, start) = (Timer::default(), Instant::now());
        let after = |seconds| Some(start + Duration::from_secs(seconds));
        timer.update(after(60));
        let update = async {
            tokio::task::yield_now().await;
            timer.update(after(5));
            timer.update(after(90));
            timer.update(None);
        };
        tokio::join!(timer.fired(), update);
        assert_eq!(start.elapsed().as_secs(), 5);
        timer.update(after(90));
        timer.fired().await;
        assert_eq!(start.elapsed().as_secs(), 90);
    }
}
