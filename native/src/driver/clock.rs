//! The engine's time: microseconds since the driver started.

use std::time;

use aqueduct_core::Instant;

/// Reads the system's monotonic clock as the engine counts time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    started: time::Instant,
}

impl Clock {
    /// Starts at the engine's zero.
    pub(super) fn start() -> Self {
        Self {
            started: time::Instant::now(),
        }
    }

    pub(super) fn now(self) -> Instant {
        Instant::from_micros(u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// When the engine's `instant` is, for tokio's timers.
    pub(super) fn system_time(self, instant: Instant) -> tokio::time::Instant {
        (self.started + instant.since(Instant::ZERO)).into()
    }
}
