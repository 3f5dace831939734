//! Peers that were announced to us.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::discovery::dht::io::Family;
use crate::types::{InfoHashV1, Instant};

/// The time after which a peer without another announce is dropped: two regular intervals.
const LIFE: Duration = Duration::from_secs(30 * 60);

/// The maximum number of swarms per address. A node is close to few of a peer's torrents.
const MAX_OF_ADDRESS: usize = 50;

/// The maximum number of peers per swarm.
const MAX_OF_SWARM: usize = 1000;

type Swarm = BTreeMap<SocketAddr, Instant>;

/// All peers.
#[derive(Debug)]
pub(super) struct Store {
    swarms: BTreeMap<InfoHashV1, Swarm>,
    /// The same peers by the time at which they expire.
    expiry: BTreeSet<(Instant, InfoHashV1, SocketAddr)>,
    by_address: BTreeMap<IpAddr, usize>,
    limit: usize,
}

impl Store {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            swarms: BTreeMap::new(),
            expiry: BTreeSet::new(),
            by_address: BTreeMap::new(),
            limit,
        }
    }

    /// The number of swarms with peers.
    pub(super) fn swarms(&self) -> usize {
        self.swarms.len()
    }

    /// Adds a peer, or extends its time. Peers beyond the limits are ignored.
    pub(super) fn add(&mut self, now: Instant, hash: InfoHashV1, peer: SocketAddr) {
        let known = self.remove(hash, peer);
        let crowded = self
            .swarms
            .get(&hash)
            .is_some_and(|swarm| swarm.len() >= MAX_OF_SWARM);
        let greedy = self
            .by_address
            .get(&peer.ip())
            .is_some_and(|count| *count >= MAX_OF_ADDRESS);
        if !known && (crowded || greedy) {
            return;
        }
        while self.expiry.len() >= self.limit.max(1) {
            self.forget_oldest();
        }
        let until = now + LIFE;
        self.swarms.entry(hash).or_default().insert(peer, until);
        self.expiry.insert((until, hash, peer));
        *self.by_address.entry(peer.ip()).or_default() += 1;
    }

    /// Drops peers whose time has expired.
    pub(super) fn expire(&mut self, now: Instant) {
        while self.expiry.first().is_some_and(|(until, ..)| *until <= now) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(&(_, hash, peer)) = self.expiry.first() {
            self.remove(hash, peer);
        }
    }

    fn remove(&mut self, hash: InfoHashV1, peer: SocketAddr) -> bool {
        let Some(swarm) = self.swarms.get_mut(&hash) else {
            return false;
        };
        let Some(until) = swarm.remove(&peer) else {
            return false;
        };
        if swarm.is_empty() {
            self.swarms.remove(&hash);
        }
        self.expiry.remove(&(until, hash, peer));
        if let Some(count) = self.by_address.get_mut(&peer.ip()) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&peer.ip());
            }
        }
        true
    }

    /// Up to `count` random peers of one family.
    pub(super) fn peers(
        &self,
        hash: InfoHashV1,
        family: Family,
        count: usize,
        rng: &mut ChaCha8Rng,
    ) -> Vec<SocketAddr> {
        let Some(swarm) = self.swarms.get(&hash) else {
            return Vec::new();
        };
        let all: Vec<SocketAddr> = swarm
            .keys()
            .copied()
            .filter(|peer| Family::of(peer) == family)
            .collect();
        some_of(&all, count, rng)
    }

    /// Up to `count` random swarms.
    pub(super) fn hashes(&self, count: usize, rng: &mut ChaCha8Rng) -> Vec<InfoHashV1> {
        let all: Vec<InfoHashV1> = self.swarms.keys().copied().collect();
        some_of(&all, count, rng)
    }
}

/// A range of a list that starts at a random index and wraps around.
fn some_of<T: Copy>(all: &[T], count: usize, rng: &mut ChaCha8Rng) -> Vec<T> {
    let length = u64::try_from(all.len()).unwrap_or(u64::MAX).max(1);
    let start = usize::try_from(rng.next_u64() % length).unwrap_or_default();
    all.iter()
        .cycle()
        .skip(start)
        .take(count.min(all.len()))
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    const HASH: InfoHashV1 = InfoHashV1([1; 20]);

    fn at(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000)
    }

    fn peer(n: u32) -> SocketAddr {
        SocketAddr::from(((0x0b00_0000 + n).to_be_bytes(), 6881))
    }

    fn count(store: &Store, hash: InfoHashV1) -> usize {
        store
            .peers(
                hash,
                Family::V4,
                usize::MAX,
                &mut ChaCha8Rng::from_seed([1; 32]),
            )
            .len()
    }

    #[test]
    fn peers_are_forgotten_half_an_hour_after_their_last_announce() {
        let mut store = Store::new(100);
        store.add(at(0), HASH, peer(1));
        store.add(at(0), HASH, peer(2));
        store.add(at(900), HASH, peer(2));
        store.expire(at(1799));
        assert_eq!(count(&store, HASH), 2);
        store.expire(at(1800));
        assert_eq!(count(&store, HASH), 1);
        store.expire(at(2700));
        assert!(store.swarms.is_empty() && store.expiry.is_empty() && store.by_address.is_empty());
    }

    #[test]
    fn the_bounds_hold_over_all_a_swarm_and_an_address() {
        let mut store = Store::new(1500);
        (0..3000).for_each(|n| store.add(at(n.into()), HASH, peer(n)));
        assert_eq!(count(&store, HASH), MAX_OF_SWARM);
        for n in 0..100 {
            store.add(at(3000), InfoHashV1([n; 20]), peer(9999));
        }
        assert_eq!(store.by_address[&peer(9999).ip()], MAX_OF_ADDRESS);
        (0..2000u32).for_each(|n| {
            store.add(
                at(3000),
                InfoHashV1(std::array::from_fn(|i| n.to_be_bytes()[i % 4])),
                peer(n),
            )
        });
        assert_eq!(store.expiry.len(), 1500);
    }

    #[test]
    fn families_are_kept_apart_and_no_more_is_given_than_asked_for() {
        let (mut store, mut rng) = (Store::new(100), ChaCha8Rng::from_seed([1; 32]));
        (0..20).for_each(|n| store.add(at(0), HASH, peer(n)));
        store.add(at(0), HASH, "[2606:4700::1]:1".parse().unwrap());
        assert_eq!(store.peers(HASH, Family::V6, 50, &mut rng).len(), 1);
        let some: BTreeSet<_> = store
            .peers(HASH, Family::V4, 7, &mut rng)
            .into_iter()
            .collect();
        assert_eq!(some.len(), 7);
        assert!(some.iter().all(SocketAddr::is_ipv4));
    }
}
