//! Addresses of further peers that this tab learns from its peers (BEP 11) and sends to the bridge.
//! Bridges ignore more than a few messages per minute.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use aqueduct_core::Instant;
use aqueduct_core::tunnel::MAX_HINTS;

/// The maximum number of addresses per torrent; the oldest are dropped.
const MAX_KNOWN: usize = 200;
/// The minimum time between two messages about one torrent, since a bridge accepts six per minute.
const INTERVAL: Duration = Duration::from_secs(10);

/// The hints of one torrent. The engine reports each address once; in each new session with the
/// bridge all of them are sent again.
#[derive(Default)]
pub(super) struct Hints {
    known: VecDeque<SocketAddr>,
    /// The number of addresses at the end of `known` that were not sent yet.
    unsent: usize,
    next: Instant,
}

impl Hints {
    /// Adds addresses that the engine reported.
    pub(super) fn add(&mut self, addrs: Vec<SocketAddr>) {
        self.unsent += addrs.len();
        self.known.extend(addrs);
        self.known
            .drain(..self.known.len().saturating_sub(MAX_KNOWN));
        self.unsent = self.unsent.min(self.known.len());
    }

    /// Adds a peer that the bridge dialled. The bridge knows it, but that of a later session may
    /// not.
    pub(super) fn add_dialled(&mut self, addr: SocketAddr) {
        if !self.known.contains(&addr) && self.known.len() < MAX_KNOWN {
            self.known.push_front(addr);
        }
    }

    /// Schedules all hints to be sent again, since the torrent was joined in a new session, whose
    /// bridge knows none of them.
    pub(super) fn resend(&mut self) {
        self.unsent = self.known.len();
    }

    /// Drops all hints, since the torrent is private (BEP 27).
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// When [`Hints::take`] will return addresses.
    pub(super) fn due(&self) -> Option<Instant> {
        (self.unsent > 0).then_some(self.next)
    }

    /// The addresses to send now, in the order in which they were reported.
    pub(super) fn take(&mut self, now: Instant) -> Option<Vec<SocketAddr>> {
        self.due().filter(|due| *due <= now)?;
        self.next = now + INTERVAL;
        let hints: Vec<SocketAddr> = self
            .known
            .iter()
            .skip(self.known.len() - self.unsent)
            .take(MAX_HINTS)
            .copied()
            .collect();
        self.unsent -= hints.len();
        Some(hints)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addrs(range: std::ops::Range<u16>) -> Vec<SocketAddr> {
        range
            .map(|port| SocketAddr::from(([1, 2, 3, 4], port)))
            .collect()
    }

    #[test]
    fn hints_are_sent_in_order_fifty_at_a_time_and_seldom() {
        let (mut hints, mut now) = (Hints::default(), Instant::ZERO);
        assert!(hints.due().is_none() && hints.take(now).is_none());
        hints.add(addrs(0..70));
        assert_eq!(hints.take(now), Some(addrs(0..50)));
        assert_eq!((hints.take(now), hints.due()), (None, Some(now + INTERVAL)));
        now = now + INTERVAL;
        assert_eq!((hints.take(now), hints.due()), (Some(addrs(50..70)), None));
    }

    #[test]
    fn a_peer_that_the_bridge_dialled_is_a_hint_in_the_next_session_only() {
        let (mut hints, now) = (Hints::default(), Instant::ZERO);
        addrs(1..3)
            .into_iter()
            .chain(addrs(1..2))
            .for_each(|addr| hints.add_dialled(addr));
        assert_eq!(hints.due(), None);
        hints.resend();
        assert_eq!(
            hints.take(now),
            Some(addrs(1..3).into_iter().rev().collect())
        );
    }

    #[test]
    fn in_a_new_session_the_newest_are_sent_again_but_none_of_a_private_torrent() {
        let (mut hints, now) = (Hints::default(), Instant::ZERO);
        hints.add(addrs(0..210));
        hints.take(now);
        hints.resend();
        assert_eq!(hints.take(now + INTERVAL), Some(addrs(10..60)));
        hints.clear();
        hints.resend();
        assert_eq!(hints.due(), None);
    }
}
