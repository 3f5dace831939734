//! Announces in progress, and those that wait for others to end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use super::announce::{AnnounceEvent, Ask};
use super::endpoint::Endpoint;
use super::io::QueryId;
use crate::discovery::dht::Family;
use crate::discovery::swarm::Key;

/// An announce in progress.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) key: Key,
    /// The index of the tracker in its torrent.
    pub(super) tracker: usize,
    /// The event; `None` for a scrape.
    pub(super) event: Option<AnnounceEvent>,
    pub(super) stage: Stage,
    /// Set for the repeated announce in the other address family (BEP 7): the peers that the first
    /// one returned.
    pub(super) other_family: Option<BTreeSet<SocketAddr>>,
    /// Whether it says that no data are missing.
    pub(super) complete: bool,
    /// Whether its tracker was silent for longer than [`super::Config::patience`], so that others
    /// are asked too.
    pub(super) overdue: bool,
}

impl Query {
    pub(super) const fn new(
        key: Key,
        tracker: usize,
        event: Option<AnnounceEvent>,
        stage: Stage,
    ) -> Self {
        Self {
            key,
            tracker,
            event,
            stage,
            other_family: None,
            complete: false,
            overdue: false,
        }
    }
}

/// What an announce waits for.
#[derive(Debug)]
pub(super) enum Stage {
    /// [`super::Request::HttpGet`].
    Http,
    /// [`super::Request::Resolve`], after which this request is sent.
    Lookup {
        ask: Ask,
        path: String,
        /// Where it is sent if a proxy resolves the name.
        by_name: Endpoint,
    },
    /// Datagrams from one of these endpoints.
    Udp(Vec<Endpoint>),
}

impl Stage {
    /// The family in which a UDP tracker that answered from `from` also has addresses.
    pub(super) fn other_family(&self, from: SocketAddr) -> Option<Family> {
        let Self::Udp(endpoints) = self else {
            return None;
        };
        let answered = Family::of(&from);
        let mut families = endpoints.iter().filter_map(|endpoint| match endpoint {
            Endpoint::Addr(addr) => Some(Family::of(addr)),
            Endpoint::Name { .. } => None,
        });
        families.find(|family| *family != answered)
    }
}

/// Classes of owners by the number of announces in progress; those without any come first.
const CLASSES: usize = 3;

/// The number of announces in progress, as a multiple of an owner's slots, above which its oldest
/// one is cancelled. There can be more than one per slot only if slots are freed after a fixed
/// time.
const UNDER_WAY_PER_PLACE: usize = 3;

/// An owner with this many announces is in the last class.
const MANY: usize = 4;

/// All announces in progress.
///
/// Free slots go to the owner that has waited longest, among those with the fewest announces. The
/// last quarter of the slots is reserved for owners with few announces, and the last eighth for
/// those without any. The first announce of an owner is therefore sent immediately, however many
/// other owners have trackers that hang.
#[derive(Debug)]
pub(super) struct Queries {
    limit: usize,
    limit_per_owner: usize,
    open: BTreeMap<QueryId, Query>,
    /// The announces that count against the limits. A UDP exchange with a silent tracker does not
    /// count, since it costs almost nothing.
    counted: BTreeSet<QueryId>,
    /// The owner whose slot each announce takes. If `timed`, a slot stays taken until
    /// [`Queries::free_place`].
    places: BTreeMap<QueryId, u64>,
    timed: bool,
    owners: BTreeMap<u64, Owner>,
    /// Owners that wait and have free slots of their own, by class and by the order in which they
    /// queued.
    ready: [BTreeMap<u64, u64>; CLASSES],
    lined_up: u64,
    next: u64,
}

/// The announces of a [`Key::owner`], in progress and waiting.
#[derive(Debug, Default)]
struct Owner {
    counted: usize,
    /// The number of slots in use, each by an announce in progress or by one that failed recently.
    places: usize,
    waiting: VecDeque<(Key, usize)>,
    /// Its class and number in [`Queries::ready`], if it is in there.
    ready: Option<(usize, u64)>,
}

impl Owner {
    const fn class(&self) -> usize {
        match self.counted {
            0 => 0,
            1..MANY => 1,
            _ => 2,
        }
    }
}

impl Queries {
    /// `timed`: slots are freed only by [`Queries::free_place`], instead of when an announce ends
    /// or no longer counts.
    pub(super) const fn new(limit: usize, limit_per_owner: usize, timed: bool) -> Self {
        let ready = [BTreeMap::new(), BTreeMap::new(), BTreeMap::new()];
        Self {
            limit,
            limit_per_owner,
            open: BTreeMap::new(),
            counted: BTreeSet::new(),
            places: BTreeMap::new(),
            timed,
            owners: BTreeMap::new(),
            ready,
            lined_up: 0,
            next: 0,
        }
    }

    /// Whether an announce of this owner may start now: it has a free slot, and no other owner
    /// precedes it.
    pub(super) fn admits(&self, owner: u64) -> bool {
        let (its_own, class) = self
            .owners
            .get(&owner)
            .map_or((0, 0), |owner| (owner.places, owner.class()));
        its_own < self.limit_per_owner
            && self.has_room(class)
            && self.ready[..=class].iter().all(BTreeMap::is_empty)
    }

