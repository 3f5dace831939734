//! `--timeout`: detects that nothing is received.

use std::time::{Duration, Instant};

/// When something was last received.
#[derive(Debug)]
pub(super) struct Stall {
    timeout: Option<Duration>,
    received: u64,
    since: Instant,
}

impl Stall {
    /// `timeout`: `None` waits forever.
    pub(super) const fn new(timeout: Option<Duration>, now: Instant) -> Self {
        Self {
            timeout,
            received: 0,
            since: now,
        }
    }

    /// `received` is the number of bytes received so far. `busy`: nothing needs to be received now.
    /// Returns the timeout if it has passed.
    pub(super) fn check(&mut self, now: Instant, received: u64, busy: bool) -> Option<Duration> {
        if received != self.received || busy {
            self.received = received;
            self.since = now;
        }
        self.timeout
            .filter(|timeout| now.duration_since(self.since) >= *timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_counts_from_the_last_bytes_or_the_last_check_of_data() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let timeout = Duration::from_secs(10);
        let mut stall = Stall::new(Some(timeout), start);
        assert_eq!(stall.check(at(9), 0, false), None);
        assert_eq!(stall.check(at(9), 5, false), None);
        assert_eq!(stall.check(at(18), 5, true), None);
        assert_eq!(stall.check(at(27), 5, false), None);
        assert_eq!(stall.check(at(28), 5, false), Some(timeout));
        assert_eq!(Stall::new(None, start).check(at(99), 0, false), None);
    }
}
