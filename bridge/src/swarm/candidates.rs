//! The peers of a swarm that may be dialled, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use aqueduct_core::net::{DialHistory, takes_more};
use aqueduct_core::types::{PeerAddr, PeerSource};
use tokio::time::Instant;

use crate::limits::network::network_of;

/// The number of consecutive failures after which a peer is dropped until it is named again.
const MAX_FAILURES: u32 = 5;
/// A connection that ends within this time counts as a failed dial, which is repeated sooner at first
/// and then ever later: a peer that still checks its data, or is full, closes at once.
const BRIEF: Duration = Duration::from_secs(10);
/// The delay after a longer connection that the peer or the network closed.
const LOST_RETRY: Duration = Duration::from_secs(30);
/// The delay after the tab closed a stream.
const UNWANTED_RETRY: Duration = Duration::from_secs(600);

/// Addresses with their history.
#[derive(Debug)]
pub(crate) struct Candidates {
    limit: usize,
    known: BTreeMap<PeerAddr, DialHistory>,
    /// Addresses that are neither being dialled nor connected, by host: a busy host postpones all
    /// its addresses at once.
    hosts: BTreeMap<HostId, Host>,
    /// Hosts by the time at which one of their addresses may be dialled.
    queue: BTreeSet<(Instant, HostId)>,
}

/// An IPv4 address, or the /64 of an IPv6 address; `None` is this bridge with its tabs.
type HostId = Option<IpAddr>;

fn host_of(addr: PeerAddr) -> HostId {
    addr.ip().map(network_of)
}

/// The addresses of one host that may be dialled.
#[derive(Debug, Default)]
struct Host {
    /// Addresses by the time at which they may be dialled.
    queue: BTreeSet<(Instant, PeerAddr)>,
    /// The time before which no address of this host is dialled.
    not_before: Option<Instant>,
}

impl Host {
    fn due(&self) -> Option<Instant> {
        let (due, _) = self.queue.first()?;
        Some(self.not_before.map_or(*due, |until| until.max(*due)))
    }
}

/// The result of a dial or a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Not dialled, because the target was busy; contains the time at which it may be.
    NotNow(Instant),
    /// No connection, or no handshake for the right info-hash. Contains the time at which the dial
    /// started.
    Failed(Instant),
    /// Connected, and closed by the peer or the network. Contains the time at which the connection
    /// began.
    Lost(Instant),
    /// Connected, and closed by the tab.
    Unwanted,
    /// Another tab, which has left the swarm: its address is never used again.
    Gone,
}

/// An address as a later membership in the same swarm inherits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) addr: PeerAddr,
    pub(crate) history: DialHistory,
    /// The time before which it is not dialled, after failures.
    pub(crate) rests_until: Option<Instant>,
}

impl Candidates {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            limit,
            known: BTreeMap::new(),
            hosts: BTreeMap::new(),
            queue: BTreeSet::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Adds an address that may be dialled from `due` on. Without `due` (the filter refuses it) it
    /// only counts as known. Returns whether it is new and there was room.
    pub(crate) fn add(&mut self, addr: PeerAddr, source: PeerSource, due: Option<Instant>) -> bool {
        if let Some(known) = self.known.get_mut(&addr) {
            known.heard(source);
            return false;
        }
        self.insert(addr, source, due)
    }

    /// Adds an address that the tab named, unless hints have reached their share.
    pub(crate) fn add_hint(&mut self, addr: PeerAddr, due: Instant) -> bool {
        let hinted = self
            .known
            .values()
            .filter(|history| history.source() == PeerSource::Pex)
            .count();
        takes_more(hinted, self.limit)
            && !self.known.contains_key(&addr)
            && self.insert(addr, PeerSource::Pex, Some(due))
    }

    fn insert(&mut self, addr: PeerAddr, source: PeerSource, due: Option<Instant>) -> bool {
        let room = self.known.len() < self.limit;
        if room {
            self.known.insert(addr, DialHistory::new(source));
            due.into_iter().for_each(|due| self.enqueue(addr, due));
        }
        room
    }

