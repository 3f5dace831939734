//! The introductions that we have requested (BEP 55), until they are made or fail.

use std::time::Duration;

use crate::types::{ConnId, Instant, PeerAddr, SortedMap};

/// The time after which a request without an answer counts as failed.
const ANSWER: Duration = Duration::from_secs(10);
/// The number of peers that are asked, one after the other, for the same introduction.
const MAX_RELAYS: usize = 3;
/// The number of introductions that are sought at the same time; no more are.
const MAX_SOUGHT: usize = 32;

/// An introduction that is sought.
#[derive(Debug)]
struct Sought {
    /// The peers that were asked; the last one has not answered yet.
    asked: Vec<ConnId>,
    until: Instant,
}

/// All introductions that are sought, by the address that could not be dialled.
#[derive(Debug, Default)]
pub(crate) struct Introductions {
    sought: SortedMap<PeerAddr, Sought>,
}

impl Introductions {
    /// Whether one to this address may be sought in addition to the others.
    pub(crate) fn has_room_for(&self, target: PeerAddr) -> bool {
        self.sought.len() < MAX_SOUGHT && !self.sought.contains_key(&target)
    }

    /// Whether this peer may be asked for it: it was not asked yet, and few others were.
    pub(crate) fn may_ask(&self, target: PeerAddr, relay: ConnId) -> bool {
        let asked = self.sought.get(&target).map_or(&[][..], |s| &s.asked);
        asked.len() < MAX_RELAYS && !asked.contains(&relay)
    }

    /// Records that this peer is asked for it.
    pub(crate) fn ask(&mut self, now: Instant, target: PeerAddr, relay: ConnId) {
        let until = now + ANSWER;
        let asked = Vec::new();
        let sought = self
            .sought
            .get_or_insert_with(target, || Sought { asked, until });
        sought.asked.push(relay);
        sought.until = until;
    }

    /// Records that it is sought no longer.
    pub(crate) fn give_up(&mut self, target: PeerAddr) {
        self.sought.remove(&target);
    }

    /// Records that all are sought no longer.
    pub(crate) fn clear(&mut self) {
        self.sought.clear();
    }

    /// The introduction that `relay` makes when it says that the peer at `addr` connects to us now.
    /// The port may differ from the one that we asked for, since the relaying peer sees how a NAT
    /// maps it, but not the host. `None` if it was not asked for.
    pub(crate) fn take_made(&mut self, relay: ConnId, addr: PeerAddr) -> Option<PeerAddr> {
        let is_it = |target: &PeerAddr| target.ip() == addr.ip();
        let target = self.awaited(relay).find(is_it)?;
        self.sought.remove(&target);
        Some(target)
    }

    /// Whether `relay` was the last to be asked for an introduction to `target`.
    pub(crate) fn awaits(&self, relay: ConnId, target: PeerAddr) -> bool {
        self.awaited(relay).any(|other| other == target)
    }

    /// The introductions whose relaying peer is this one.
    pub(crate) fn awaited(&self, relay: ConnId) -> impl Iterator<Item = PeerAddr> {
        self.sought
            .iter()
            .filter(move |(_, sought)| sought.asked.last() == Some(&relay))
            .map(|(target, _)| *target)
    }

    /// The introductions whose relaying peer has not answered in time.
    pub(crate) fn overdue(&self, now: Instant) -> impl Iterator<Item = PeerAddr> {
        self.sought
            .iter()
            .filter(move |(_, sought)| sought.until <= now)
            .map(|(target, _)| *target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(last: u8, port: u16) -> PeerAddr {
        ([45, 0, 0, last], port).into()
    }

    fn relay(n: u64) -> ConnId {
        ConnId::dialled(n)
    }

    #[test]
    fn three_peers_are_asked_one_after_the_other_and_each_once() {
        let (mut introductions, target) = (Introductions::default(), addr(1, 6881));
        for n in 0..3 {
            assert!(introductions.may_ask(target, relay(n)));
            introductions.ask(Instant::ZERO, target, relay(n));
            assert!(!introductions.may_ask(target, relay(n)));
        }
        assert!(!introductions.may_ask(target, relay(3)));
        assert!(introductions.may_ask(addr(2, 6881), relay(3)));
        assert!(introductions.awaits(relay(2), target) && !introductions.awaits(relay(1), target));
    }

    #[test]
    fn only_the_peer_that_was_asked_last_introduces_and_only_to_the_host_that_was_asked_for() {
        let (mut introductions, target) = (Introductions::default(), addr(1, 6881));
        introductions.ask(Instant::ZERO, target, relay(0));
        introductions.ask(Instant::ZERO, target, relay(1));
        assert_eq!(introductions.take_made(relay(0), target), None);
        assert_eq!(introductions.take_made(relay(1), addr(2, 6881)), None);
        let made = introductions.take_made(relay(1), addr(1, 50123));
        assert_eq!(made, Some(target));
        assert_eq!(introductions.take_made(relay(1), target), None);
    }

    #[test]
    fn what_is_sought_is_bounded_and_overdue_after_ten_seconds() {
        let mut introductions = Introductions::default();
        for n in 0..=u8::MAX {
            if introductions.has_room_for(addr(n, 6881)) {
                introductions.ask(Instant::ZERO, addr(n, 6881), relay(0));
            }
        }
        assert_eq!(introductions.sought.len(), MAX_SOUGHT);
        let overdue = |after| introductions.overdue(Instant::ZERO + after).count();
        assert_eq!(overdue(ANSWER - Duration::from_millis(1)), 0);
        assert_eq!(overdue(ANSWER), MAX_SOUGHT);
    }
}
