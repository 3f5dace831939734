//! Requests of members that wait for the task. One lock protects them; it is held briefly and never
//! across an await. Their number is bounded by that of members, present or recently left.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aqueduct_core::DiscoverRequest;
use aqueduct_core::discovery::{AddError, Amounts, DhtCounts, Key, Swarm, TrackerStatus};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::News;

/// State shared by members and the task.
#[derive(Debug, Default)]
pub(super) struct Shared {
    inbox: Mutex<Inbox>,
    /// Notified when there is something for the task.
    pub(super) wake: Notify,
}

/// Everything that happened since the task last looked.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// The number of handles and memberships.
    clients: usize,
    changes: Changes,
    /// The tracker statuses of every member.
    pub(super) statuses: BTreeMap<Key, Vec<TrackerStatus>>,
    /// The counts of every member for which the DHT is used.
    dht: BTreeMap<Key, DhtCounts>,
    /// The number of contacts of our DHT node.
    pub(super) nodes: u32,
    /// When the task must end, at the latest.
    pub(super) end: Option<Instant>,
}

/// The requests for each key, at most one [`MemberChanges`] per key, in order of arrival.
///
/// They are processed as a whole, so that a member's requests cannot reach the state machine
/// before the member is added.
#[derive(Debug, Default)]
pub(super) struct Changes {
    by_key: BTreeMap<Key, MemberChanges>,
    order: Vec<Key>,
}

/// The requests for one key, processed from top to bottom: an existing member leaves before a new
/// one joins, and a member joins before its requests.
#[derive(Debug, Default)]
pub(super) struct MemberChanges {
    /// The existing member leaves, with its last amounts and requests.
    pub(super) leaves: Option<Wanted>,
    pub(super) joins: Option<(Swarm, mpsc::Sender<News>)>,
    /// The torrent turned out to be private.
    pub(super) private: bool,
    pub(super) scrape: bool,
    pub(super) wanted: Option<Wanted>,
}

impl Changes {
    fn to(&mut self, key: Key) -> &mut MemberChanges {
        if !self.by_key.contains_key(&key) {
            self.order.push(key);
        }
        self.by_key.entry(key).or_default()
    }
}

impl Iterator for Changes {
    type Item = (Key, MemberChanges);

    /// The changes of the first key. Only for changes that were taken as a whole, since `order` is
    /// consumed from its end.
    fn next(&mut self) -> Option<(Key, MemberChanges)> {
        loop {
            let key = self.order.pop()?;
            if let Some(member) = self.by_key.remove(&key) {
                return Some((key, member));
            }
        }
    }
}

impl MemberChanges {
    /// Records that the member left. One that joined and left before the task looked is dropped.
    fn leave(&mut self) {
        let wanted = self.wanted.take();
        if self.joins.take().is_none() {
            self.leaves = Some(wanted.unwrap_or_default());
        }
        (self.private, self.scrape) = (false, false);
    }
}

/// The requests of a member; of contradicting ones the later counts.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// `None` if they have not changed since it joined.
    pub(super) amounts: Option<Amounts>,
    active: Option<bool>,
    more: bool,
    completed: bool,
}

impl Wanted {
    fn add(&mut self, request: DiscoverRequest) {
        match request {
            DiscoverRequest::Start => self.active = Some(true),
            DiscoverRequest::Stop => self.active = Some(false),
            DiscoverRequest::More => self.more = true,
            DiscoverRequest::Completed => self.completed = true,
        }
    }

    /// The requests in the order in which they must be made.
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
    /// Whether no handle or membership is left.
    pub(super) const fn is_abandoned(&self) -> bool {
        self.clients == 0
    }

    /// Takes all requests.
    pub(super) fn take_changes(&mut self) -> Changes {
        let mut changes = std::mem::take(&mut self.changes);
        changes.order.reverse();
        changes
    }

    /// Publishes the DHT's counts; `None` if the DHT is not used for this member.
    pub(super) fn show_dht(&mut self, key: Key, counts: Option<DhtCounts>) {
        match counts.filter(|_| self.statuses.contains_key(&key)) {
            Some(counts) => drop(self.dht.insert(key, counts)),
            None => drop(self.dht.remove(&key)),
        }
    }
}

/// A handle's or membership's reference to the shared state.
#[derive(Debug)]
pub(super) struct Client(Arc<Shared>);

