//! When received packets are acknowledged: those that come in order several at a time, since an
//! acknowledgement costs both sides about as much as a packet. Everything else is reported
//! immediately: what fills a gap, repetitions, and the end.
//!
//! Packets behind a gap are acknowledged one by one, like segments of TCP (RFC 5681): senders repeat
//! a lost packet after three copies of an acknowledgement (BEP 29), and a sender with a small window
//! has no later packets that could show the loss.
//!
//! While a gap is open and nothing arrives, the last acknowledgement is repeated, since it may be
//! lost. After a timeout, senders wait for it with a single packet under way, and libtorrent gives a
//! connection up when a packet has timed out three times.

use std::time::Duration;

use crate::types::Instant;

/// How long packets in order wait for others. It is far below every round trip that matters and
/// below the delays that LEDBAT reacts to, so that on a slow line each packet is acknowledged.
const DELAY: Duration = Duration::from_millis(1);
/// The number of packets in order that are acknowledged at the latest together.
const MAX_WAITING: u8 = 16;
/// The maximum number of acknowledgements for packets behind a gap that came at the same time. The
/// first one may bring something new, and three are copies of it.
const MAX_COPIES: u8 = 4;
/// How long an acknowledgement behind which a gap is open may remain without an effect.
const REPEAT_AFTER: Duration = Duration::from_millis(100);
/// How often it is repeated. Less often than the three times after which it means a loss.
const MAX_REPEATS: u8 = 2;

/// The acknowledgement that the other side of a connection is owed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Acknowledgement {
    /// Everything is acknowledged.
    #[default]
    None,
    /// For so many packets, by `due` at the latest.
    Waiting { due: Instant, packets: u8 },
    /// It is the next thing to be sent, so many times. `repeats`: how often it may be repeated
    /// later.
    Due { copies: u8, repeats: u8 },
    /// It was sent while a gap was open, and is sent again at `due` if nothing arrives.
    Sent { due: Instant, repeats: u8 },
}

impl Acknowledgement {
    /// It must not wait.
    pub(super) const fn demand(&mut self) {
        if !self.is_due() {
            *self = Self::due(1);
        }
    }

    /// A packet came behind a gap.
    pub(super) fn handle_early(&mut self) {
        *self = match *self {
            Self::Due { copies, .. } => Self::due((copies + 1).min(MAX_COPIES)),
            Self::None | Self::Waiting { .. } | Self::Sent { .. } => Self::due(1),
        };
    }

    /// A packet came in order.
    pub(super) fn handle_next(&mut self, now: Instant) {
        *self = match *self {
            Self::None | Self::Sent { .. } => Self::Waiting {
                due: now + DELAY,
                packets: 1,
            },
            Self::Waiting { due, packets } if packets + 1 < MAX_WAITING => Self::Waiting {
                due,
                packets: packets + 1,
            },
            Self::Waiting { .. } => Self::due(1),
            Self::Due { .. } => *self,
        };
    }

    /// It is due if it waited long enough.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|due| due > now) {
            return;
        }
        match *self {
            Self::Sent { repeats, .. } => *self = Self::Due { copies: 1, repeats },
            Self::None | Self::Waiting { .. } | Self::Due { .. } => self.demand(),
        }
    }

    /// A datagram that contains it was sent. `has_gap`: whether packets before received ones lack.
    pub(super) fn handle_sent(&mut self, now: Instant, has_gap: bool) {
        *self = match *self {
            Self::Due { copies, repeats } if copies > 1 => Self::Due {
                copies: copies - 1,
                repeats,
            },
            Self::Due { repeats, .. } if has_gap && repeats > 0 => Self::Sent {
                due: now + REPEAT_AFTER,
                repeats: repeats - 1,
            },
            Self::None | Self::Waiting { .. } | Self::Due { .. } | Self::Sent { .. } => Self::None,
        };
    }

    /// Whether it must be sent now.
    pub(super) const fn is_due(self) -> bool {
        matches!(self, Self::Due { .. })
    }

    /// When [`Acknowledgement::handle_timeout`] is to be called.
    pub(super) const fn poll_timeout(self) -> Option<Instant> {
        match self {
            Self::Waiting { due, .. } | Self::Sent { due, .. } => Some(due),
            Self::None | Self::Due { .. } => None,
        }
    }

    const fn due(copies: u8) -> Self {
        let repeats = MAX_REPEATS;
        Self::Due { copies, repeats }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::ZERO + Duration::from_micros(micros)
    }

    #[test]
    fn packets_in_order_are_acknowledged_together_up_to_sixteen_or_a_millisecond() {
        let mut owed = Acknowledgement::default();
        for packet in 0..15 {
            owed.handle_next(at(packet));
            assert_eq!(owed.poll_timeout(), Some(at(1000)), "{packet}");
        }
        owed.handle_next(at(15));
        assert!(owed.is_due() && owed.poll_timeout().is_none());
        owed.handle_sent(at(15), false);
        owed.handle_next(at(5000));
        owed.handle_timeout(at(5999));
        assert!(!owed.is_due());
        owed.handle_timeout(at(6000));
        assert!(owed.is_due());
    }

    #[test]
    fn what_is_demanded_does_not_wait_and_what_was_sent_with_data_is_not_repeated() {
        let mut owed = Acknowledgement::default();
        owed.handle_next(at(0));
        owed.demand();
        owed.handle_next(at(1));
        assert!(owed.is_due());
        owed.handle_sent(at(1), false);
        assert_eq!(owed, Acknowledgement::None);
    }

    #[test]
    fn packets_behind_a_gap_are_acknowledged_one_by_one_up_to_three_copies() {
        for (packets, acknowledgements) in [(1, 1), (3, 3), (4, 4), (60, 4)] {
            let mut owed = Acknowledgement::default();
            owed.handle_next(at(0));
            (0..packets).for_each(|_| owed.handle_early());
            for _ in 0..acknowledgements {
                assert!(owed.is_due());
                owed.handle_sent(at(0), true);
            }
            assert!(!owed.is_due());
        }
    }

    #[test]
    fn while_a_gap_is_open_and_nothing_comes_the_last_one_is_repeated_twice() {
        let mut owed = Acknowledgement::default();
        owed.handle_early();
        owed.handle_sent(at(0), true);
        for due in [100_000, 200_000] {
            owed.handle_timeout(at(due - 1));
            assert!(!owed.is_due());
            owed.handle_timeout(at(due));
            assert!(owed.is_due());
            owed.handle_sent(at(due), true);
        }
        assert_eq!(owed, Acknowledgement::None);
    }
}
