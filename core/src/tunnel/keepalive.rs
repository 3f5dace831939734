//! Noticing that the other side is gone.

use std::time::Duration;

/// How often the bridge asks, and when either side gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Time between two `Ping`s of the bridge. Default 30 s.
    pub interval: Duration,
    /// Silence after which the other side is gone. Default 90 s.
    pub silence: Duration,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            silence: Duration::from_secs(90),
        }
    }
}
