//! The worker's timer and its periodic tasks.

use std::time::Duration;

use aqueduct_core::Instant;

use crate::browser::clock::Timer;

/// The interval at which transferred amounts are reported to the bridge, for its announces.
const REPORT_AMOUNTS: Duration = Duration::from_secs(30);
/// The interval at which transferred amounts are stored, since a seed stores nothing else.
const SAVE_AMOUNTS: Duration = Duration::from_secs(10);
/// The interval at which the storage is checked. It is also checked after each flush.
const CHECK_STORAGE: Duration = Duration::from_secs(5);

/// A periodic task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Report transferred amounts to the bridge.
    ReportAmounts,
    /// Store transferred amounts.
    SaveAmounts,
    /// Check whether the storage still exists.
    CheckStorage,
}

/// When each task is due.
pub(super) struct Schedule {
    amounts_at: Instant,
    save_at: Instant,
    storage_at: Instant,
}

impl Schedule {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            amounts_at: now,
            save_at: now + SAVE_AMOUNTS,
            storage_at: now + CHECK_STORAGE,
        }
    }

    /// Schedules a check of the storage, since a torrent failed because of it.
    pub(super) fn check_storage_soon(&mut self, now: Instant) {
        self.storage_at = self.storage_at.min(now);
    }

    /// The next task that is due. It is scheduled again after its interval.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Task> {
        if self.amounts_at <= now {
            self.amounts_at = now + REPORT_AMOUNTS;
            return Some(Task::ReportAmounts);
        }
        if self.save_at <= now {
            self.save_at = now + SAVE_AMOUNTS;
            return Some(Task::SaveAmounts);
        }
        if self.storage_at <= now {
            self.storage_at = now + CHECK_STORAGE;
            return Some(Task::CheckStorage);
        }
        None
    }

    /// When the next task is due.
    pub(super) fn poll_timeout(&self) -> Instant {
        self.amounts_at.min(self.save_at).min(self.storage_at)
    }
}

/// The schedule and the timer that wakes the worker.
pub(super) struct Timers {
    timer: Timer,
    pub(super) schedule: Schedule,
}

impl Timers {
    /// `on_timer` is called at the armed time, and must call [`Timers::fired`].
    pub(super) fn new(now: Instant, on_timer: impl FnMut() + 'static) -> Self {
        Self {
            timer: Timer::new(on_timer),
            schedule: Schedule::new(now),
        }
    }

    /// Requests a call at the earliest of these times and of the schedule's.
    pub(super) fn arm(&mut self, others: impl IntoIterator<Item = Option<Instant>>) {
        let soonest = others
            .into_iter()
            .flatten()
            .fold(self.schedule.poll_timeout(), Instant::min);
        self.timer.arm(soonest);
    }

    /// Records that the timer has called back.
    pub(super) fn fired(&mut self) {
        self.timer.fired();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_task_is_due_once_per_interval() {
        let mut now = Instant::ZERO;
        let mut schedule = Schedule::new(now);
        assert_eq!(schedule.poll(now), Some(Task::ReportAmounts));
        assert_eq!(schedule.poll(now), None);
        now = schedule.poll_timeout();
        assert_eq!(schedule.poll(now), Some(Task::CheckStorage));
        assert_eq!(schedule.poll(now), None);
        schedule.check_storage_soon(now);
        assert_eq!(schedule.poll(now), Some(Task::CheckStorage));
        now = schedule.poll_timeout();
        assert_eq!(schedule.poll(now), Some(Task::SaveAmounts));
        assert_eq!(schedule.poll_timeout(), now);
        assert_eq!(schedule.poll(now), Some(Task::CheckStorage));
    }
}
