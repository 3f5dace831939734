//! Connections of dialling peers whose handshake is not complete yet.
//!
//! Slow clients must not keep others out: if all slots are in use, a new connection replaces the
//! oldest one of the network with the most connections.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

/// All half-open connections of dialling peers. `N` is what counts as one client, for instance an
/// IPv4 address or a /64.
#[derive(Debug)]
pub struct HalfOpenPeers<N: Copy + Ord> {
    limit: usize,
    waiting: Mutex<Waiting<N>>,
}

/// A connection's slot, which is freed when this is dropped.
#[derive(Debug)]
pub struct Slot<N: Copy + Ord> {
    all: Arc<HalfOpenPeers<N>>,
    network: N,
    number: u64,
}

/// The connections by network.
#[derive(Debug)]
struct Waiting<N> {
    next: u64,
    count: usize,
    /// By number, in order of arrival.
    by_network: BTreeMap<N, BTreeMap<u64, Option<AbortHandle>>>,
    /// The last network has the most connections; of several such networks, it is the one with the
    /// oldest connection.
    by_size: BTreeSet<(usize, Reverse<u64>, N)>,
}

impl<N: Copy + Ord> HalfOpenPeers<N> {
    /// At most `limit` connections at a time.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            waiting: Mutex::default(),
        })
    }

    /// A slot for a connection from this network; `None` if there is none at all. If all slots are
    /// in use, another connection's task is aborted.
    #[must_use]
    pub fn admit(self: &Arc<Self>, network: N) -> Option<Slot<N>> {
        if self.limit == 0 {
            return None;
        }
        let mut waiting = self.lock();
        if waiting.count >= self.limit {
            waiting.abort_one();
        }
        let number = waiting.add(network);
        Some(Slot {
            all: Arc::clone(self),
            network,
            number,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<N>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<N: Copy + Ord> Slot<N> {
    /// Sets the task that is aborted when the slot is given to another connection.
    pub fn set_task(&self, task: AbortHandle) {
        let mut waiting = self.all.lock();
        match waiting
            .by_network
            .get_mut(&self.network)
            .and_then(|connections| connections.get_mut(&self.number))
        {
            Some(place) => *place = Some(task),
            // Another connection has the slot already, or the task has ended.
            None => task.abort(),
        }
    }
}

impl<N: Copy + Ord> Drop for Slot<N> {
    fn drop(&mut self) {
        self.all.lock().remove(self.network, self.number);
    }
}

impl<N> Default for Waiting<N> {
    fn default() -> Self {
        Self {
            next: 0,
            count: 0,
            by_network: BTreeMap::new(),
            by_size: BTreeSet::new(),
        }
    }
}

impl<N: Copy + Ord> Waiting<N> {
    fn add(&mut self, network: N) -> u64 {
        let number = self.next;
        self.next += 1;
        self.change(network, |connections| {
            drop(connections.insert(number, None))
        });
        number
    }

    fn remove(&mut self, network: N, number: u64) -> Option<AbortHandle> {
        let mut task = None;
        self.change(network, |connections| {
            task = connections.remove(&number).flatten()
        });
        task
    }

    /// Aborts the oldest connection of the network with the most connections.
    fn abort_one(&mut self) {
        let Some(&(_, Reverse(oldest), network)) = self.by_size.last() else {
            return;
        };
        if let Some(task) = self.remove(network, oldest) {
            task.abort();
        }
    }

    fn change(&mut self, network: N, change: impl FnOnce(&mut BTreeMap<u64, Option<AbortHandle>>)) {
        let connections = self.by_network.entry(network).or_default();
        let before = size(network, connections);
        change(connections);
        let after = size(network, connections);
        self.count = self.count + after.0 - before.0;
        if after.0 == 0 {
            self.by_network.remove(&network);
        }
        self.by_size.remove(&before);
        self.by_size.extend((after.0 > 0).then_some(after));
    }
}

fn size<N>(
    network: N,
    connections: &BTreeMap<u64, Option<AbortHandle>>,
) -> (usize, Reverse<u64>, N) {
    (
        connections.len(),
        Reverse(connections.keys().next().copied().unwrap_or(0)),
        network,
    )
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::task::JoinSet;

    use super::*;

    /// Connections of several networks, numbered in order of arrival.
    struct Crowd {
        half_open: Arc<HalfOpenPeers<u8>>,
        tasks: JoinSet<()>,
        ids: BTreeMap<tokio::task::Id, usize>,
    }

    impl Crowd {
        fn new(limit: usize) -> Self {
            Self {
                half_open: HalfOpenPeers::new(limit),
                tasks: JoinSet::new(),
                ids: BTreeMap::new(),
            }
        }

        fn enter(&mut self, network: u8) {
            let slot = Arc::new(self.half_open.admit(network).unwrap());
            let kept = Arc::clone(&slot);
            let task = self.tasks.spawn(async move {
                let _kept = kept;
                pending().await
            });
            self.ids.insert(task.id(), self.ids.len());
            slot.set_task(task);
        }

        /// The number of the connection that was aborted.
        async fn ended(&mut self) -> usize {
            let ended = self.tasks.join_next_with_id().await.unwrap();
            self.ids[&ended.unwrap_err().id()]
        }
    }

    #[tokio::test]
    async fn a_new_connection_takes_the_oldest_slot_of_the_network_that_has_most() {
        let mut crowd = Crowd::new(5);
        for network in [1, 2, 2, 2, 3] {
            crowd.enter(network);
        }
        crowd.enter(4);
        assert_eq!(crowd.ended().await, 1);
        crowd.enter(5);
        assert_eq!(crowd.ended().await, 2);
        // Each network has one connection, so the oldest is aborted.
        crowd.enter(6);
        assert_eq!(crowd.ended().await, 0);
        assert_eq!(crowd.half_open.lock().count, 5);
        assert!(HalfOpenPeers::new(0).admit(1_u8).is_none());
    }

    #[tokio::test]
    async fn nothing_is_kept_of_connections_that_ended() {
        let mut crowd = Crowd::new(3);
        (1..=9).for_each(|network| crowd.enter(network));
        crowd.tasks.shutdown().await;
        let waiting = crowd.half_open.lock();
        assert_eq!(
            (
                waiting.count,
                waiting.by_network.len(),
                waiting.by_size.len()
            ),
            (0, 0, 0)
        );
    }
}
