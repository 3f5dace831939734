//! All swarms: looked up by info-hash, and visited in turn.

use std::net::{IpAddr, SocketAddr};

use hashbrown::HashTable;

use super::creators::{Creator, Creators};
use super::entropy::Entropy;
use super::peers::{Change, PeerTable};
use super::request::Counts;
use crate::net::compact;
use crate::types::InfoHashV1;

/// The number of swarms that are examined to find one that can be replaced. If a flood fills the
/// tracker, one of its swarms is almost certainly among them.
const LOOKS: usize = 16;

/// A swarm.
#[derive(Debug)]
pub(super) struct ListedSwarm {
    info_hash: InfoHashV1,
    creator: Creator,
    v4: PeerTable<6>,
    /// Boxed, since most swarms have no IPv6 peers.
    v6: Option<Box<PeerTable<18>>>,
    pub(super) downloads: u32,
}

impl ListedSwarm {
    fn new(info_hash: InfoHashV1, creator: Creator) -> Self {
        Self {
            info_hash,
            creator,
            v4: PeerTable::default(),
            v6: None,
            downloads: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.v4.len() + self.v6.as_ref().map_or(0, |v6| v6.len())
    }

    /// The number of peers of the same address family as `ip`.
    pub(super) fn len_of(&self, ip: IpAddr) -> usize {
        if ip.is_ipv4() {
            self.v4.len()
        } else {
            self.len() - self.v4.len()
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let seeders = self.v4.seeds() + self.v6.as_ref().map_or(0, |v6| v6.seeds());
        let count = |peers| u32::try_from(peers).unwrap_or(u32::MAX);
        Counts {
            seeders: count(seeders),
            leechers: count(self.len() - seeders),
            downloads: self.downloads,
        }
    }

    pub(super) fn contains(&self, addr: SocketAddr, entropy: &Entropy) -> bool {
        match addr.ip() {
            IpAddr::V4(ip) => self
                .v4
                .position(&compact::of(ip.octets(), addr.port()), entropy)
                .is_some(),
            IpAddr::V6(ip) => self.v6.as_ref().is_some_and(|v6| {
                v6.position(&compact::of(ip.octets(), addr.port()), entropy)
                    .is_some()
            }),
        }
    }

    pub(super) fn put(
        &mut self,
        addr: SocketAddr,
        seed: bool,
        now: u32,
        entropy: &mut Entropy,
    ) -> Change {
        match addr.ip() {
            IpAddr::V4(ip) => {
                self.v4
                    .put(compact::of(ip.octets(), addr.port()), seed, now, entropy)
            }
            IpAddr::V6(ip) => self.v6.get_or_insert_default().put(
                compact::of(ip.octets(), addr.port()),
                seed,
                now,
                entropy,
            ),
        }
    }

    pub(super) fn remove(&mut self, addr: SocketAddr, entropy: &Entropy) -> bool {
        match addr.ip() {
            IpAddr::V4(ip) => self
                .v4
                .remove(&compact::of(ip.octets(), addr.port()), entropy),
            IpAddr::V6(ip) => self
                .v6
                .as_mut()
                .is_some_and(|v6| v6.remove(&compact::of(ip.octets(), addr.port()), entropy)),
        }
    }

    /// Up to `want` compact peers of the same address family as `addr`, which is excluded.
    pub(super) fn sample(
        &self,
        addr: SocketAddr,
        for_seed: bool,
        want: usize,
        entropy: &mut Entropy,
        out: &mut Vec<u8>,
    ) {
        match addr.ip() {
            IpAddr::V4(ip) => {
                let asker = self
                    .v4
                    .position(&compact::of(ip.octets(), addr.port()), entropy);
                self.v4.sample(asker, for_seed, want, entropy, out);
            }
            IpAddr::V6(ip) => {
                let Some(v6) = &self.v6 else { return };
                let asker = v6.position(&compact::of(ip.octets(), addr.port()), entropy);
                v6.sample(asker, for_seed, want, entropy, out);
            }
        }
    }

    fn expire(&mut self, limit: u32, entropy: &Entropy) -> usize {
        let gone = self.v4.expire(limit, entropy)
            + self.v6.as_mut().map_or(0, |v6| v6.expire(limit, entropy));
        self.v6.take_if(|v6| v6.len() == 0);
        gone
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Swarms {
    list: Vec<ListedSwarm>,
    /// The position of each swarm in `list`.
    index: HashTable<u32>,
    /// The position that [`Swarms::expire`] visits next.
    cursor: usize,
    creators: Creators,
}

impl Swarms {
    pub(super) const fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn get(&self, info_hash: &InfoHashV1, entropy: &Entropy) -> Option<&ListedSwarm> {
        self.position(info_hash, entropy).map(|at| &self.list[at])
    }

    pub(super) fn get_mut(
        &mut self,
        info_hash: &InfoHashV1,
        entropy: &Entropy,
    ) -> Option<&mut ListedSwarm> {
        self.position(info_hash, entropy)
            .map(|at| &mut self.list[at])
    }

    /// Finds a swarm, or creates it if there are fewer than `limit`.
    pub(super) fn get_or_insert(
        &mut self,
        info_hash: &InfoHashV1,
        creator: Creator,
        limit: usize,
        entropy: &Entropy,
    ) -> Option<&mut ListedSwarm> {
        let at = match self.position(info_hash, entropy) {
            Some(at) => at,
            None if self.list.len() < limit => self.push(info_hash, creator, entropy),
            None => return None,
        };
        self.list.get_mut(at)
    }

    /// Removes a swarm whose creator has more of them than `creator` would have with a new one.
    /// Returns the number of removed peers; `None` if no such swarm was found among a random few.
    /// Swarms with many peers are less likely to be removed, whoever created them.
    pub(super) fn make_room(&mut self, creator: Creator, entropy: &mut Entropy) -> Option<usize> {
        let weight = |swarm: &ListedSwarm| {
            u64::from(self.creators.count(swarm.creator)) / swarm.len().max(1) as u64
        };
        let looked_at = (0..LOOKS.min(self.list.len())).map(|_| entropy.below(self.list.len()));
        let (heaviest, at) = looked_at
            .filter_map(|at| Some((weight(self.list.get(at)?), at)))
            .max()?;
        let peers = self.list.get(at)?.len();
        (heaviest > u64::from(self.creators.count(creator)) + 1)
            .then(|| self.remove_at(at, entropy))
            .map(|()| peers)
    }

    fn position(&self, info_hash: &InfoHashV1, entropy: &Entropy) -> Option<usize> {
        self.index
            .find(entropy.hash(&info_hash.0), |at| {
                self.list[*at as usize].info_hash == *info_hash
            })
            .map(|at| *at as usize)
    }

    fn push(&mut self, info_hash: &InfoHashV1, creator: Creator, entropy: &Entropy) -> usize {
        let at = self.list.len();
        self.creators.add(creator);
        self.list.push(ListedSwarm::new(*info_hash, creator));
        let list = &self.list;
        self.index
            .insert_unique(entropy.hash(&info_hash.0), number(at), |at| {
                entropy.hash(&list[*at as usize].info_hash.0)
            });
        at
    }

    /// Visits the next `visits` swarms and removes peers last seen before `limit`, and empty
    /// swarms. Returns the number of removed peers.
    pub(super) fn expire(&mut self, visits: usize, limit: u32, entropy: &Entropy) -> usize {
        let mut gone = 0;
        for _ in 0..visits.min(self.list.len()) {
            // In descending order, so that the swarm which takes a removed one's position has been
            // visited already.
            self.cursor = self
                .cursor
                .min(self.list.len())
                .checked_sub(1)
                .unwrap_or(self.list.len() - 1);
            let swarm = &mut self.list[self.cursor];
            gone += swarm.expire(limit, entropy);
            if swarm.len() == 0 {
                self.remove_at(self.cursor, entropy);
            }
            if self.list.is_empty() {
                break;
            }
        }
        gone
    }

    fn remove_at(&mut self, at: usize, entropy: &Entropy) {
        let last = self.list.len() - 1;
        let bucket = |swarms: &Self, at: usize| {
            let number = number(at);
            swarms
                .index
                .find_bucket_index(entropy.hash(&swarms.list[at].info_hash.0), |other| {
                    *other == number
                })
        };
        let (gone, moved) = (bucket(self, at), bucket(self, last));
        if let Some(place) = moved.and_then(|bucket| self.index.get_bucket_mut(bucket)) {
            *place = number(at);
        }
        if let Some(entry) = gone.and_then(|bucket| self.index.get_bucket_entry(bucket).ok()) {
            entry.remove();
        }
        let swarm = self.list.swap_remove(at);
        self.creators.remove(swarm.creator);
    }
}

/// Converts a position. There are always fewer than 2³² swarms.
fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
