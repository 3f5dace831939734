//! When a packet counts as lost: three that were sent after it have arrived (BEP 29). On a path
//! that reorders more than that, packets would be sent twice and the window halved unnecessarily,
//! so the number grows when a packet turns out not to have been lost.

/// BEP 29's number.
const INITIAL: u64 = 3;
/// The maximum, above which the timeout decides.
pub(super) const MAX: u64 = 96;

/// How much reordering a path shows.
#[derive(Debug)]
pub(super) struct Reordering {
    threshold: u64,
    /// The last transmission that is known to have arrived.
    newest: u64,
}

impl Reordering {
    pub(super) const fn new() -> Self {
        Self {
            threshold: INITIAL,
            newest: 0,
        }
    }

    /// A transmission arrived; they are numbered from 1 in the order of sending.
    pub(super) fn handle_arrival(&mut self, transmission: u64) {
        self.newest = self.newest.max(transmission);
    }

    /// A packet counted as lost although its first copy arrived.
    pub(super) fn handle_spurious(&mut self) {
        self.threshold = (self.threshold * 2).min(MAX);
    }

    /// Whether a transmission that is not known to have arrived is lost, where so many packets wait
    /// for their acknowledgement: half of them must be able to show it.
    pub(super) fn is_lost(&self, transmission: u64, waiting: u64) -> bool {
        let threshold = self.threshold.min(waiting / 2).max(INITIAL);
        transmission + threshold <= self.newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_lost_when_three_that_were_sent_later_have_arrived() {
        let mut path = Reordering::new();
        path.handle_arrival(3);
        assert!(!path.is_lost(1, 50));
        path.handle_arrival(4);
        path.handle_arrival(2);
        assert!(path.is_lost(1, 50) && !path.is_lost(2, 50));
        path.handle_spurious();
        assert!(!path.is_lost(1, 50) && path.is_lost(1, 6));
        path.handle_arrival(7);
        assert!(path.is_lost(1, 50));
    }
}