    /// Whether there is a slot for owners of this class.
    fn has_room(&self, class: usize) -> bool {
        // If one owner may use most of the slots, none are reserved for others.
        let kept = if self.limit_per_owner * 4 > self.limit {
            0
        } else {
            self.limit * class / 8
        };
        self.counted.len() + kept < self.limit
    }

    pub(super) fn open(&mut self, query: Query) -> QueryId {
        let (id, owner) = (self.fresh_id(), query.key.owner);
        let entry = self.owners.entry(owner).or_default();
        entry.counted += 1;
        entry.places += 1;
        self.open.insert(id, query);
        self.counted.insert(id);
        self.places.insert(id, owner);
        self.line_up(owner);
        id
    }

    /// An id that was never used.
    pub(super) const fn fresh_id(&mut self) -> QueryId {
        let id = QueryId(self.next);
        self.next += 1;
        id
    }

    pub(super) fn get(&self, id: QueryId) -> Option<&Query> {
        self.open.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: QueryId) -> Option<&mut Query> {
        self.open.get_mut(&id)
    }

    /// The request that waits for this lookup, which has ended.
    pub(super) fn take_lookup(&mut self, id: QueryId) -> Option<(Ask, String, Endpoint)> {
        let query = self.get_mut(id)?;
        match std::mem::replace(&mut query.stage, Stage::Http) {
            Stage::Lookup { ask, path, by_name } => Some((ask, path, by_name)),
            stage => {
                query.stage = stage;
                None
            }
        }
    }

    pub(super) fn close(&mut self, id: QueryId) -> Option<Query> {
        self.discount(id);
        self.open.remove(&id)
    }

    /// Whether its tracker has not been silent for long.
    pub(super) fn is_counted(&self, id: QueryId) -> bool {
        self.counted.contains(&id)
    }

    /// Stops counting an announce, so that others may start.
    pub(super) fn discount(&mut self, id: QueryId) {
        let owner = self
            .open
            .get(&id)
            .map(|query| query.key.owner)
            .filter(|_| self.counted.remove(&id));
        if let Some((number, owner)) =
            owner.and_then(|number| Some((number, self.owners.get_mut(&number)?)))
        {
            owner.counted -= 1;
            if self.timed {
                self.line_up(number);
            } else {
                self.free_place(id);
            }
        }
    }

    /// Frees the slot of an announce for another one of the same owner.
    pub(super) fn free_place(&mut self, id: QueryId) {
        if let Some(number) = self.places.remove(&id) {
            if let Some(owner) = self.owners.get_mut(&number) {
                owner.places -= 1;
            }
            self.line_up(number);
        }
    }

    /// The oldest announce of this owner, if it has too many for its slots.
    pub(super) fn surplus(&self, owner: u64) -> Option<QueryId> {
        let most = self.limit_per_owner.saturating_mul(UNDER_WAY_PER_PLACE);
        let is_its = |id: &&QueryId| {
            let query = self.open.get(id);
            query.is_some_and(|query| query.key.owner == owner)
        };
        (self.owners.get(&owner)?.counted > most)
            .then(|| self.counted.iter().find(is_its).copied())?
    }

    pub(super) fn wait(&mut self, key: Key, tracker: usize) {
        self.owners
            .entry(key.owner)
            .or_default()
            .waiting
            .push_back((key, tracker));
        self.line_up(key.owner);
    }

    /// Removes a waiting announce.
    pub(super) fn forget_waiting(&mut self, key: Key, tracker: usize) {
        if let Some(owner) = self.owners.get_mut(&key.owner) {
            owner.waiting.retain(|waiting| *waiting != (key, tracker));
            self.line_up(key.owner);
        }
    }

    /// The next waiting announce, if there is a slot for it. Owners take turns, so that one with
    /// many torrents does not delay others.
    pub(super) fn pop_waiting(&mut self) -> Option<(Key, usize)> {
        let class =
            (0..CLASSES).find(|class| self.has_room(*class) && !self.ready[*class].is_empty())?;
        let (_, number) = self.ready[class].pop_first()?;
        let owner = self.owners.get_mut(&number)?;
        owner.ready = None;
        let next = owner.waiting.pop_front();
        self.line_up(number);
        next
    }

    /// Queues an owner if it waits and has free slots, and removes one without state.
    fn line_up(&mut self, number: u64) {
        let Some(owner) = self.owners.get_mut(&number) else {
            return;
        };
        let before = owner.ready.take();
        if let Some((class, at)) = before {
            self.ready[class].remove(&at);
        }
        if !owner.waiting.is_empty() && owner.places < self.limit_per_owner {
            // An owner that already waits keeps its position when its number of announces changes.
            let at = before.map_or(self.lined_up, |(_, at)| at);
            self.lined_up += u64::from(before.is_none());
            owner.ready = Some((owner.class(), at));
            self.ready[owner.class()].insert(at, number);
        } else if owner.waiting.is_empty() && owner.counted == 0 && owner.places == 0 {
            self.owners.remove(&number);
        }
    }
}
