//! Peers that this tab's peers told it of, on their way to the bridge: few messages a minute, or
//! the bridge passes them over.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use aqueduct_core::Instant;
use aqueduct_core::tunnel::MAX_HINTS;

/// Addresses of one torrent that are remembered; the oldest are forgotten.
const MAX_KNOWN: usize = 200;
/// Least time between two messages about one torrent: a bridge takes six a minute.
const EVERY: Duration = Duration::from_secs(10);

/// The hints of one torrent. The engine names each address once; a new session with the bridge is
/// told of all again.
#[derive(Default)]
pub(crate) struct Hints {
    known: VecDeque<SocketAddr>,
    /// So many at the end of `known` the bridge has not been told of.
    waiting: usize,
    next: Instant,
}

impl Hints {
    /// The engine heard of peers.
    pub(crate) fn heard(&mut self, addrs: Vec<SocketAddr>) {
        self.waiting += addrs.len();
        self.known.extend(addrs);
        self.known
            .drain(..self.known.len().saturating_sub(MAX_KNOWN));
        self.waiting = self.waiting.min(self.known.len());
    }

    /// The bridge dialled this peer for us: it knows, but the next one may not.
    pub(crate) fn met(&mut self, addr: SocketAddr) {
        if !self.known.contains(&addr) && self.known.len() < MAX_KNOWN {
            self.known.push_front(addr);
        }
    }

    /// A bridge that knows nothing of them yet takes the torrent in.
    pub(crate) fn joined(&mut self) {
        self.waiting = self.known.len();
    }

    /// The torrent is private (BEP 27): nobody is told.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// When there will be something to tell.
    pub(crate) fn due(&self) -> Option<Instant> {
        (self.waiting > 0).then_some(self.next)
    }

    /// What to tell now, in the order heard.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Vec<SocketAddr>> {
        self.due().filter(|due| *due <= now)?;
        self.next = now + EVERY;
        let told: Vec<SocketAddr> = self
            .known
            .iter()
            .skip(self.known.len() - self.waiting)
            .take(MAX_HINTS)
            .copied()
            .collect();
        self.waiting -= told.len();
        Some(told)
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
    fn hints_go_in_order_fifty_at_a_time_and_seldom() {
        let (mut hints, mut now) = (Hints::default(), Instant::ZERO);
        assert!(hints.due().is_none() && hints.take(now).is_none());
        hints.heard(addrs(0..70));
        assert_eq!(hints.take(now), Some(addrs(0..50)));
        assert_eq!((hints.take(now), hints.due()), (None, Some(now + EVERY)));
        now = now + EVERY;
        assert_eq!((hints.take(now), hints.due()), (Some(addrs(50..70)), None));
    }

    #[test]
    fn a_peer_that_the_bridge_dialled_is_told_to_the_next_session_alone() {
        let (mut hints, now) = (Hints::default(), Instant::ZERO);
        addrs(1..3)
            .into_iter()
            .chain(addrs(1..2))
            .for_each(|addr| hints.met(addr));
        assert_eq!(hints.due(), None);
        hints.joined();
        assert_eq!(
            hints.take(now),
            Some(addrs(1..3).into_iter().rev().collect())
        );
    }

    #[test]
    fn a_new_session_hears_the_newest_again_but_nobody_hears_of_a_private_torrent() {
        let (mut hints, now) = (Hints::default(), Instant::ZERO);
        hints.heard(addrs(0..210));
        hints.take(now);
        hints.joined();
        assert_eq!(hints.take(now + EVERY), Some(addrs(10..60)));
        hints.forget();
        hints.joined();
        assert_eq!(hints.due(), None);
    }
}
