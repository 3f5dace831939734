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
    open: BTreeMap<QueryId, Query>,
    /// Those that count against the limit: an exchange over UDP that goes on in silence costs next to nothing.
    counted: BTreeSet<QueryId>,
    waiting: VecDeque<(Key, usize)>,
    next: u64,
}

impl Queries {
    pub(super) const fn new(limit: usize) -> Self {
        Self { limit, open: BTreeMap::new(), counted: BTreeSet::new(), waiting: VecDeque::new(), next: 0 }
    }

    pub(super) fn is_full(&self) -> bool {
        self.counted.len() >= self.limit
    }

    pub(super) fn open(&mut self, query: Query) -> QueryId {
        let id = QueryId(self.next);
        self.next += 1;
        self.open.insert(id, query);
        self.counted.insert(id);
        id
    }

    pub(super) fn get(&self, id: QueryId) -> Option<&Query> {
        self.open.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: QueryId) -> Option<&mut Query> {
        self.open.get_mut(&id)
    }

    pub(super) fn close(&mut self, id: QueryId) -> Option<Query> {
        self.counted.remove(&id);
        self.open.remove(&id)
    }

    /// Whether its tracker has not been silent for long.
    pub(super) fn is_counted(&self, id: QueryId) -> bool {
        self.counted.contains(&id)
    }

    /// Lets others go on beside it.
    pub(super) fn discount(&mut self, id: QueryId) {
        self.counted.remove(&id);
    }

    pub(super) fn wait(&mut self, key: Key, tracker: usize) {
        self.waiting.push_back((key, tracker));
    }

    /// The next that waits, if there is room for it.
    pub(super) fn pop_waiting(&mut self) -> Option<(Key, usize)> {
        if self.is_full() { None } else { self.waiting.pop_front() }
    }
}