impl Client {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        shared.lock().clients += 1;
        Self(shared)
    }

    pub(super) fn join(
        &self,
        key: Key,
        swarm: Swarm,
        news: mpsc::Sender<News>,
    ) -> Result<(), AddError> {
        let mut inbox = self.0.lock();
        if inbox.statuses.contains_key(&key) {
            return Err(AddError::Duplicate(key.info_hash));
        }
        inbox.statuses.insert(key, Vec::new());
        inbox.changes.to(key).joins = Some((swarm, news));
        self.0.wake.notify_one();
        Ok(())
    }

    pub(super) fn leave(&self, key: Key) {
        let mut inbox = self.0.lock();
        inbox.statuses.remove(&key);
        inbox.dht.remove(&key);
        inbox.changes.to(key).leave();
        self.0.wake.notify_one();
    }

    pub(super) fn request(&self, key: Key, amounts: Amounts, request: Option<DiscoverRequest>) {
        let mut inbox = self.0.lock();
        let wanted = inbox.changes.to(key).wanted.get_or_insert_default();
        wanted.amounts = Some(amounts);
        if let Some(request) = request {
            wanted.add(request);
            self.0.wake.notify_one();
        }
    }

    pub(super) fn scrape(&self, key: Key) {
        self.0.lock().changes.to(key).scrape = true;
        self.0.wake.notify_one();
    }

    pub(super) fn statuses(&self, key: Key) -> Vec<TrackerStatus> {
        self.0
            .lock()
            .statuses
            .get(&key)
            .cloned()
            .unwrap_or_default()
    }

    pub(super) fn dht(&self, key: Key) -> Option<DhtCounts> {
        let inbox = self.0.lock();
        inbox.dht.get(&key).map(|counts| DhtCounts {
            nodes: inbox.nodes,
            ..*counts
        })
    }

    pub(super) fn set_private(&self, key: Key) {
        let mut inbox = self.0.lock();
        inbox.dht.remove(&key);
        inbox.changes.to(key).private = true;
        self.0.wake.notify_one();
    }

    /// Ends the task at the latest at `end`.
    pub(super) fn close(&self, end: Instant) {
        self.0.lock().end = Some(end);
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

#[cfg(test)]
mod tests {
    use aqueduct_core::types::{InfoHashV1, PeerId};

    use super::*;

    const KEY: Key = Key {
        info_hash: InfoHashV1([1; 20]),
        owner: 0,
    };

    fn client() -> Client {
        Client::new(Arc::default())
    }

    fn join(client: &Client, owner: u64) {
        let swarm = Swarm {
            trackers: Vec::new(),
            peer_id: PeerId([2; 20]),
            port: 1,
            amounts: Amounts::default(),
            private: false,
        };
        client
            .join(Key { owner, ..KEY }, swarm, mpsc::channel(1).0)
            .unwrap();
    }

    fn changes(client: &Client) -> Vec<(Key, MemberChanges)> {
        client.0.lock().take_changes().collect()
    }

    fn wants(member: &MemberChanges) -> Vec<DiscoverRequest> {
        member.wanted.iter().flat_map(Wanted::requests).collect()
    }

    #[test]
    fn a_member_joins_before_its_requests_are_made() {
        let client = client();
        join(&client, 0);
        client.request(
            KEY,
            Amounts {
                uploaded: 1,
                ..Amounts::default()
            },
            Some(DiscoverRequest::Start),
        );
        let [(KEY, member)] = &changes(&client)[..] else {
            panic!("the changes of one key were expected")
        };
        assert!(member.joins.is_some() && member.leaves.is_none());
        assert_eq!(wants(member), [DiscoverRequest::Start]);
        assert!(changes(&client).is_empty());
    }

    #[test]
    fn a_member_that_leaves_has_its_last_amounts_and_another_may_join_after_it() {
        let client = client();
        join(&client, 0);
        changes(&client);
        client.request(
            KEY,
            Amounts {
                uploaded: 7,
                ..Amounts::default()
            },
            Some(DiscoverRequest::Completed),
        );
        client.leave(KEY);
        join(&client, 0);
        client.request(KEY, Amounts::default(), Some(DiscoverRequest::Start));
        let [(KEY, member)] = &changes(&client)[..] else {
            panic!("the changes of one key were expected")
        };
        let last = member.leaves.as_ref().unwrap();
        assert_eq!(
            (
                last.amounts.unwrap().uploaded,
                last.requests().collect::<Vec<_>>()
            ),
            (7, vec![DiscoverRequest::Completed])
        );
        assert!(member.joins.is_some());
        assert_eq!(wants(member), [DiscoverRequest::Start]);
    }

    #[test]
    fn a_member_that_joins_and_leaves_unseen_is_dropped_and_the_one_before_it_still_leaves() {
        let client = client();
        join(&client, 0);
        changes(&client);
        client.leave(KEY);
        join(&client, 0);
        client.set_private(KEY);
        client.leave(KEY);
        let [(KEY, member)] = &changes(&client)[..] else {
            panic!("the changes of one key were expected")
        };
        assert!(
            member.leaves.is_some()
                && member.joins.is_none()
                && member.wanted.is_none()
                && !member.private
        );
        join(&client, 0);
        client.leave(KEY);
        let [(KEY, member)] = &changes(&client)[..] else {
            panic!("the changes of one key were expected")
        };
        assert!(member.leaves.is_none() && member.joins.is_none());
    }

    #[test]
    fn keys_are_handled_in_the_order_in_which_they_came() {
        let client = client();
        [3, 1, 2].into_iter().for_each(|owner| join(&client, owner));
        client.request(
            Key { owner: 3, ..KEY },
            Amounts::default(),
            Some(DiscoverRequest::Start),
        );
        let owners: Vec<u64> = changes(&client)
            .into_iter()
            .map(|(key, _)| key.owner)
            .collect();
        assert_eq!(owners, [3, 1, 2]);
    }
}
