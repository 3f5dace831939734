//! Addresses that could not be reached: they are left alone for a time, first by the client that
//! tried them in vain.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::Limits;
use crate::limits::bucket::Table;
use crate::limits::network::Network;

/// Addresses that are remembered. Those beyond are dialled again as if nothing had been: the other
/// limits hold for them, too.
const MOST_FAILING: usize = 1 << 17;
/// Clients that are remembered of one address.
const MOST_CLIENTS: usize = 8;

/// Who tried what in vain. A client whose failures reach the limit rests; once as many clients rest
/// as failures are allowed, everybody does.
#[derive(Debug)]
pub(crate) struct Failing {
    failures: u32,
    rest: Duration,
    by_addr: Table<SocketAddr, Vec<Failures>>,
}

/// Failures in a row of one client.
#[derive(Debug)]
struct Failures {
    client: Network,
    times: u32,
    last: Instant,
}

impl Failing {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            failures: limits.failures_per_target,
            rest: limits.target_rest.0,
            by_addr: Table::default(),
        }
    }

    /// How much longer an address is left alone by this client.
    pub(crate) fn rest(&self, addr: SocketAddr, client: Network, now: Instant) -> Option<Duration> {
        let known = self.by_addr.entries.get(&addr)?;
        let resting = known
            .iter()
            .filter(|failures| failures.times >= self.failures);
        let left = |failures: &Failures| {
            (failures.last + self.rest)
                .checked_duration_since(now)
                .filter(|left| !left.is_zero())
        };
        let mut resting: Vec<(bool, Duration)> = resting
            .filter_map(|failures| Some((failures.client == client, left(failures)?)))
            .collect();
        let for_all = resting.len() >= usize::try_from(self.failures).unwrap_or(usize::MAX);
        resting.retain(|(its_own, _)| *its_own || for_all);
        resting.into_iter().map(|(_, left)| left).max()
    }

    /// There was no connection, and that was the remote's fault.
    pub(crate) fn failed(&mut self, addr: SocketAddr, client: Network, now: Instant) {
        let (rest, room) = (self.rest, self.by_addr.entries.len() < MOST_FAILING);
        if !room && !self.by_addr.entries.contains_key(&addr) {
            return;
        }
        let known = self.by_addr.entries.entry(addr).or_default();
        known.retain(|failures| now < failures.last + rest);
        if let Some(failures) = known.iter_mut().find(|failures| failures.client == client) {
            (failures.times, failures.last) = (failures.times.saturating_add(1), now);
        } else if known.len() < MOST_CLIENTS {
            known.push(Failures {
                client,
                times: 1,
                last: now,
            });
        }
    }

    /// Somebody is there after all.
    pub(crate) fn reached(&mut self, addr: SocketAddr) {
        self.by_addr.entries.remove(&addr);
    }

    pub(crate) fn prune(&mut self, now: Instant) {
        let rest = self.rest;
        self.by_addr
            .sweep(|_, known| known.iter().any(|failures| now < failures.last + rest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::network::Networks;

    fn client(last: u8) -> Network {
        Networks::of([192, 0, 2, last].into()).site()
    }

    fn addr(last: u8) -> SocketAddr {
        SocketAddr::from(([1, 2, 3, last], 6881))
    }

    fn failing() -> Failing {
        Failing::new(&Limits::default())
    }

    #[tokio::test(start_paused = true)]
    async fn three_failures_bring_ten_minutes_of_rest_for_whoever_caused_them() {
        let (mut failing, now) = (failing(), Instant::now());
        (0..3).for_each(|_| failing.failed(addr(1), client(1), now));
        assert_eq!(
            failing.rest(addr(1), client(1), now),
            Some(Duration::from_secs(600))
        );
        assert_eq!(
            failing.rest(addr(1), client(2), now),
            None,
            "for nobody else"
        );
        assert_eq!(
            failing.rest(addr(2), client(1), now),
            None,
            "and from nothing else"
        );
        assert_eq!(
            failing.rest(addr(1), client(1), now + Duration::from_secs(600)),
            None
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_three_clients_tried_in_vain_is_left_alone_by_all_until_somebody_reaches_it() {
        let (mut failing, now) = (failing(), Instant::now());
        for n in [1, 2, 3, 1, 2, 3, 1, 2] {
            failing.failed(addr(1), client(n), now);
        }
        assert_eq!(failing.rest(addr(1), client(4), now), None);
        failing.failed(addr(1), client(3), now);
        assert_eq!(
            failing.rest(addr(1), client(4), now),
            Some(Duration::from_secs(600))
        );
        failing.reached(addr(1));
        assert_eq!(failing.rest(addr(1), client(1), now), None);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_remembered_of_so_many_addresses_and_clients() {
        let (mut failing, now) = (failing(), Instant::now());
        for n in 0..u32::try_from(MOST_FAILING).unwrap() + 100 {
            failing.failed(SocketAddr::from((n.to_be_bytes(), 6881)), client(1), now);
        }
        assert_eq!(failing.by_addr.entries.len(), MOST_FAILING);
        let known = SocketAddr::from(([0; 4], 6881));
        (0..=255).for_each(|n| failing.failed(known, client(n), now));
        assert_eq!(failing.by_addr.entries[&known].len(), MOST_CLIENTS);
    }
}
