//! Announces under way, and those that wait because too many are.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use super::announce::{AnnounceEvent, Ask};
use super::io::QueryId;
use crate::discovery::swarm::Key;

/// One announce under way.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) key: Key,
    /// Index of the tracker in its torrent.
    pub(super) tracker: usize,
    /// Nothing for a scrape.
    pub(super) event: Option<AnnounceEvent>,
    pub(super) stage: Stage,
    /// The same announce in the other address family (BEP 7); holds the peers that the first one
    /// brought.
    pub(super) other_family: Option<BTreeSet<SocketAddr>>,
    /// It says that nothing is missing.
    pub(super) complete: bool,
    /// Its tracker was silent for longer than [`super::Config::patience`]: others are asked beside
    /// it.
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

/// What it waits for.
#[derive(Debug)]
pub(super) enum Stage {
    /// [`super::Output::HttpGet`].
    Http,
    /// [`super::Output::Resolve`]; then this is asked.
    Lookup { ask: Ask, path: String },
    /// Datagrams from one of these addresses.
    Udp(Vec<SocketAddr>),
}

/// Owners by what they have under way: those without anything come first.
const CLASSES: usize = 3;

/// Announces under way, in multiples of an owner's places, beyond which its oldest is given up.
/// Only where places are freed by time can there be more than one per place.
const UNDER_WAY_PER_PLACE: usize = 3;

/// An owner with so many has more than a few.
const MANY: usize = 4;

/// All announces under way.
///
/// Places that become free go to whoever has waited longest, among the owners that have least. The
/// last quarter of the places is for owners with a few announces, and the last eighth for those
/// without any: however many owners have trackers that hang, somebody else's first one is asked at
/// once.
#[derive(Debug)]
pub(super) struct Queries {
    limit: usize,
    limit_per_owner: usize,
    open: BTreeMap<QueryId, Query>,
    /// Those that count against the limits: an exchange over UDP that goes on in silence costs next
    /// to nothing.
    counted: BTreeSet<QueryId>,
    /// Whose place each takes up. If `timed`, a place stays taken until [`Queries::free_place`].
    places: BTreeMap<QueryId, u64>,
    timed: bool,
    owners: BTreeMap<u64, Owner>,
    /// Owners that wait and have room of their own, by class and by when they lined up.
    ready: [BTreeMap<u64, u64>; CLASSES],
    lined_up: u64,
    next: u64,
}

/// What one [`Key::owner`] has under way, and waits for.
#[derive(Debug, Default)]
struct Owner {
    counted: usize,
    /// Places taken up, each by an announce under way or by one that failed a moment ago.
    places: usize,
    waiting: VecDeque<(Key, usize)>,
    /// Its class and number in [`Queries::ready`], if it is there.
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
    /// `timed`: places are freed by [`Queries::free_place`] alone, instead of when an announce ends
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

    /// Whether one more of this owner may begin now: it has room, and nobody goes before it.
    pub(super) fn admits(&self, owner: u64) -> bool {
        let (its_own, class) = self
            .owners
            .get(&owner)
            .map_or((0, 0), |owner| (owner.places, owner.class()));
        its_own < self.limit_per_owner
            && self.has_room(class)
            && self.ready[..=class].iter().all(BTreeMap::is_empty)
    }

    /// Whether there is a place for owners of this class.
    fn has_room(&self, class: usize) -> bool {
        // Where one owner may have most of the places there are none to be kept for others.
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

    pub(super) fn close(&mut self, id: QueryId) -> Option<Query> {
        self.discount(id);
        self.open.remove(&id)
    }

    /// Whether its tracker has not been silent for long.
    pub(super) fn is_counted(&self, id: QueryId) -> bool {
        self.counted.contains(&id)
    }

    /// Lets others go on beside it.
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

    /// Lets another announce of the same owner have the place of this one.
    pub(super) fn free_place(&mut self, id: QueryId) {
        if let Some(number) = self.places.remove(&id) {
            if let Some(owner) = self.owners.get_mut(&number) {
                owner.places -= 1;
            }
            self.line_up(number);
        }
    }

    /// The oldest announce of this owner, if it has too many under way for its places.
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

    /// Has a tracker wait no longer.
    pub(super) fn forget_waiting(&mut self, key: Key, tracker: usize) {
        if let Some(owner) = self.owners.get_mut(&key.owner) {
            owner.waiting.retain(|waiting| *waiting != (key, tracker));
            self.line_up(key.owner);
        }
    }

    /// The next that waits, if there is room for it. Owners take turns, so that one with many
    /// torrents holds up nobody.
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

    /// Has an owner wait for its turn if it waits and has room of its own, and forgets one of whom
    /// there is nothing to know.
    fn line_up(&mut self, number: u64) {
        let Some(owner) = self.owners.get_mut(&number) else {
            return;
        };
        let before = owner.ready.take();
        if let Some((class, at)) = before {
            self.ready[class].remove(&at);
        }
        if !owner.waiting.is_empty() && owner.places < self.limit_per_owner {
            // Whoever waits already does not wait anew because it has more or less than before.
            let at = before.map_or(self.lined_up, |(_, at)| at);
            self.lined_up += u64::from(before.is_none());
            owner.ready = Some((owner.class(), at));
            self.ready[owner.class()].insert(at, number);
        } else if owner.waiting.is_empty() && owner.counted == 0 && owner.places == 0 {
            self.owners.remove(&number);
        }
    }
}
