//! Connections to the peer port whose handshake has not named an info-hash yet.
//!
//! Slow clients must not keep others out: if all slots are in use, a new connection replaces the
//! oldest one of the site with the most connections.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use tokio::task::AbortHandle;

use crate::limits::Limits;
use crate::limits::network::{Network, Networks};
use crate::limits::quota::{Quota, Share};
use crate::sync::lock;

/// All half-open connections of dialling peers.
#[derive(Debug)]
pub(crate) struct HalfOpen {
    limit: usize,
    quota: Arc<Quota>,
    waiting: Mutex<Waiting>,
}

/// A connection's slot, which is freed when this is dropped.
#[derive(Debug)]
pub(crate) struct HalfOpenPlace {
    all: Arc<HalfOpen>,
    site: Network,
    number: u64,
    _share: Share,
}

/// The connections by site.
#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    count: usize,
    /// By number, in order of arrival.
    by_site: BTreeMap<Network, BTreeMap<u64, Option<AbortHandle>>>,
    /// The last site has the most connections; of several such sites, it is the one with the oldest
    /// connection.
    by_size: BTreeSet<(usize, Reverse<u64>, Network)>,
}

impl HalfOpen {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        let quota = Quota::new(
            limits.incoming_half_open_per_address,
            limits.addresses_per_site,
        );
        Arc::new(Self {
            limit: limits.incoming_half_open,
            quota,
            waiting: Mutex::default(),
        })
    }

    /// A slot for a connection from this address; `None` if the address has its share already. If
    /// all slots are in use, another connection's task is aborted.
    pub(crate) fn admit(self: &Arc<Self>, ip: IpAddr) -> Option<HalfOpenPlace> {
        let share = self.quota.take(ip).filter(|_| self.limit > 0)?;
        let site = Networks::of(ip).site();
        let mut waiting = lock(&self.waiting);
        if waiting.count >= self.limit {
            waiting.abort_one();
        }
        let number = waiting.add(site);
        Some(HalfOpenPlace {
            all: Arc::clone(self),
            site,
            number,
            _share: share,
        })
    }
}

impl HalfOpenPlace {
    /// Sets the task that is aborted when the slot is given to another connection.
    pub(crate) fn set_task(&self, task: AbortHandle) {
        let mut waiting = lock(&self.all.waiting);
        match waiting
            .by_site
            .get_mut(&self.site)
            .and_then(|site| site.get_mut(&self.number))
        {
            Some(place) => *place = Some(task),
            // Another connection has the slot already, or the task has ended.
            None => task.abort(),
        }
    }
}

impl Drop for HalfOpenPlace {
    fn drop(&mut self) {
        lock(&self.all.waiting).remove(self.site, self.number);
    }
}

impl Waiting {
    fn add(&mut self, site: Network) -> u64 {
        let number = self.next;
        self.next += 1;
        self.change(site, |connections| drop(connections.insert(number, None)));
        number
    }

    fn remove(&mut self, site: Network, number: u64) -> Option<AbortHandle> {
        let mut task = None;
        self.change(site, |connections| {
            task = connections.remove(&number).flatten()
        });
        task
    }

    /// Aborts the oldest connection of the site with the most connections.
    fn abort_one(&mut self) {
        let Some(&(_, Reverse(oldest), site)) = self.by_size.last() else {
            return;
        };
        if let Some(task) = self.remove(site, oldest) {
            task.abort();
        }
    }

    fn change(
        &mut self,
        site: Network,
        change: impl FnOnce(&mut BTreeMap<u64, Option<AbortHandle>>),
    ) {
        let connections = self.by_site.entry(site).or_default();
        let before = size(site, connections);
        change(connections);
        let after = size(site, connections);
        self.count = self.count + after.0 - before.0;
        if after.0 == 0 {
            self.by_site.remove(&site);
        }
        self.by_size.remove(&before);
        self.by_size.extend((after.0 > 0).then_some(after));
    }
}

fn size(
    site: Network,
    connections: &BTreeMap<u64, Option<AbortHandle>>,
) -> (usize, Reverse<u64>, Network) {
    (
        connections.len(),
        Reverse(connections.keys().next().copied().unwrap_or(0)),
        site,
    )
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::task::JoinSet;

    use super::*;

    /// Connections of several addresses, numbered in order of arrival.
    struct Crowd {
        half_open: Arc<HalfOpen>,
        tasks: JoinSet<()>,
        ids: BTreeMap<tokio::task::Id, usize>,
    }

    impl Crowd {
        fn new(most: usize, each: u32) -> Self {
            let limits = Limits {
                incoming_half_open: most,
                incoming_half_open_per_address: each,
                ..Limits::default()
            };
            Self {
                half_open: HalfOpen::new(&limits),
                tasks: JoinSet::new(),
                ids: BTreeMap::new(),
            }
        }

        fn enter(&mut self, ip: [u8; 4]) -> bool {
            let Some(place) = self.half_open.admit(IpAddr::from(ip)) else {
                return false;
            };
            let place = Arc::new(place);
            let kept = Arc::clone(&place);
            let task = self.tasks.spawn(async move {
                let _kept = kept;
                pending().await
            });
            self.ids.insert(task.id(), self.ids.len());
            place.set_task(task);
            true
        }

        /// The number of the connection that was aborted.
        async fn ended(&mut self) -> usize {
            let ended = self.tasks.join_next_with_id().await.unwrap();
            self.ids[&ended.unwrap_err().id()]
        }
    }

    #[tokio::test]
    async fn a_new_connection_takes_the_oldest_place_of_the_address_that_has_most() {
        let mut crowd = Crowd::new(5, 3);
        for ip in [[1; 4], [2; 4], [2; 4], [2; 4], [3; 4]] {
            assert!(crowd.enter(ip));
        }
        assert!(
            !crowd.enter([2; 4]),
            "a fourth is beyond the address's share"
        );
        assert!(crowd.enter([4; 4]));
        assert_eq!(crowd.ended().await, 1);
        assert!(crowd.enter([5; 4]));
        assert_eq!(crowd.ended().await, 2);
        // Each address has one connection, so the oldest is aborted.
        assert!(crowd.enter([6; 4]));
        assert_eq!(crowd.ended().await, 0);
        assert_eq!(lock(&crowd.half_open.waiting).count, 5);
    }

    #[tokio::test]
    async fn nothing_is_kept_of_connections_that_ended() {
        let mut crowd = Crowd::new(3, 2);
        (1..=9).for_each(|last| assert!(crowd.enter([last; 4])));
        crowd.tasks.shutdown().await;
        let waiting = lock(&crowd.half_open.waiting);
        assert_eq!(
            (waiting.count, waiting.by_site.len(), waiting.by_size.len()),
            (0, 0, 0)
        );
    }
}
