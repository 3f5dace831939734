//! The swarms that are looked for: their members, their order, and when the next round of each is
//! due.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use super::config::Config;
use super::io::Family;
use super::queries::LookupId;
use super::search::{Member, Search};
use super::waits::{doubled, spread};
use crate::discovery::Key;
use crate::discovery::budget::LookupBudget;
use crate::discovery::timers::Timers;
use crate::io::DiscoverRequest;
use crate::types::{InfoHashV1, Instant};

/// All swarms that are looked for.
#[derive(Debug)]
pub(super) struct Searches {
    by_hash: BTreeMap<InfoHashV1, Search>,
    /// Swarms whose round waits for others to end.
    queue: VecDeque<InfoHashV1>,
    due: Timers<InfoHashV1>,
    budget: LookupBudget,
    /// The maximum number of simultaneous rounds.
    max_rounds: usize,
    min_interval: Duration,
    interval: Duration,
    retry: Duration,
    rng: ChaCha8Rng,
}

impl Searches {
    /// No swarms. `rng` spreads rounds over time.
    pub(super) fn new(config: &Config, rng: ChaCha8Rng) -> Self {
        Self {
            by_hash: BTreeMap::new(),
            queue: VecDeque::new(),
            due: Timers::default(),
            budget: LookupBudget::new(config.lookups),
            max_rounds: config.max_searches.max(1),
            min_interval: config.min_interval,
            interval: config.interval,
            retry: config.retry,
            rng,
        }
    }

    /// Adds a member that listens at `port`.
    pub(super) fn add(&mut self, key: Key, port: u16) {
        let search = self.by_hash.entry(key.info_hash).or_default();
        let active = false;
        search.members.insert(key.owner, Member { port, active });
    }

    /// Changes the port of a member.
    pub(super) fn set_port(&mut self, now: Instant, key: Key, port: u16) {
        let search = self.by_hash.get_mut(&key.info_hash);
        let Some(member) = search.and_then(|search| search.members.get_mut(&key.owner)) else {
            return;
        };
        member.port = port;
        if member.active {
            self.hasten(now, key.info_hash);
        }
    }

    /// Removes a member. Returns lookups that are no longer needed.
    pub(super) fn remove(&mut self, now: Instant, key: Key) -> Vec<LookupId> {
        let Some(search) = self.by_hash.get_mut(&key.info_hash) else {
            return Vec::new();
        };
        search.members.remove(&key.owner);
        let empty = search.members.is_empty();
        let abandoned = self.pause_unless_wanted(now, key.info_hash);
        if empty {
            self.by_hash.remove(&key.info_hash);
        }
        abandoned
    }

    /// Starts a member. Returns peers that were found for others in this round.
    pub(super) fn start(&mut self, now: Instant, key: Key) -> Option<Vec<SocketAddr>> {
        let search = self.by_hash.get_mut(&key.info_hash)?;
        search.members.get_mut(&key.owner)?.active = true;
        let found = search.found();
        self.hasten(now, key.info_hash);
        found
    }

    /// Handles a member's request for more peers, or its stop. Returns lookups that are no longer
    /// needed.
    pub(super) fn request(
        &mut self,
        now: Instant,
        key: Key,
        request: DiscoverRequest,
    ) -> Vec<LookupId> {
        let search = self.by_hash.get_mut(&key.info_hash);
        let member = search.and_then(|search| search.members.get_mut(&key.owner));
        let Some(member) = member else {
            return Vec::new();
        };
        match request {
            DiscoverRequest::More if member.active => self.hasten(now, key.info_hash),
            DiscoverRequest::Stop => {
                member.active = false;
                return self.pause_unless_wanted(now, key.info_hash);
            }
            DiscoverRequest::Start | DiscoverRequest::More | DiscoverRequest::Completed => {}
        }
        Vec::new()
    }

    /// Schedules a round of every swarm now, since those during an outage of the network found
    /// nobody.
    pub(super) fn handle_network_return(&mut self, now: Instant) {
        for search in self.by_hash.values_mut() {
            search.last = None;
        }
        let active = self.by_hash.iter();
        let active = active.filter(|(_, search)| search.is_active());
        let active: Vec<InfoHashV1> = active.map(|(hash, _)| *hash).collect();
        for hash in active {
            self.hasten(now, hash);
        }
    }

