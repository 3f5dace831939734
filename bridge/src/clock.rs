//! The time of core's state machines, in terms of tokio's clock.

use std::time::Duration;

use aqueduct_core::types;
use tokio::time::Instant;

/// The distance of a time that tokio's clock cannot represent.
const FAR: Duration = Duration::from_secs(86_400 * 365);

/// Translates between the two clocks. Discovery counts from the same start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that stands at zero now.
    pub(crate) fn starting_now() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// The present time for a state machine of core.
    pub(crate) fn now(self) -> types::Instant {
        types::Instant::ZERO + self.start.elapsed()
    }

    /// The tokio time that a state machine means.
    pub(crate) fn instant(self, at: types::Instant) -> Instant {
        let since = at.since(types::Instant::ZERO);
        self.start
            .checked_add(since)
            .unwrap_or_else(|| self.start + FAR)
    }
}
