//! Connections of dialling peers whose handshake is not complete yet.
//!
//! Slow clients must not keep others out: if all slots are in use, a new connection replaces another
//! one. That is the oldest of the address range that has most, however many addresses it consists
//! of: of the wide range with most connections, the narrower one in it with most, and so on down to
//! an address. A flood from many addresses of some networks displaces itself.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aqueduct_core::net::as_v6;
use tokio::task::AbortHandle;

/// The prefix lengths of an address's ranges, the widest first. The last one is one client.
const PREFIXES_V4: [u32; LEVELS] = [8, 16, 24, 32];
const PREFIXES_V6: [u32; LEVELS] = [32, 40, 48, 64];
const LEVELS: usize = 4;

/// All half-open connections of dialling peers.
#[derive(Debug)]
pub struct HalfOpenPeers {
    limit: usize,
    waiting: Mutex<Waiting>,
}

/// A connection's slot, which is freed when this is dropped.
#[derive(Debug)]
pub struct Slot {
    all: Arc<HalfOpenPeers>,
    number: u64,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    /// By number, in order of arrival.
    connections: BTreeMap<u64, Waiter>,
    /// The number of connections by level and range.
    counts: BTreeMap<(usize, u128), usize>,
}

#[derive(Debug)]
struct Waiter {
    ranges: [u128; LEVELS],
    task: Option<AbortHandle>,
}

impl HalfOpenPeers {
    /// At most `limit` connections at a time.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            waiting: Mutex::default(),
        })
    }

    /// A slot for a connection from this address; `None` if there is none at all. If all slots are
    /// in use, another connection's task is aborted.
    #[must_use]
    pub fn admit(self: &Arc<Self>, ip: IpAddr) -> Option<Slot> {
        if self.limit == 0 {
            return None;
        }
        let mut waiting = self.lock();
        if waiting.connections.len() >= self.limit {
            waiting.abort_one();
        }
        let number = waiting.add(ranges(ip));
        Some(Slot {
            all: Arc::clone(self),
            number,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Sets the task that is aborted when the slot is given to another connection.
    pub fn set_task(&self, task: AbortHandle) {
        match self.all.lock().connections.get_mut(&self.number) {
            Some(waiter) => waiter.task = Some(task),
            // Another connection has the slot already, or the task has ended.
            None => task.abort(),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.all.lock().remove(self.number);
    }
}

impl Waiting {
    fn add(&mut self, ranges: [u128; LEVELS]) -> u64 {
        let number = self.next;
        self.next += 1;
        for range in ranges.into_iter().enumerate() {
            *self.counts.entry(range).or_default() += 1;
        }
        let waiter = Waiter { ranges, task: None };
        self.connections.insert(number, waiter);
        number
    }

    fn remove(&mut self, number: u64) -> Option<AbortHandle> {
        let waiter = self.connections.remove(&number)?;
        for range in waiter.ranges.into_iter().enumerate() {
            let count = self.counts.get(&range).copied().unwrap_or_default();
            if count > 1 {
                self.counts.insert(range, count - 1);
            } else {
                self.counts.remove(&range);
            }
        }
        waiter.task
    }

    /// Aborts the oldest connection of the range with the most connections. Of several such ranges,
    /// it is the one with the oldest connection.
    fn abort_one(&mut self) {
        let count = |level: usize, waiter: &Waiter| {
            let range = waiter.ranges.get(level).copied().unwrap_or_default();
            self.counts.get(&(level, range)).copied()
        };
        let crowding = |(number, waiter): (&u64, &Waiter)| {
            let counts: [_; LEVELS] = std::array::from_fn(|level| count(level, waiter));
            (counts, Reverse(*number))
        };
        let worst = self.connections.iter().map(crowding).max();
        if let Some(task) = worst.and_then(|(_, Reverse(number))| self.remove(number)) {
            task.abort();
        }
    }
}

/// The ranges that contain an address, the widest first.
fn ranges(ip: IpAddr) -> [u128; LEVELS] {
    let ip = ip.to_canonical();
    let bits = as_v6(ip).to_bits();
    match ip {
        IpAddr::V4(_) => PREFIXES_V4.map(|prefix| bits & u128::MAX << (32 - prefix)),
        IpAddr::V6(_) => PREFIXES_V6.map(|prefix| bits & u128::MAX << (128 - prefix)),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::task::JoinSet;

    use super::*;

    /// The address of a client of this number.
    type Address = fn(u8) -> IpAddr;

    /// Connections, numbered in order of arrival.
    struct Crowd {
        half_open: Arc<HalfOpenPeers>,
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

        fn enter(&mut self, ip: impl Into<IpAddr>) {
            let slot = Arc::new(self.half_open.admit(ip.into()).unwrap());
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
    async fn a_new_connection_takes_the_oldest_slot_of_the_address_that_has_most() {
        let mut crowd = Crowd::new(5);
        for host in [1, 2, 2, 2, 3] {
            crowd.enter([host; 4]);
        }
        crowd.enter([4; 4]);
        assert_eq!(crowd.ended().await, 1);
        crowd.enter([5; 4]);
        assert_eq!(crowd.ended().await, 2);
        // Each address has one connection, so the oldest is aborted.
        crowd.enter([6; 4]);
        assert_eq!(crowd.ended().await, 0);
        assert_eq!(crowd.half_open.lock().connections.len(), 5);
        assert!(HalfOpenPeers::new(0).admit([1; 4].into()).is_none());
    }

    #[tokio::test]
    async fn a_flood_of_addresses_displaces_only_its_own_range_of_whatever_width() {
        let floods: [(&str, Address); 4] = [
            ("of an /8", |n| [20, n, n, n].into()),
            ("of a /16", |n| [20, 1, n, n].into()),
            ("of a /24", |n| [20, 1, 1, n].into()),
            ("of a /32 of IPv6", |n| {
                std::net::Ipv6Addr::new(0x2a00, 1, n.into(), 1, 1, 1, 1, 1).into()
            }),
        ];
        for (what, address) in floods {
            let mut crowd = Crowd::new(10);
            for honest in ["21.1.1.1", "192.0.2.1", "2a01::1"] {
                crowd.enter(honest.parse::<IpAddr>().unwrap());
            }
            (1..=7).for_each(|n| crowd.enter(address(n)));
            for n in 8..=100 {
                crowd.enter(address(n));
                assert_eq!(crowd.ended().await, usize::from(n) - 5, "{what}");
            }
        }
    }

    #[tokio::test]
    async fn within_a_wide_range_the_narrower_one_with_most_is_displaced() {
        let mut crowd = Crowd::new(6);
        crowd.enter([20, 1, 1, 1]);
        crowd.enter([20, 2, 1, 1]);
        (1..=4).for_each(|n| crowd.enter([20, 3, n, n]));
        crowd.enter([99; 4]);
        assert_eq!(crowd.ended().await, 2);
    }

    #[tokio::test]
    async fn nothing_is_kept_of_connections_that_ended() {
        let mut crowd = Crowd::new(3);
        (1..=9).for_each(|host| crowd.enter([host; 4]));
        crowd.tasks.shutdown().await;
        let waiting = crowd.half_open.lock();
        assert_eq!((waiting.connections.len(), waiting.counts.len()), (0, 0));
    }
}
