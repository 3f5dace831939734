//! Looking for swarms, and announcing ourselves to the nodes that keep them.

use std::net::SocketAddr;

use super::io::{Effort, Family, Output};
use super::krpc::Method;
use super::lookup::{Goal, Lookup};
use super::machine::{Dht, Wake};
use super::queries::{LookupId, Purpose};
use super::search::{Member, Search};
use super::upkeep::doubled;
use crate::discovery::Key;
use crate::io::DiscoverRequest;
use crate::net::disclosure::may_name;
use crate::net::is_usable;
use crate::types::{InfoHashV1, Instant};

impl Dht {
    /// Takes a member in. Nobody is asked before [`DiscoverRequest::Start`]. `port`: where it
    /// listens for peers; 0: it is not announced. Torrents that are private (BEP 27) must never be
    /// added.
    pub fn add(&mut self, key: Key, port: u16) {
        let search = self.searches.entry(key.info_hash).or_default();
        search.members.insert(
            key.owner,
            Member {
                port,
                active: false,
            },
        );
    }

    /// Forgets a member, and what is being asked for nobody else: it turned out to be private, or
    /// left.
    pub fn remove(&mut self, now: Instant, key: Key) {
        let Some(search) = self.searches.get_mut(&key.info_hash) else {
            return;
        };
        search.members.remove(&key.owner);
        let empty = search.members.is_empty();
        self.pause_unless_wanted(now, key.info_hash);
        if empty {
            self.searches.remove(&key.info_hash);
        }
        self.turn(now);
    }

    /// Carries out a wish of the engine. Unknown keys are ignored. More peers are looked for once
    /// every [`super::Config::min_interval`] at most, and within [`super::Config::lookups`].
    pub fn request(&mut self, now: Instant, key: Key, request: DiscoverRequest) {
        let Some(search) = self.searches.get_mut(&key.info_hash) else {
            return;
        };
        let Some(member) = search.members.get_mut(&key.owner) else {
            return;
        };
        match request {
            DiscoverRequest::Start => {
                member.active = true;
                self.outputs
                    .extend(search.found().map(|addrs| Output::Peers { key, addrs }));
                self.hasten(now, key.info_hash);
            }
            DiscoverRequest::More if member.active => self.hasten(now, key.info_hash),
            DiscoverRequest::Stop => {
                member.active = false;
                self.pause_unless_wanted(now, key.info_hash);
            }
            DiscoverRequest::More | DiscoverRequest::Completed => {}
        }
        self.turn(now);
    }

    /// A round as soon as the interval allows.
    fn hasten(&mut self, now: Instant, hash: InfoHashV1) {
        let waits =
            |search: &&Search| search.is_under_way() || search.queued || search.paid.is_some();
        let Some(search) = self.searches.get(&hash).filter(|search| !waits(search)) else {
            return;
        };
        let earliest = search
            .last
            .map_or(now, |last| now.max(last + self.config.min_interval));
        if self
            .timers
            .at(Wake::Search(hash))
            .is_none_or(|planned| planned > earliest)
        {
            self.timers.set(Wake::Search(hash), earliest);
        }
    }

    fn pause_unless_wanted(&mut self, now: Instant, hash: InfoHashV1) {
        let Some(search) = self
            .searches
            .get_mut(&hash)
            .filter(|search| !search.is_active())
        else {
            return;
        };
        search.queued = false;
        search
            .paid
            .take()
            .into_iter()
            .for_each(|payer| self.budget.refund(payer, now));
        let lookups = std::mem::take(&mut search.lookups);
        lookups.iter().for_each(|id| drop(self.lookups.remove(id)));
        self.timers.clear(Wake::Search(hash));
    }

    /// A round begins, or waits for its turn.
    pub(super) fn begin(&mut self, now: Instant, hash: InfoHashV1) {
        let full = self.is_full();
        let Some(search) = self
            .searches
            .get_mut(&hash)
            .filter(|search| search.is_active() && !search.is_under_way() && !search.queued)
        else {
            return;
        };
        let at = search.pay(now, &mut self.budget);
        if at > now {
            self.timers.set(Wake::Search(hash), at);
            return;
        }
        if full {
            search.queued = true;
            self.queue.push_back(hash);
            return;
        }
        search.begin(now);
        self.timers.clear(Wake::Search(hash));
        self.use_own_store(hash);
        self.begin_in(now, hash, &Family::ALL);
    }

    /// The part of a round that looks in some families.
    fn begin_in(&mut self, now: Instant, hash: InfoHashV1, families: &[Family]) {
        let lookups: Vec<LookupId> = families
            .iter()
            .filter_map(|family| self.look(*family, hash.into(), Goal::Peers(hash)))
            .collect();
        if let Some(search) = self.searches.get_mut(&hash) {
            search.lookups.extend(&lookups);
        }
        self.tell(hash);
        lookups.into_iter().for_each(|id| self.drive(now, id));
    }

