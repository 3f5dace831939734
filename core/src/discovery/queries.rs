//! Announces under way, and those that wait because too many are.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::io::{Key, QueryId};
use super::tracker::{AnnounceEvent, Ask};
use crate::types::PeerAddr;

/// One announce under way.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) key: Key,
    /// Index of the tracker in its torrent.
    pub(super) tracker: usize,
    /// Nothing for a scrape.
    pub(super) event: Option<AnnounceEvent>,
    pub(super) stage: Stage,
    /// The same announce in the other address family (BEP 7); holds the peers that the first one brought.
    pub(super) second: Option<BTreeSet<PeerAddr>>,
    /// It says that nothing is missing.
    pub(super) complete: bool,
    /// Its tracker was silent for longer than [`super::Config::patience`]: others are asked beside it.
    pub(super) overdue: bool,
}

impl Query {
    pub(super) const fn new(key: Key, tracker: usize, event: Option<AnnounceEvent>, stage: Stage) -> Self {
        Self { key, tracker, event, stage, second: None, complete: false, overdue: false }
    }
}

/// What it waits for.
#[derive(Debug)]
pub(super) enum Stage {
    /// [`super::Output::HttpGet`].
    Http,
    /// [`super::Output::Resolve`]; then this is asked.
    Lookup(Ask),
    /// Datagrams.
    Udp,
}

/// All announces under way.
#[derive(Debug)]
pub(super) struct Queries {
    limit: usize,
    limit_per_owner: usize,
    open: BTreeMap<QueryId, Query>,
    /// Those that count against the limits: an exchange over UDP that goes on in silence costs next to nothing.
    counted: BTreeSet<QueryId>,
    owners: BTreeMap<u64, Owner>,
    /// Owners that wait and have room of their own, in the order in which they take their turns.
    ready: VecDeque<u64>,
    next: u64,
}

/// What one [`Key::owner`] has under way, and waits for.
#[derive(Debug, Default)]
struct Owner {
    counted: usize,
    waiting: VecDeque<(Key, usize)>,
    /// It stands in [`Queries::ready`].
    ready: bool,
}

impl Queries {
    pub(super) const fn new(limit: usize, limit_per_owner: usize) -> Self {
        Self { limit, limit_per_owner, open: BTreeMap::new(), counted: BTreeSet::new(), owners: BTreeMap::new(), ready: VecDeque::new(), next: 0 }
    }

    /// Whether there is no room for one more of this owner.
    pub(super) fn is_full(&self, owner: u64) -> bool {
        let its_own = self.owners.get(&owner).map_or(0, |owner| owner.counted);
        self.counted.len() >= self.limit || its_own >= self.limit_per_owner
    }

    pub(super) fn open(&mut self, query: Query) -> QueryId {
        let id = self.fresh_id();
        self.owners.entry(query.key.owner).or_default().counted += 1;
        self.open.insert(id, query);
        self.counted.insert(id);
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
        let owner = self.open.get(&id).map(|query| query.key.owner).filter(|_| self.counted.remove(&id));
        if let Some((number, owner)) = owner.and_then(|number| Some((number, self.owners.get_mut(&number)?))) {
            owner.counted -= 1;
            self.line_up(number);
        }
    }

    pub(super) fn wait(&mut self, key: Key, tracker: usize) {
        self.owners.entry(key.owner).or_default().waiting.push_back((key, tracker));
        self.line_up(key.owner);
    }

    /// Has a tracker wait no longer.
    pub(super) fn forget_waiting(&mut self, key: Key, tracker: usize) {
        if let Some(owner) = self.owners.get_mut(&key.owner) {
            owner.waiting.retain(|waiting| *waiting != (key, tracker));
        }
    }

    /// The next that waits, if there is room for it. Owners take turns, so that one with many torrents holds up nobody.
    pub(super) fn pop_waiting(&mut self) -> Option<(Key, usize)> {
        while self.counted.len() < self.limit {
            let number = self.ready.pop_front()?;
            let owner = self.owners.get_mut(&number)?;
            owner.ready = false;
            let next = if owner.counted < self.limit_per_owner { owner.waiting.pop_front() } else { None };
            self.line_up(number);
            if next.is_some() {
                return next;
            }
        }
        None
    }

    /// Has an owner wait for its turn if it waits and has room of its own, and forgets one of whom there is nothing to know.
    fn line_up(&mut self, number: u64) {
        let Some(owner) = self.owners.get_mut(&number) else { return };
        if !owner.ready && !owner.waiting.is_empty() && owner.counted < self.limit_per_owner {
            owner.ready = true;
            self.ready.push_back(number);
        } else if !owner.ready && owner.waiting.is_empty() && owner.counted == 0 {
            self.owners.remove(&number);
        }
    }
}
