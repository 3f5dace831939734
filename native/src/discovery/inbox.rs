//! What members want, until the task looks: one lock, held for a few lines, never across a wait. Bounded by the number of members.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aqueduct_core::DiscoverRequest;
use aqueduct_core::discovery::{AddError, Amounts, DhtCounts, Key, Swarm, TrackerStatus};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::News;

/// DHT nodes of PORT messages that wait to be looked at; more are dropped.
const MAX_DHT_NODES: usize = 64;

/// Between members and the task.
#[derive(Debug, Default)]
pub(super) struct Shared {
    inbox: Mutex<Inbox>,
    /// Rung when there is something to look at.
    pub(super) wake: Notify,
}

/// Everything that happened since the task looked.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// Handles and memberships.
    clients: usize,
    /// In the order they came.
    pub(super) changes: Vec<Change>,
    /// To be applied after the changes.
    pub(super) wishes: BTreeMap<Key, Wish>,
    /// For every member.
    pub(super) statuses: BTreeMap<Key, Vec<TrackerStatus>>,
    /// For every member that the DHT is asked for.
    dht: BTreeMap<Key, DhtCounts>,
    /// Nodes that our node in the DHT knows.
    pub(super) nodes: u32,
    /// Nodes that peers named.
    pub(super) dht_nodes: Vec<SocketAddr>,
    /// When the task must end.
    pub(super) closing: Option<Instant>,
}

/// A member came, went, turned out to be private, or wants counts.
#[derive(Debug)]
pub(super) enum Change {
    Join(Key, Swarm, mpsc::Sender<News>),
    Leave(Key, Option<Amounts>),
    Private(Key),
    Scrape(Key),
}

/// What a member wants; of two contrary requests the later one counts.
#[derive(Debug, Default)]
pub(super) struct Wish {
    pub(super) amounts: Amounts,
    pub(super) active: Option<bool>,
    pub(super) more: bool,
    pub(super) completed: bool,
}

impl Wish {
    fn add(&mut self, request: DiscoverRequest) {
        match request {
            DiscoverRequest::Start => self.active = Some(true),
            DiscoverRequest::Stop => self.active = Some(false),
            DiscoverRequest::More => self.more = true,
            DiscoverRequest::Completed => self.completed = true,
        }
    }

    /// In the order in which they make sense.
    pub(super) fn requests(&self) -> impl Iterator<Item = DiscoverRequest> + use<> {
        let start = (self.active == Some(true)).then_some(DiscoverRequest::Start);
        let completed = self.completed.then_some(DiscoverRequest::Completed);
        let more = self.more.then_some(DiscoverRequest::More);
        let stop = (self.active == Some(false)).then_some(DiscoverRequest::Stop);
        [start, completed, more, stop].into_iter().flatten()
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inbox {
    /// Whether nobody can want anything any more.
    pub(super) const fn is_abandoned(&self) -> bool {
        self.clients == 0
    }

    /// `None`: the DHT is not asked for this one.
    pub(super) fn show_dht(&mut self, key: Key, counts: Option<DhtCounts>) {
        match counts.filter(|_| self.statuses.contains_key(&key)) {
            Some(counts) => drop(self.dht.insert(key, counts)),
            None => drop(self.dht.remove(&key)),
        }
    }
}

/// One handle's or membership's end of it.
#[derive(Debug)]
pub(super) struct Client(Arc<Shared>);

impl Client {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        shared.lock().clients += 1;
        Self(shared)
    }

    pub(super) fn join(&self, key: Key, swarm: Swarm, news: mpsc::Sender<News>) -> Result<(), AddError> {
        let mut inbox = self.0.lock();
        if inbox.statuses.contains_key(&key) {
            return Err(AddError::Duplicate(key.info_hash));
        }
        inbox.statuses.insert(key, Vec::new());
        inbox.changes.push(Change::Join(key, swarm, news));
        self.0.wake.notify_one();
        Ok(())
    }

    pub(super) fn leave(&self, key: Key) {
        let mut inbox = self.0.lock();
        inbox.statuses.remove(&key);
        inbox.dht.remove(&key);
        // The last amounts stand in the farewell: they must arrive before it.
        let wish = inbox.wishes.remove(&key);
        inbox.changes.push(Change::Leave(key, wish.map(|wish| wish.amounts)));
        self.0.wake.notify_one();
    }

    pub(super) fn wish(&self, key: Key, amounts: Amounts, request: Option<DiscoverRequest>) {
        let mut inbox = self.0.lock();
        let wish = inbox.wishes.entry(key).or_default();
        wish.amounts = amounts;
        if let Some(request) = request {
            wish.add(request);
            self.0.wake.notify_one();
        }
    }

    pub(super) fn scrape(&self, key: Key) {
        self.0.lock().changes.push(Change::Scrape(key));
        self.0.wake.notify_one();
    }

    pub(super) fn statuses(&self, key: Key) -> Vec<TrackerStatus> {
        self.0.lock().statuses.get(&key).cloned().unwrap_or_default()
    }

    pub(super) fn dht(&self, key: Key) -> Option<DhtCounts> {
        let inbox = self.0.lock();
        inbox.dht.get(&key).map(|counts| DhtCounts { nodes: inbox.nodes, ..*counts })
    }

    pub(super) fn set_private(&self, key: Key) {
        let mut inbox = self.0.lock();
        inbox.dht.remove(&key);
        inbox.changes.push(Change::Private(key));
        self.0.wake.notify_one();
    }

    pub(super) fn dht_node(&self, addr: SocketAddr) {
        let mut inbox = self.0.lock();
        if inbox.dht_nodes.len() < MAX_DHT_NODES {
            inbox.dht_nodes.push(addr);
            self.0.wake.notify_one();
        }
    }

    pub(super) fn close(&self, deadline: Instant) {
        self.0.lock().closing = Some(deadline);
        self.0.wake.notify_one();
    }
}

impl Clone for Client {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.0))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.0.lock().clients -= 1;
        self.0.wake.notify_one();
    }
}