    /// Somebody is there to be asked now: what was begun when there was nobody is made up for in
    /// this family.
    pub(super) fn feed_starved(&mut self, now: Instant, family: Family) {
        let fed = |(hash, search): (&InfoHashV1, &mut Search)| {
            let starved = search.is_active() && !search.queued && search.starved.remove(&family);
            starved.then(|| (*hash, search.is_under_way()))
        };
        let starved: Vec<(InfoHashV1, bool)> = self.searches.iter_mut().filter_map(fed).collect();
        for (hash, under_way) in starved {
            if under_way || !self.is_full() {
                self.begin_in(now, hash, &[family])
            } else {
                self.begin(now, hash)
            }
        }
    }

    /// Those that waited take the places of those that ended.
    pub(super) fn admit(&mut self, now: Instant) {
        while !self.queue.is_empty() && !self.is_full() {
            let Some(hash) = self.queue.pop_front() else {
                return;
            };
            self.searches
                .get_mut(&hash)
                .into_iter()
                .for_each(|search| search.queued = false);
            self.begin(now, hash);
        }
    }

    fn is_full(&self) -> bool {
        self.searches
            .values()
            .filter(|search| search.is_under_way())
            .count()
            >= self.config.max_searches.max(1)
    }

    /// A node names peers.
    pub(super) fn found(&mut self, hash: InfoHashV1, from: SocketAddr, peers: &[SocketAddr]) {
        let Some(search) = self.searches.get_mut(&hash).filter(|_| !peers.is_empty()) else {
            return;
        };
        let (ports, homes) = (search.ports(), &self.homes);
        let sees_us = |peer: &SocketAddr| {
            ports.contains(&peer.port())
                && homes.iter().any(|(_, home)| home.votes.contains(peer.ip()))
        };
        let allowed =
            |peer: &SocketAddr| is_usable(*peer) && may_name(from.into(), *peer) && !sees_us(peer);
        let addrs = search.add(peers.iter().copied().filter(allowed));
        if addrs.is_empty() {
            return;
        }
        let listeners: Vec<u64> = search.listeners().collect();
        let tell = |owner| Output::Peers {
            key: Key {
                info_hash: hash,
                owner,
            },
            addrs: addrs.clone(),
        };
        self.outputs.extend(listeners.into_iter().map(tell));
        self.tell(hash);
    }

    /// One family's lookup is over: its closest nodes are told of us.
    pub(super) fn searched(
        &mut self,
        now: Instant,
        hash: InfoHashV1,
        id: LookupId,
        lookup: &Lookup,
    ) {
        let Some(search) = self.searches.get_mut(&hash) else {
            return;
        };
        search.lookups.retain(|other| *other != id);
        if lookup.effort.answers == 0 {
            search.starved.insert(lookup.family);
        }
        let (ports, owner) = (search.ports(), search.listeners().next());
        let stores = lookup.stores();
        for (port, (store, token)) in ports
            .iter()
            .flat_map(|port| stores.iter().map(move |store| (*port, store)))
        {
            let method = Method::Announce {
                info_hash: hash,
                port: Some(port),
                token,
            };
            self.ask(now, (store.addr, Some(store.id)), Purpose::Announce, method);
        }
        let announced = if ports.is_empty() {
            0
        } else {
            u32::try_from(stores.len()).unwrap_or(u32::MAX)
        };
        let effort = Effort {
            hops: lookup.hops(),
            announced,
            ..lookup.effort
        };
        self.outputs.extend(owner.map(|owner| Output::Looked {
            key: Key {
                info_hash: hash,
                owner,
            },
            effort,
        }));
        self.conclude(now, hash);
    }

    /// If the round is over: when the next one is due.
    fn conclude(&mut self, now: Instant, hash: InfoHashV1) {
        let Some(search) = self
            .searches
            .get_mut(&hash)
            .filter(|search| !search.is_under_way())
        else {
            return;
        };
        let wait = match search.end() {
            0 => self.config.interval,
            barren => doubled(self.config.retry, barren, self.config.interval),
        };
        let wait = self.jitter(wait);
        self.timers.set(Wake::Search(hash), now + wait);
        self.tell(hash);
    }

    /// Numbers of a swarm changed.
    fn tell(&mut self, hash: InfoHashV1) {
        let Some(search) = self.searches.get(&hash) else {
            return;
        };
        let changed = search.members.keys().map(|owner| {
            Output::Changed(Key {
                info_hash: hash,
                owner: *owner,
            })
        });
        self.outputs.extend(changed);
    }
}
