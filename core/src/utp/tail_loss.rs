//! When the last packets under way may be lost (RFC 8985, section 7): nothing is sent after them
//! whose arrival would show it. One is sent again after two round trips, well before the timeout.

use std::time::Duration;

use super::rtt::Rtt;
use crate::types::Instant;

/// How long clients delay the acknowledgement of a single packet.
const DELAYED_ACKNOWLEDGEMENT: Duration = Duration::from_millis(100);
/// The minimum delay: acknowledgements of a busy host are later than the path's round trip.
const MIN: Duration = Duration::from_millis(20);

/// The deadline of the probe. One is sent per acknowledgement of something new.
#[derive(Debug, Default)]
pub(super) struct TailLoss {
    due: Option<Instant>,
    was_sent: bool,
}

impl TailLoss {
    /// Something was sent, and so many packets wait for their acknowledgement.
    pub(super) fn handle_sent(&mut self, now: Instant, rtt: &Rtt, waiting: usize) {
        if self.was_sent || !rtt.is_known() {
            return;
        }
        let delayed = if waiting == 1 {
            DELAYED_ACKNOWLEDGEMENT
        } else {
            Duration::ZERO
        };
        let delay = (rtt.smoothed() * 2 + delayed).max(MIN);
        self.due = (delay < rtt.timeout()).then(|| now + delay);
    }

    /// Something new was acknowledged, and so many packets still wait.
    pub(super) fn handle_acknowledged(&mut self, now: Instant, rtt: &Rtt, waiting: usize) {
        *self = Self::default();
        if waiting > 0 {
            self.handle_sent(now, rtt, waiting);
        }
    }

    /// The timeout passed. It is what repeats packets until something is acknowledged.
    pub(super) const fn handle_timeout(&mut self) {
        (self.due, self.was_sent) = (None, true);
    }

    /// When [`TailLoss::take`] returns true.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether a packet is to be sent again now.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let is_due = self.due.is_some_and(|due| due <= now);
        if is_due {
            (self.due, self.was_sent) = (None, true);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn rtt(millis: u64) -> Rtt {
        let mut rtt = Rtt::default();
        (0..50).for_each(|_| rtt.sample(Duration::from_millis(millis)));
        rtt
    }

    #[test]
    fn a_probe_is_due_two_round_trips_after_the_last_packet_and_only_once() {
        let (mut tail, rtt) = (TailLoss::default(), rtt(50));
        tail.handle_sent(at(0), &rtt, 5);
        tail.handle_sent(at(10), &rtt, 6);
        assert!(!tail.take(at(109)));
        assert!(tail.take(at(110)));
        tail.handle_sent(at(110), &rtt, 6);
        assert_eq!(tail.due(), None);
        tail.handle_acknowledged(at(150), &rtt, 1);
        assert_eq!(tail.due(), Some(at(350)), "its acknowledgement may be late");
        tail.handle_timeout();
        tail.handle_sent(at(400), &rtt, 1);
        assert_eq!(tail.due(), None);
        tail.handle_acknowledged(at(500), &rtt, 0);
        assert_eq!(tail.due(), None);
    }

    #[test]
    fn there_is_none_while_the_round_trip_is_unknown_or_where_the_timeout_is_earlier() {
        let mut tail = TailLoss::default();
        tail.handle_sent(at(0), &Rtt::default(), 5);
        assert_eq!(tail.due(), None);
        tail.handle_sent(at(0), &rtt(600), 5);
        assert_eq!(tail.due(), None);
    }
}