    /// All addresses but those of tabs. Those that are connected, or wait for another reason than
    /// failures (the tab closed their streams), may be dialled at once.
    pub(crate) fn remembered(&self) -> Vec<Remembered> {
        let waiting = self.hosts.values().flat_map(|host| &host.queue);
        let due: BTreeMap<PeerAddr, Instant> = waiting.map(|(due, addr)| (*addr, *due)).collect();
        let known = self.known.iter().filter(|(addr, _)| addr.ip().is_some());
        known
            .map(|(addr, history)| Remembered {
                addr: *addr,
                history: *history,
                rests_until: due.get(addr).filter(|_| history.failures() > 0).copied(),
            })
            .collect()
    }

    /// Adds an address that an earlier membership knew. `due`, and what is returned: see
    /// [`Candidates::add`].
    pub(crate) fn recall(&mut self, known: Remembered, due: Option<Instant>) -> bool {
        let due = due.map(|due| due.max(known.rests_until.unwrap_or(due)));
        let is_new = self.add(known.addr, known.history.source(), due);
        if is_new {
            self.known.insert(known.addr, known.history);
        }
        is_new
    }

    /// Drops the addresses that a private swarm must not use, and returns them, including those
    /// that are being dialled or connected, whose result is then ignored.
    pub(crate) fn forget_public(&mut self) -> BTreeSet<PeerAddr> {
        let public = self
            .known
            .iter()
            .filter(|(_, history)| !history.source().suits_private());
        let public: BTreeSet<PeerAddr> = public.map(|(addr, _)| *addr).collect();
        self.known.retain(|addr, _| !public.contains(addr));
        for &addr in &public {
            self.dequeue(addr);
        }
        public
    }

    /// Addresses that may be dialled now or later.
    pub(crate) fn waiting(&self) -> usize {
        self.hosts.values().map(|host| host.queue.len()).sum()
    }

    /// The address that has been due longest. It is not returned again until [`Candidates::ended`]
    /// or [`Candidates::postpone`].
    pub(crate) fn take(&mut self, now: Instant) -> Option<PeerAddr> {
        let (_, host) = self.queue.first().copied().filter(|(due, _)| *due <= now)?;
        self.change(host, |host| host.queue.pop_first())
            .map(|(_, addr)| addr)
    }

