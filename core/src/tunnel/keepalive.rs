//! Detects that the other side is gone.

use std::time::Duration;

/// The interval of pings, and the timeout of each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// The time between two `Ping`s of the bridge. Default: 30 s.
    pub interval: Duration,
    /// The time without messages after which the other side counts as gone. Default: 90 s.
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
