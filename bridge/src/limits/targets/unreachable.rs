//! Unreachable addresses. They are not contacted for a while, at first only for the client that
//! failed to reach them.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::Limits;
use crate::limits::network::Network;
use crate::limits::pruned_map::PrunedMap;

/// The maximum number of tracked addresses. Failures of further ones are not counted; the other
/// limits apply to them too.
const MAX_ADDRESSES: usize = 1 << 17;
/// The maximum number of tracked clients per address.
const MAX_CLIENTS: usize = 8;

/// Which clients failed to reach which addresses. If a client's failures at an address reach the
/// limit, the address is not contacted for that client; if that is the case for as many clients as
/// the limit says, it is not contacted for any.
#[derive(Debug)]
pub(crate) struct Unreachable {
    failures: u32,
    pause: Duration,
    by_addr: PrunedMap<SocketAddr, Vec<Failures>>,
}

/// Consecutive failures of one client.
#[derive(Debug)]
struct Failures {
    client: Network,
    times: u32,
    last: Instant,
}

impl Unreachable {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            failures: limits.failures_per_target,
            pause: limits.target_rest.0,
            by_addr: PrunedMap::default(),
        }
    }

    /// How long this address is not contacted for this client.
    pub(crate) fn pause(
        &self,
        addr: SocketAddr,
        client: Network,
        now: Instant,
    ) -> Option<Duration> {
        let known = self.by_addr.entries.get(&addr)?;
        let resting = known
            .iter()
            .filter(|failures| failures.times >= self.failures);
        let left = |failures: &Failures| {
            (failures.last + self.pause)
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

    /// Records a failed connection that was the fault of the remote side.
    pub(crate) fn failed(&mut self, addr: SocketAddr, client: Network, now: Instant) {
        let (pause, room) = (self.pause, self.by_addr.entries.len() < MAX_ADDRESSES);
        if !room && !self.by_addr.entries.contains_key(&addr) {
            return;
        }
        let known = self.by_addr.entries.entry(addr).or_default();
        known.retain(|failures| now < failures.last + pause);
        if let Some(failures) = known.iter_mut().find(|failures| failures.client == client) {
            (failures.times, failures.last) = (failures.times.saturating_add(1), now);
        } else if known.len() < MAX_CLIENTS {
            known.push(Failures {
                client,
                times: 1,
                last: now,
            });
        }
    }

    /// Records a successful connection.
    pub(crate) fn reached(&mut self, addr: SocketAddr) {
        self.by_addr.entries.remove(&addr);
    }

    pub(crate) fn prune(&mut self, now: Instant) {
        let pause = self.pause;
        self.by_addr
            .prune(|_, known| known.iter().any(|failures| now < failures.last + pause));
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

    fn unreachable() -> Unreachable {
        Unreachable::new(&Limits::default())
    }

    #[tokio::test(start_paused = true)]
    async fn after_three_failures_an_address_is_left_alone_for_ten_minutes_for_the_client_that_caused_them()
     {
        let (mut unreachable, now) = (unreachable(), Instant::now());
        (0..3).for_each(|_| unreachable.failed(addr(1), client(1), now));
        assert_eq!(
            unreachable.pause(addr(1), client(1), now),
            Some(Duration::from_secs(600))
        );
        assert_eq!(
            unreachable.pause(addr(1), client(2), now),
            None,
            "not for other clients"
        );
        assert_eq!(
            unreachable.pause(addr(2), client(1), now),
            None,
            "and no other address"
        );
        assert_eq!(
            unreachable.pause(addr(1), client(1), now + Duration::from_secs(600)),
            None
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_three_clients_tried_in_vain_is_left_alone_for_all_until_one_reaches_it() {
        let (mut unreachable, now) = (unreachable(), Instant::now());
        for n in [1, 2, 3, 1, 2, 3, 1, 2] {
            unreachable.failed(addr(1), client(n), now);
        }
        assert_eq!(unreachable.pause(addr(1), client(4), now), None);
        unreachable.failed(addr(1), client(3), now);
        assert_eq!(
            unreachable.pause(addr(1), client(4), now),
            Some(Duration::from_secs(600))
        );
        unreachable.reached(addr(1));
        assert_eq!(unreachable.pause(addr(1), client(1), now), None);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_remembered_of_so_many_addresses_and_clients() {
        let (mut unreachable, now) = (unreachable(), Instant::now());
        for n in 0..u32::try_from(MAX_ADDRESSES).unwrap() + 100 {
            unreachable.failed(SocketAddr::from((n.to_be_bytes(), 6881)), client(1), now);
        }
        assert_eq!(unreachable.by_addr.entries.len(), MAX_ADDRESSES);
        let known = SocketAddr::from(([0; 4], 6881));
        (0..=255).for_each(|n| unreachable.failed(known, client(n), now));
        assert_eq!(unreachable.by_addr.entries[&known].len(), MAX_CLIENTS);
    }
}
