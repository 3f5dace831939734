//! Requests that wait for their turn. Clients take turns, and the requests of one client are served
//! in order of arrival.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::Notify;

use crate::limits::network::Network;

/// The waiting requests of all clients for one host, or for one budget.
#[derive(Debug, Default)]
pub(crate) struct FairQueue {
    clients: BTreeMap<Network, VecDeque<Waiter>>,
    /// Waiting clients, in the order of their turns.
    turns: VecDeque<Network>,
    waiting: usize,
}

/// A waiting request.
#[derive(Debug)]
struct Waiter {
    number: u64,
    /// Notified when it has come to the front, or was dropped.
    changed: Arc<Notify>,
}

impl FairQueue {
    pub(crate) const fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// The request whose turn it is.
    pub(crate) fn front(&self) -> Option<u64> {
        Some(self.clients.get(self.turns.front()?)?.front()?.number)
    }

    pub(crate) fn holds(&self, client: Network, number: u64) -> bool {
        self.clients
            .get(&client)
            .is_some_and(|waiters| waiters.iter().any(|waiter| waiter.number == number))
    }

    /// Appends a request of this client. If `limit` requests wait already, the last one of the
    /// client with the most requests is dropped: this one (`None`), if no other client has more.
    /// Returns what is notified when the request should check its position again.
    pub(crate) fn join(
        &mut self,
        client: Network,
        number: u64,
        limit: usize,
    ) -> Option<Arc<Notify>> {
        if self.waiting >= limit && !self.make_room_for(client) {
            return None;
        }
        let changed = Arc::<Notify>::default();
        let waiters = self.clients.entry(client).or_default();
        if waiters.is_empty() {
            self.turns.push_back(client);
        }
        waiters.push_back(Waiter {
            number,
            changed: Arc::clone(&changed),
        });
        self.waiting += 1;
        Some(changed)
    }

    fn make_room_for(&mut self, client: Network) -> bool {
        let its_own = self.clients.get(&client).map_or(0, VecDeque::len);
        let longest = self
            .clients
            .iter()
            .max_by_key(|(_, waiters)| waiters.len())
            .map(|(other, waiters)| (*other, waiters.len()));
        let Some((other, _)) = longest.filter(|(_, length)| *length > its_own + 1) else {
            return false;
        };
        let last = self
            .clients
            .get(&other)
            .and_then(|waiters| waiters.back())
            .map(|waiter| waiter.number);
        last.into_iter()
            .for_each(|number| self.leave(other, number));
        true
    }

    /// Removes a request, if it is queued.
    pub(crate) fn leave(&mut self, client: Network, number: u64) {
        let front = self.front();
        let Some(waiters) = self.clients.get_mut(&client) else {
            return;
        };
        let Some(at) = waiters.iter().position(|waiter| waiter.number == number) else {
            return;
        };
        waiters
            .remove(at)
            .into_iter()
            .for_each(|waiter| waiter.changed.notify_one());
        self.waiting -= 1;
        if waiters.is_empty() {
            self.clients.remove(&client);
            self.turns.retain(|other| *other != client);
        }
        if front == Some(number) {
            self.notify_front();
        }
    }

    /// Removes the request at the front after its turn.
    pub(crate) fn advance(&mut self) {
        let Some(client) = self.turns.pop_front() else {
            return;
        };
        let Some(waiters) = self.clients.get_mut(&client) else {
            return;
        };
        self.waiting -= usize::from(waiters.pop_front().is_some());
        if waiters.is_empty() {
            self.clients.remove(&client);
        } else {
            self.turns.push_back(client);
        }
        self.notify_front();
    }

    /// Makes the request at the front check its position again.
    pub(crate) fn notify_front(&self) {
        let front = self
            .turns
            .front()
            .and_then(|client| self.clients.get(client)?.front());
        front
            .into_iter()
            .for_each(|waiter| waiter.changed.notify_one());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::network::Networks;

    fn client(last: u8) -> Network {
        Networks::of([192, 0, 2, last].into()).site()
    }

    fn served(queue: &mut FairQueue) -> Vec<u64> {
        let mut served = Vec::new();
        while let Some(number) = queue.front() {
            served.push(number);
            queue.advance();
        }
        served
    }

    #[test]
    fn clients_take_turns_however_much_one_of_them_wants() {
        let mut queue = FairQueue::default();
        (0..4).for_each(|number| drop(queue.join(client(1), number, 9)));
        queue.join(client(2), 10, 9);
        queue.join(client(3), 20, 9);
        queue.leave(client(3), 20);
        assert_eq!(served(&mut queue), [0, 10, 1, 2, 3]);
        assert!(queue.is_empty() && queue.clients.is_empty());
    }

    #[test]
    fn in_a_full_queue_the_client_with_most_requests_gives_way() {
        let mut queue = FairQueue::default();
        (0..4).for_each(|number| drop(queue.join(client(1), number, 4)));
        assert!(
            queue.join(client(1), 4, 4).is_none(),
            "no other client waits for more"
        );
        assert!(queue.join(client(2), 10, 4).is_some() && !queue.holds(client(1), 3));
        assert!(queue.join(client(2), 11, 4).is_some() && !queue.holds(client(1), 2));
        assert!(queue.join(client(2), 12, 4).is_none());
        assert_eq!(served(&mut queue), [0, 10, 1, 11]);
    }
}
