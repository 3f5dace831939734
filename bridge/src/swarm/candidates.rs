//! Peers of one swarm that may be dialled, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use aqueduct_core::net::{DialHistory, takes_more};
use aqueduct_core::types::{PeerAddr, PeerSource};
use tokio::time::Instant;

use crate::limits::network::network_of;

/// Failures in a row after which a peer is forgotten until discovery names it again.
const GIVE_UP: u32 = 5;
/// Wait after a connection that ended by itself.
const LOST: Duration = Duration::from_secs(30);
/// Wait after the tab closed a stream: it had its reasons.
const UNWANTED: Duration = Duration::from_secs(600);
/// Addresses with their history.
#[derive(Debug)]
pub(crate) struct Candidates {
    limit: usize,
    known: BTreeMap<PeerAddr, DialHistory>,
    /// Those that are neither being dialled nor connected, by host: one that is busy puts off all
    /// its addresses at once, however many it has.
    hosts: BTreeMap<HostId, Host>,
    /// Hosts by the time at which something there may be dialled.
    queue: BTreeSet<(Instant, HostId)>,
}

/// An IPv4 address or the /64 around an IPv6 address; `None`: this bridge, where its tabs are.
type HostId = Option<IpAddr>;

fn host_of(addr: PeerAddr) -> HostId {
    addr.ip().map(network_of)
}

/// What may be dialled at one host.
#[derive(Debug, Default)]
struct Host {
    /// By the time at which it may be.
    queue: BTreeSet<(Instant, PeerAddr)>,
    /// Nothing is dialled before.
    put_off: Option<Instant>,
}

impl Host {
    fn due(&self) -> Option<Instant> {
        let (due, _) = self.queue.first()?;
        Some(self.put_off.map_or(*due, |until| until.max(*due)))
    }
}