    /// When [`Candidates::take`] will return an address.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.queue.first().map(|(due, _)| *due)
    }

    /// Postpones an address whose host is busy: no address of that host is dialled before `until`.
    pub(crate) fn postpone(&mut self, addr: PeerAddr, now: Instant, until: Instant) {
        if self.known.contains_key(&addr) {
            self.enqueue(addr, now);
            self.change(host_of(addr), |host| host.not_before = Some(until));
        }
    }

    fn dequeue(&mut self, addr: PeerAddr) {
        self.change(host_of(addr), |host| {
            host.queue.retain(|(_, other)| *other != addr)
        });
    }

    fn enqueue(&mut self, addr: PeerAddr, due: Instant) {
        self.change(host_of(addr), |host| host.queue.insert((due, addr)));
    }

    /// Changes a host, and updates its position in the queue.
    fn change<T>(&mut self, id: HostId, change: impl FnOnce(&mut Host) -> T) -> T {
        let host = self.hosts.entry(id).or_default();
        if let Some(due) = host.due() {
            self.queue.remove(&(due, id));
        }
        let changed = change(host);
        if let Some(due) = host.due() {
            self.queue.insert((due, id));
        } else {
            self.hosts.remove(&id);
        }
        changed
    }

    /// Records the result of a dial or connection.
    pub(crate) fn ended(&mut self, addr: PeerAddr, outcome: Outcome, now: Instant) {
        let Some(history) = self.known.get_mut(&addr) else {
            return;
        };
        let due = match outcome {
            Outcome::NotNow(until) => until,
            Outcome::Unwanted => now + UNWANTED_RETRY,
            Outcome::Lost(since) if now < since + BRIEF => since + history.failed(),
            Outcome::Lost(_) => {
                history.succeeded();
                now + LOST_RETRY
            }
            Outcome::Failed(begun) => begun + history.failed(),
            Outcome::Gone => now,
        };
        if outcome == Outcome::Gone || history.failures() >= MAX_FAILURES {
            self.known.remove(&addr);
            return;
        }
        self.enqueue(addr, due);
    }

    /// Records a dial that succeeded after it was given up. Returns whether the address is still
    /// known; it is not returned by [`Candidates::take`] until [`Candidates::ended`].
    pub(crate) fn connected(&mut self, addr: PeerAddr) -> bool {
        let known = self.known.contains_key(&addr);
        if known {
            self.dequeue(addr);
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use aqueduct_core::types::TabId;

    use super::*;

    fn addr(port: u16) -> PeerAddr {
        PeerAddr::from(([1, 1, 1, 1], port))
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_failed_comes_after_the_others_and_later() {
        let now = Instant::now();
        let [a, b, c] = [1, 2, 3].map(|n| PeerAddr::from(([n, n, n, n], 1111)));
        let mut candidates = Candidates::new(2);
        assert!(
            candidates.add(a, PeerSource::Tracker, Some(now))
                && !candidates.add(a, PeerSource::Tracker, Some(now))
                && candidates.add(b, PeerSource::Tracker, Some(now))
        );
        assert!(
            !candidates.add(c, PeerSource::Tracker, Some(now)),
            "no room"
        );
        assert_eq!(candidates.take(now), Some(a));
        candidates.ended(a, Outcome::Failed(now), now);
        assert_eq!(
            (candidates.take(now), candidates.take(now)),
            (Some(b), None)
        );
        assert_eq!(candidates.next_due(), Some(now + Duration::from_secs(5)));
        assert_eq!(candidates.take(now + Duration::from_secs(5)), Some(a));
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_host_is_asked_for_once_however_many_addresses_it_has_and_does_not_hold_up_others()
     {
        let (now, later) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        let mut candidates = Candidates::new(2000);
        (1..=1000)
            .for_each(|port| assert!(candidates.add(addr(port), PeerSource::Tracker, Some(now))));
        let other = PeerAddr::from(([2, 2, 2, 2], 2222));
        candidates.add(other, PeerSource::Tracker, Some(now));
        assert_eq!(candidates.take(now), Some(addr(1)));
        candidates.postpone(addr(1), now, later);
        assert_eq!(
            (
                candidates.take(now),
                candidates.take(now),
                candidates.waiting()
            ),
            (Some(other), None, 1000)
        );
        assert_eq!(
            (
                candidates.next_due(),
                candidates.take(later),
                candidates.take(later)
            ),
            (Some(later), Some(addr(1)), Some(addr(2)))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_always_fails_is_dialled_more_and_more_seldom_and_then_forgotten() {
        let mut now = Instant::now();
        let mut candidates = Candidates::new(9);
        candidates.add(addr(1), PeerSource::Tracker, Some(now));
        let mut waits = Vec::new();
        for _ in 0..MAX_FAILURES {
            assert_eq!(candidates.take(now), Some(addr(1)));
            candidates.ended(addr(1), Outcome::Failed(now), now);
            let due = candidates.next_due().unwrap_or(now);
            waits.push((due - now).as_secs());
            now = due;
        }
        assert_eq!(waits, [5, 20, 80, 320, 0]);
        assert!(
            candidates.add(addr(1), PeerSource::Tracker, Some(now)),
            "forgotten, so that it is news"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_tab_that_left_is_forgotten() {
        let now = Instant::now();
        let mut candidates = Candidates::new(9);
        candidates.add(addr(1), PeerSource::Tracker, Some(now));
        assert_eq!(candidates.take(now), Some(addr(1)));
        candidates.ended(addr(1), Outcome::Gone, now);
        assert_eq!((candidates.next_due(), candidates.len()), (None, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_membership_dials_what_was_connected_or_unwanted_at_once_and_what_failed_when_it_is_due()
     {
        let now = Instant::now();
        let mut candidates = Candidates::new(9);
        for port in 1..=4 {
            candidates.add(addr(port), PeerSource::Tracker, Some(now));
            assert_eq!(candidates.take(now), Some(addr(port)));
        }
        candidates.add(addr(5), PeerSource::Tracker, None);
        candidates.add(PeerAddr::Tab(TabId(6)), PeerSource::Tracker, Some(now));
        candidates.ended(addr(2), Outcome::Unwanted, now);
        candidates.ended(addr(3), Outcome::Failed(now), now);
        candidates.ended(addr(4), Outcome::Failed(now), now);
        candidates.connected(addr(4));
        let mut later = Candidates::new(9);
        for known in candidates.remembered() {
            let refused = known.addr == addr(5);
            assert!(later.recall(known, (!refused).then_some(now)));
        }
        let due: Vec<_> = std::iter::from_fn(|| later.take(now)).collect();
        assert_eq!(due, [addr(1), addr(2), addr(4)]);
        assert_eq!(later.next_due(), Some(now + Duration::from_secs(5)));
        later.ended(addr(4), Outcome::Failed(now), now);
        assert_eq!(later.take(now + Duration::from_secs(5)), Some(addr(3)));
        let again = later.next_due();
        assert_eq!(
            again,
            Some(now + Duration::from_secs(20)),
            "its second failure"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_answers_after_its_dial_was_given_up_is_not_dialled_again() {
        let now = Instant::now();
        let mut candidates = Candidates::new(9);
        candidates.add(addr(1), PeerSource::Tracker, Some(now));
        candidates.take(now);
        candidates.ended(addr(1), Outcome::Failed(now), now);
        assert!(candidates.connected(addr(1)) && !candidates.connected(addr(2)));
        assert_eq!(candidates.next_due(), None);
        candidates.ended(addr(1), Outcome::Lost(now), now + BRIEF);
        assert_eq!(candidates.next_due(), Some(now + BRIEF + LOST_RETRY));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_closes_at_once_is_dialled_again_soon_and_then_ever_later() {
        let mut now = Instant::now();
        let mut candidates = Candidates::new(9);
        candidates.add(addr(1), PeerSource::Tracker, Some(now));
        for delay in [5, 20, 80, 320] {
            assert_eq!(candidates.take(now), Some(addr(1)));
            candidates.ended(addr(1), Outcome::Lost(now), now + Duration::from_secs(1));
            now += Duration::from_secs(delay);
            assert_eq!(candidates.next_due(), Some(now));
        }
        assert_eq!(candidates.take(now), Some(addr(1)));
        candidates.ended(addr(1), Outcome::Lost(now), now);
        assert_eq!(candidates.len(), 0, "until it is named again");
    }

    #[tokio::test(start_paused = true)]
    async fn at_most_a_quarter_comes_from_hints_until_discovery_names_them_too() {
        let now = Instant::now();
        let mut candidates = Candidates::new(8);
        let taken = (1..=8)
            .filter(|port| candidates.add_hint(addr(*port), now))
            .count();
        assert_eq!(taken, 2);
        assert!(
            !candidates.add(addr(1), PeerSource::Tracker, Some(now)),
            "known already"
        );
        assert!(candidates.add_hint(addr(3), now) && !candidates.add_hint(addr(4), now));
        assert_eq!(
            candidates.forget_public(),
            BTreeSet::from([addr(2), addr(3)])
        );
        assert_eq!(
            (candidates.take(now), candidates.take(now)),
            (Some(addr(1)), None)
        );
    }
}