    /// Schedules a round as soon as the interval permits.
    fn hasten(&mut self, now: Instant, hash: InfoHashV1) {
        let waits =
            |search: &&Search| search.is_under_way() || search.queued || search.paid.is_some();
        let Some(search) = self.by_hash.get(&hash).filter(|search| !waits(search)) else {
            return;
        };
        let earliest = search
            .last
            .map_or(now, |last| now.max(last + self.min_interval));
        if self.due.at(hash).is_none_or(|planned| planned > earliest) {
            self.due.set(hash, earliest);
        }
    }

    fn pause_unless_wanted(&mut self, now: Instant, hash: InfoHashV1) -> Vec<LookupId> {
        let search = self.by_hash.get_mut(&hash);
        let Some(search) = search.filter(|search| !search.is_active()) else {
            return Vec::new();
        };
        search.queued = false;
        if let Some(payer) = search.paid.take() {
            self.budget.refund(payer, now);
        }
        self.due.clear(hash);
        std::mem::take(&mut search.lookups)
    }

    /// When a round is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due.next().map(|(at, _)| at)
    }

    /// Takes one swarm that is due. `Some(None)`: its round waits for its budget or for others to
    /// end.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Option<InfoHashV1>> {
        let hash = self.due.pop(now)?;
        Some(self.begin(now, hash).then_some(hash))
    }

    /// Takes one swarm that waited for others to end, if there is room.
    pub(super) fn admit(&mut self, now: Instant) -> Option<InfoHashV1> {
        while !self.is_full() {
            let hash = self.queue.pop_front()?;
            if let Some(search) = self.by_hash.get_mut(&hash) {
                search.queued = false;
            }
            if self.begin(now, hash) {
                return Some(hash);
            }
        }
        None
    }

    /// Starts a round, or queues it. Returns whether it starts.
    pub(super) fn begin(&mut self, now: Instant, hash: InfoHashV1) -> bool {
        let full = self.is_full();
        let search = self.by_hash.get_mut(&hash);
        let Some(search) =
            search.filter(|search| search.is_active() && !search.is_under_way() && !search.queued)
        else {
            return false;
        };
        let at = search.pay(now, &mut self.budget);
        if at > now {
            self.due.set(hash, at);
            return false;
        }
        if full {
            search.queued = true;
            self.queue.push_back(hash);
            return false;
        }
        search.begin(now);
        self.due.clear(hash);
        true
    }

    /// Records the lookups that were started for a swarm.
    pub(super) fn note_lookups(&mut self, hash: InfoHashV1, lookups: &[LookupId]) {
        if let Some(search) = self.by_hash.get_mut(&hash) {
            search.lookups.extend(lookups);
        }
    }

    /// Takes the swarms whose lookup in this family could not start for lack of contacts.
    pub(super) fn take_starved(&mut self, family: Family) -> Vec<InfoHashV1> {
        let starved = |(hash, search): (&InfoHashV1, &mut Search)| {
            let starved = search.is_active() && !search.queued && search.starved.remove(&family);
            starved.then_some(*hash)
        };
        self.by_hash.iter_mut().filter_map(starved).collect()
    }

    /// Whether a round of a swarm is running, or may start.
    pub(super) fn may_go_on(&self, hash: InfoHashV1) -> bool {
        let under_way = self.by_hash.get(&hash).is_some_and(Search::is_under_way);
        under_way || !self.is_full()
    }

    fn is_full(&self) -> bool {
        let rounds = self.by_hash.values().filter(|search| search.is_under_way());
        rounds.count() >= self.max_rounds
    }

    /// Whether any member wants peers of a swarm.
    pub(super) fn is_wanted(&self, hash: InfoHashV1) -> bool {
        self.by_hash.get(&hash).is_some_and(Search::is_active)
    }

    /// Adds peers. Returns those that are new in this round, and the members that receive them.
    pub(super) fn add_peers(
        &mut self,
        hash: InfoHashV1,
        peers: impl Iterator<Item = SocketAddr>,
    ) -> Option<(Vec<Key>, Vec<SocketAddr>)> {
        let search = self.by_hash.get_mut(&hash)?;
        let addrs = search.add(peers);
        let keys = search.listeners().map(|owner| key(hash, owner)).collect();
        (!addrs.is_empty()).then_some((keys, addrs))
    }

    /// The listening ports of the members of a swarm.
    pub(super) fn ports(&self, hash: InfoHashV1) -> Vec<u16> {
        let search = self.by_hash.get(&hash);
        search
            .map(|search| search.ports().into_iter().collect())
            .unwrap_or_default()
    }

    /// The first member that wants peers of a swarm.
    pub(super) fn first_listener(&self, hash: InfoHashV1) -> Option<Key> {
        let owner = self.by_hash.get(&hash)?.listeners().next()?;
        Some(key(hash, owner))
    }

    /// All members of a swarm.
    pub(super) fn members(&self, hash: InfoHashV1) -> Vec<Key> {
        let search = self.by_hash.get(&hash).into_iter();
        search
            .flat_map(|search| search.members.keys())
            .map(|owner| key(hash, *owner))
            .collect()
    }

    /// The number of peers known for a member, and whether a lookup is running; `None` if there is
    /// no such member.
    pub(super) fn counts(&self, key: Key) -> Option<(usize, bool)> {
        let search = self.by_hash.get(&key.info_hash)?;
        search.members.get(&key.owner)?;
        Some((search.peers(), search.is_under_way()))
    }

    /// Ends a lookup. `answered`: whether any node could be queried. Returns whether it was the
    /// last one of the round; if so, the next round is scheduled.
    pub(super) fn finish_lookup(
        &mut self,
        now: Instant,
        hash: InfoHashV1,
        id: LookupId,
        family: Family,
        answered: bool,
    ) -> bool {
        let Some(search) = self.by_hash.get_mut(&hash) else {
            return false;
        };
        search.lookups.retain(|other| *other != id);
        if !answered {
            search.starved.insert(family);
        }
        if search.is_under_way() {
            return false;
        }
        let wait = match search.end() {
            0 => self.interval,
            barren => doubled(self.retry, barren, self.interval),
        };
        self.due.set(hash, now + spread(wait, &mut self.rng));
        true
    }
}

