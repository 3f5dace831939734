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
    mail: Mail,
    /// The tracker statuses of every member.
    pub(super) statuses: BTreeMap<Key, Vec<TrackerStatus>>,
    /// The counts of every member for which the DHT is used.
    dht: BTreeMap<Key, DhtCounts>,
    /// The number of contacts of our DHT node.
    pub(super) nodes: u32,
    /// When the task must end, at the latest.
    pub(super) end: Option<Instant>,
}

/// The requests for each key, at most one [`Letter`] per key, in order of arrival.
///
/// A letter is processed as a whole, so that a member's requests cannot reach the state machine
/// before the member is added.
#[derive(Debug, Default)]
pub(super) struct Mail {
    letters: BTreeMap<Key, Letter>,
    order: Vec<Key>,
}

/// The requests for one key, processed from top to bottom: an existing member leaves before a new
/// one joins, and a member joins before its requests.
#[derive(Debug, Default)]
pub(super) struct Letter {
    /// The existing member leaves, with its last amounts and requests.
    pub(super) leaves: Option<Wish>,
    pub(super) joins: Option<(Swarm, mpsc::Sender<News>)>,
    /// The torrent turned out to be private.
    pub(super) private: bool,
    pub(super) scrape: bool,
    pub(super) wish: Option<Wish>,
}

impl Mail {
    fn to(&mut self, key: Key) -> &mut Letter {
        if !self.letters.contains_key(&key) {
            self.order.push(key);
        }
        self.letters.entry(key).or_default()
    }
}

impl Iterator for Mail {
    type Item = (Key, Letter);

    /// The letter of the first key. Only for mail that was taken as a whole, since `order` is
    /// consumed from its end.
    fn next(&mut self) -> Option<(Key, Letter)> {
        loop {
            let key = self.order.pop()?;
            if let Some(letter) = self.letters.remove(&key) {
                return Some((key, letter));
            }
        }
    }
}

impl Letter {
    /// Records that the member left. One that joined and left before the task looked is dropped.
    fn leave(&mut self) {
        let wish = self.wish.take();
        if self.joins.take().is_none() {
            self.leaves = Some(wish.unwrap_or_default());
        }
        (self.private, self.scrape) = (false, false);
    }
}

/// The requests of a member; of contradicting ones the later counts.
#[derive(Debug, Default)]
pub(super) struct Wish {
    /// `None` if they have not changed since it joined.
    pub(super) amounts: Option<Amounts>,
    active: Option<bool>,
    more: bool,
    completed: bool,
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
    pub(super) fn take_mail(&mut self) -> Mail {
        let mut mail = std::mem::take(&mut self.mail);
        mail.order.reverse();
        mail
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
        inbox.mail.to(key).joins = Some((swarm, news));
        self.0.wake.notify_one();
        Ok(())
    }

    pub(super) fn leave(&self, key: Key) {
        let mut inbox = self.0.lock();
        inbox.statuses.remove(&key);
        inbox.dht.remove(&key);
        inbox.mail.to(key).leave();
        self.0.wake.notify_one();
    }

    pub(super) fn wish(&self, key: Key, amounts: Amounts, request: Option<DiscoverRequest>) {
        let mut inbox = self.0.lock();
        let wish = inbox.mail.to(key).wish.get_or_insert_default();
        wish.amounts = Some(amounts);
        if let Some(request) = request {
            wish.add(request);
            self.0.wake.notify_one();
        }
    }

    pub(super) fn scrape(&self, key: Key) {
        self.0.lock().mail.to(key).scrape = true;
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
        inbox.mail.to(key).private = true;
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

    fn mail(client: &Client) -> Vec<(Key, Letter)> {
        client.0.lock().take_mail().collect()
    }

    fn wants(letter: &Letter) -> Vec<DiscoverRequest> {
        letter.wish.iter().flat_map(Wish::requests).collect()
    }

    #[test]
    fn what_a_member_wants_comes_in_one_letter_with_its_join() {
        let client = client();
        join(&client, 0);
        client.wish(
            KEY,
            Amounts {
                uploaded: 1,
                ..Amounts::default()
            },
            Some(DiscoverRequest::Start),
        );
        let [(KEY, letter)] = &mail(&client)[..] else {
            panic!("one letter expected")
        };
        assert!(letter.joins.is_some() && letter.leaves.is_none());
        assert_eq!(wants(letter), [DiscoverRequest::Start]);
        assert!(mail(&client).is_empty());
    }

    #[test]
    fn whoever_leaves_takes_its_last_wish_along_and_another_may_join_after_it() {
        let client = client();
        join(&client, 0);
        mail(&client);
        client.wish(
            KEY,
            Amounts {
                uploaded: 7,
                ..Amounts::default()
            },
            Some(DiscoverRequest::Completed),
        );
        client.leave(KEY);
        join(&client, 0);
        client.wish(KEY, Amounts::default(), Some(DiscoverRequest::Start));
        let [(KEY, letter)] = &mail(&client)[..] else {
            panic!("one letter expected")
        };
        let last = letter.leaves.as_ref().unwrap();
        assert_eq!(
            (
                last.amounts.unwrap().uploaded,
                last.requests().collect::<Vec<_>>()
            ),
            (7, vec![DiscoverRequest::Completed])
        );
        assert!(letter.joins.is_some());
        assert_eq!(wants(letter), [DiscoverRequest::Start]);
    }

    #[test]
    fn whoever_joins_and_leaves_unseen_was_never_there_but_the_one_before_still_leaves() {
        let client = client();
        join(&client, 0);
        mail(&client);
        client.leave(KEY);
        join(&client, 0);
        client.set_private(KEY);
        client.leave(KEY);
        let [(KEY, letter)] = &mail(&client)[..] else {
            panic!("one letter expected")
        };
        assert!(
            letter.leaves.is_some()
                && letter.joins.is_none()
                && letter.wish.is_none()
                && !letter.private
        );
        join(&client, 0);
        client.leave(KEY);
        let [(KEY, letter)] = &mail(&client)[..] else {
            panic!("one letter expected")
        };
        assert!(letter.leaves.is_none() && letter.joins.is_none());
    }

    #[test]
    fn letters_are_opened_in_the_order_in_which_their_keys_came() {
        let client = client();
        [3, 1, 2].into_iter().for_each(|owner| join(&client, owner));
        client.wish(
            Key { owner: 3, ..KEY },
            Amounts::default(),
            Some(DiscoverRequest::Start),
        );
        let owners: Vec<u64> = mail(&client)
            .into_iter()
            .map(|(key, _)| key.owner)
            .collect();
        assert_eq!(owners, [3, 1, 2]);
    }
}