/// How a dial or a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Not dialled, because the target was busy; this is when it may be.
    NotNow(Instant),
    /// No connection, or no right handshake.
    Failed,
    /// Connected, and closed by the peer or the network.
    Lost,
    /// Connected, and closed by the tab.
    Unwanted,
    /// It is the tab itself: never again.
    Ourselves,
    /// Another tab that has left the swarm: its address is never used again.
    Gone,
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

    /// Adds an address, to be dialled from `due` on or, if the filter refuses it, never; then it
    /// only counts as known. Returns whether it is new and there was room.
    pub(crate) fn add(&mut self, addr: PeerAddr, source: PeerSource, due: Option<Instant>) -> bool {
        if let Some(known) = self.known.get_mut(&addr) {
            known.heard(source);
            return false;
        }
        self.insert(addr, source, due)
    }

    /// Adds an address that the tab heard of, if there is room among those.
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

    /// Forgets the addresses that a private swarm may not have, and returns them. Those that are
    /// busy are among them: how they end means nothing any more.
    pub(crate) fn forget_public(&mut self) -> BTreeSet<PeerAddr> {
        let public = self
            .known
            .iter()
            .filter(|(_, history)| !history.source().suits_private());
        let public: BTreeSet<PeerAddr> = public.map(|(addr, _)| *addr).collect();
        self.known.retain(|addr, _| !public.contains(addr));
        for &addr in &public {
            self.change(host_of(addr), |host| {
                host.queue.retain(|(_, other)| *other != addr)
            });
        }
        public
    }

    /// Whether it was added and not forgotten since.
    pub(crate) fn knows(&self, addr: PeerAddr) -> bool {
        self.known.contains_key(&addr)
    }

    /// Addresses that may be dialled now or later.
    pub(crate) fn waiting(&self) -> usize {
        self.hosts.values().map(|host| host.queue.len()).sum()
    }

    /// The one that has been due longest. It counts as busy until [`Candidates::ended`] or
    /// [`Candidates::put_off`].
    pub(crate) fn take(&mut self, now: Instant) -> Option<PeerAddr> {
        let (_, host) = self.queue.first().copied().filter(|(due, _)| *due <= now)?;
        self.change(host, |host| host.queue.pop_first())
            .map(|(_, addr)| addr)
    }

    /// When [`Candidates::take`] will have something.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.queue.first().map(|(due, _)| *due)
    }

    /// An address was not dialled, because its host is busy: nothing there is dialled before this
    /// time.
    pub(crate) fn put_off(&mut self, addr: PeerAddr, now: Instant, until: Instant) {
        if self.known.contains_key(&addr) {
            self.enqueue(addr, now);
            self.change(host_of(addr), |host| host.put_off = Some(until));
        }
    }

    fn enqueue(&mut self, addr: PeerAddr, due: Instant) {
        self.change(host_of(addr), |host| host.queue.insert((due, addr)));
    }

    /// Changes what is known of a host, and its place in the queue with it.
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

    /// A dial or connection ended.
    pub(crate) fn ended(&mut self, addr: PeerAddr, outcome: Outcome, now: Instant) {
        let Some(history) = self.known.get_mut(&addr) else {
            return;
        };
        let wait = match outcome {
            Outcome::NotNow(until) => until.saturating_duration_since(now),
            Outcome::Unwanted => UNWANTED,
            Outcome::Lost => {
                history.succeeded();
                LOST
            }
            Outcome::Failed => history.failed(),
            Outcome::Ourselves | Outcome::Gone => Duration::MAX,
        };
        if history.failures() >= GIVE_UP || outcome == Outcome::Gone {
            self.known.remove(&addr);
        } else if let Some(due) = now.checked_add(wait) {
            self.enqueue(addr, due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> PeerAddr {
        PeerAddr::from(([1, 1, 1, 1], port))
    }

    #[tokio::test(start_paused = true)]
    async fn failures_put_a_peer_behind_the_others_and_off() {
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
        candidates.ended(a, Outcome::Failed, now);
        assert_eq!(
            (candidates.take(now), candidates.take(now)),
            (Some(b), None)
        );
        assert_eq!(candidates.next_due(), Some(now + Duration::from_secs(5)));
        assert_eq!(candidates.take(now + Duration::from_secs(5)), Some(a));
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_host_is_asked_for_once_however_many_addresses_it_has_and_holds_up_no_other() {
        let (now, later) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        let mut candidates = Candidates::new(2000);
        (1..=1000)
            .for_each(|port| assert!(candidates.add(addr(port), PeerSource::Tracker, Some(now))));
        let other = PeerAddr::from(([2, 2, 2, 2], 2222));
        candidates.add(other, PeerSource::Tracker, Some(now));
        assert_eq!(candidates.take(now), Some(addr(1)));
        candidates.put_off(addr(1), now, later);
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
    async fn a_peer_that_always_fails_rests_longer_every_time_and_is_forgotten() {
        let mut now = Instant::now();
        let mut candidates = Candidates::new(9);
        candidates.add(addr(1), PeerSource::Tracker, Some(now));
        let mut rests = Vec::new();
        for _ in 0..GIVE_UP {
            assert_eq!(candidates.take(now), Some(addr(1)));
            candidates.ended(addr(1), Outcome::Failed, now);
            let due = candidates.next_due().unwrap_or(now);
            rests.push((due - now).as_secs());
            now = due;
        }
        assert_eq!(rests, [5, 20, 80, 320, 0]);
        assert!(
            candidates.add(addr(1), PeerSource::Tracker, Some(now)),
            "forgotten, so that it is news"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn our_own_address_is_never_dialled_again_and_a_tab_that_left_is_forgotten() {
        let now = Instant::now();
        let mut candidates = Candidates::new(9);
        for (port, outcome, news) in [(1, Outcome::Ourselves, false), (2, Outcome::Gone, true)] {
            candidates.add(addr(port), PeerSource::Tracker, Some(now));
            assert_eq!(candidates.take(now), Some(addr(port)));
            candidates.ended(addr(port), outcome, now);
            assert_eq!(
                (
                    candidates.next_due(),
                    candidates.add(addr(port), PeerSource::Tracker, None)
                ),
                (None, news)
            );
        }
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