const fn key(info_hash: InfoHashV1, owner: u64) -> Key {
    Key { info_hash, owner }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000)
    }

    fn hash(n: u8) -> InfoHashV1 {
        InfoHashV1([n; 20])
    }

    fn searches(config: &Config, members: u8) -> Searches {
        let mut searches = Searches::new(config, ChaCha8Rng::from_seed([3; 32]));
        for n in 0..members {
            searches.add(key(hash(n), 0), 7);
            searches.start(at(0), key(hash(n), 0));
        }
        searches
    }

    /// Starts every round that may start. Returns their swarms.
    fn begin_all(searches: &mut Searches, now: Instant) -> Vec<InfoHashV1> {
        let mut begun = Vec::new();
        loop {
            let next = match searches.take_due(now) {
                Some(next) => next,
                None => match searches.admit(now) {
                    Some(hash) => Some(hash),
                    None => return begun,
                },
            };
            if let Some(hash) = next {
                searches.note_lookups(hash, &[begun.len() as LookupId]);
                begun.push(hash);
            }
        }
    }

    #[test]
    fn rounds_beyond_the_limit_begin_in_order_as_others_end() {
        let config = Config {
            max_searches: 2,
            ..Config::default()
        };
        let mut searches = searches(&config, 4);
        assert_eq!(begin_all(&mut searches, at(0)), [hash(0), hash(1)]);
        assert!(searches.finish_lookup(at(1), hash(1), 1, Family::V4, true));
        assert_eq!(begin_all(&mut searches, at(1)), [hash(2)]);
        assert_eq!(searches.remove(at(1), key(hash(0), 0)), [0]);
        assert_eq!(begin_all(&mut searches, at(1)), [hash(3)]);
    }

    #[test]
    fn who_stops_before_its_turn_gives_its_lookup_back() {
        let config = Config {
            lookups: Some((1, Duration::from_secs(10))),
            ..Config::default()
        };
        let mut searches = searches(&config, 2);
        assert_eq!(begin_all(&mut searches, at(0)), [hash(0)]);
        assert_eq!(searches.poll_timeout(), Some(at(10)), "the budget is spent");
        searches.request(at(1), key(hash(1), 0), DiscoverRequest::Stop);
        searches.start(at(2), key(hash(1), 0));
        assert_eq!(begin_all(&mut searches, at(10)), [hash(1)]);
    }

    #[test]
    fn a_round_that_finds_nobody_is_repeated_soon_and_then_ever_more_rarely() {
        let mut searches = searches(&Config::default(), 1);
        let mut waits = Vec::new();
        let mut now = at(0);
        for _ in 0..3 {
            assert_eq!(begin_all(&mut searches, now), [hash(0)]);
            searches.finish_lookup(now, hash(0), 0, Family::V4, true);
            let next = searches.poll_timeout().unwrap();
            waits.push(next.since(now).as_secs());
            now = next;
        }
        assert!(waits[0] < 23 && waits[1] > 35 && waits[2] > 71, "{waits:?}");
    }
}
