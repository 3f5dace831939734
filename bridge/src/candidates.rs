//! Peers of one swarm that may be dialled, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

/// Wait after a first failure; four times as long after each further one.
const FIRST_RETRY: Duration = Duration::from_secs(30);
/// Failures after which a peer is forgotten until discovery names it again.
const GIVE_UP: u32 = 5;
/// Wait after the tab closed a stream: it had its reasons.
const UNWANTED: Duration = Duration::from_secs(600);

/// Addresses with their history.
#[derive(Debug)]
pub(crate) struct Candidates {
    limit: usize,
    known: BTreeMap<SocketAddr, Candidate>,
    /// Those that are neither being dialled nor connected, by the time at which they may be.
    queue: BTreeSet<(Instant, SocketAddr)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Candidate {
    /// In a row.
    failures: u32,
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
}

impl Candidates {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { limit, known: BTreeMap::new(), queue: BTreeSet::new() }
    }

    /// Adds an address, to be dialled from `due` on or, if the filter refuses it, never; then it only counts as known. Returns whether it is
    /// new and there was room.
    pub(crate) fn add(&mut self, addr: SocketAddr, due: Option<Instant>) -> bool {
        if self.known.len() >= self.limit || self.known.contains_key(&addr) {
            return false;
        }
        self.known.insert(addr, Candidate::default());
        self.queue.extend(due.map(|due| (due, addr)));
        true
    }

    /// The one that has been due longest. It counts as busy until [`Candidates::ended`].
    pub(crate) fn take(&mut self, now: Instant) -> Option<SocketAddr> {
        let (due, addr) = self.queue.first().copied().filter(|(due, _)| *due <= now)?;
        self.queue.remove(&(due, addr));
        Some(addr)
    }

    /// When [`Candidates::take`] will have something.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.queue.first().map(|(due, _)| *due)
    }

    /// A dial or connection ended.
    pub(crate) fn ended(&mut self, addr: SocketAddr, outcome: Outcome, now: Instant) {
        let Some(candidate) = self.known.get_mut(&addr) else { return };
        let wait = match outcome {
            Outcome::NotNow(until) => until.saturating_duration_since(now),
            Outcome::Unwanted => UNWANTED,
            Outcome::Lost => {
                candidate.failures = 0;
                FIRST_RETRY
            }
            Outcome::Failed => {
                candidate.failures += 1;
                FIRST_RETRY * 4u32.pow(candidate.failures.min(GIVE_UP) - 1)
            }
            Outcome::Ourselves => Duration::MAX,
        };
        if candidate.failures >= GIVE_UP {
            self.known.remove(&addr);
        } else if let Some(due) = now.checked_add(wait) {
            self.queue.insert((due, addr));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failures_put_a_peer_behind_the_others_and_off() {
        let now = Instant::now();
        let [a, b]: [SocketAddr; 2] = ["1.1.1.1:1111".parse().unwrap(), "2.2.2.2:2222".parse().unwrap()];
        let mut candidates = Candidates::new(2);
        assert!(candidates.add(a, Some(now)) && !candidates.add(a, Some(now)) && candidates.add(b, Some(now)));
        assert!(!candidates.add("3.3.3.3:3333".parse().unwrap(), Some(now)), "no room");
        assert_eq!(candidates.take(now), Some(a));
        candidates.ended(a, Outcome::Failed, now);
        assert_eq!((candidates.take(now), candidates.take(now)), (Some(b), None));
        assert_eq!(candidates.next_due(), Some(now + FIRST_RETRY));
        assert_eq!(candidates.take(now + FIRST_RETRY), Some(a));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_always_fails_is_forgotten_and_our_own_address_is_never_dialled_again() {
        let now = Instant::now();
        let addr: SocketAddr = "1.1.1.1:1111".parse().unwrap();
        let mut candidates = Candidates::new(9);
        candidates.add(addr, Some(now));
        let mut now = now;
        for _ in 0..GIVE_UP {
            assert_eq!(candidates.take(now), Some(addr));
            candidates.ended(addr, Outcome::Failed, now);
            now = candidates.next_due().unwrap_or(now);
        }
        assert!(candidates.add(addr, Some(now)), "forgotten, so that it is news");
        assert_eq!(candidates.take(now), Some(addr));
        candidates.ended(addr, Outcome::Ourselves, now);
        assert!(candidates.next_due().is_none() && !candidates.add(addr, Some(now)));
    }
}
