//! Limits on how often one target is contacted, for whatever reason: peers, trackers, each hop of a
//! redirect, name lookups, DHT nodes. They apply to all sessions together, with the clients taking
//! turns.

mod host;
mod unreachable;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aqueduct_core::net::Limit;
use aqueduct_native::net::{self, Denied, Place};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use crate::limits::Limits;
use crate::limits::address_rate::AddressRate;
use crate::limits::network::{Network, Networks};
use crate::limits::pruned_map::PrunedMap;
use crate::sync::lock;
use host::{Host, HostLimits, HostName, Turn};
use unreachable::Unreachable;

/// The maximum number of requests that wait for their turn at one host. A further one causes the
/// last one of the client with the most requests to be dropped.
const MAX_QUEUED: usize = 40;
/// The maximum wait for a turn.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// The number of seconds' worth of datagrams that may be sent in a burst.
const DATAGRAM_BURST: u64 = 10;

/// All targets, with the requests in progress.
#[derive(Debug)]
pub(crate) struct Targets {
    limits: HostLimits,
    state: Mutex<State>,
    /// For nodes of the DHT, and for opening connections over uTP.
    datagrams: AddressRate,
    /// The client of each owner of joins, while the owner exists.
    clients: Mutex<BTreeMap<u64, Network>>,
}

#[derive(Debug)]
struct State {
    hosts: PrunedMap<HostName, Host>,
    unreachable: Unreachable,
    /// Number of the last request that was queued.
    last_queued: u64,
}

/// A request in progress. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    targets: Arc<Targets>,
    host: HostName,
    addr: Option<SocketAddr>,
    client: Network,
}

/// Whether a request may start.
#[derive(Debug)]
pub(crate) enum Start {
    Now(Permit),
    /// Other requests precede it; see [`Targets::wait`].
    Queued,
    Denied(Denied),
}

/// A request's position in the queue of a host, which is given up when this is dropped.
struct QueuePlace<'a> {
    targets: &'a Targets,
    host: HostName,
    client: Network,
    number: u64,
    changed: Arc<Notify>,
}

/// Keeps the client of an owner known until it is dropped.
#[derive(Debug)]
pub(crate) struct OwnerRecord {
    targets: Arc<Targets>,
    owner: u64,
}

impl Targets {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        let state = State {
            hosts: PrunedMap::default(),
            unreachable: Unreachable::new(limits),
            last_queued: 0,
        };
        let datagrams = u64::from(limits.dht_datagrams_per_target);
        let datagrams =
            Limit::per_second(datagrams).with_burst(datagrams.saturating_mul(DATAGRAM_BURST));
        Arc::new(Self {
            limits: HostLimits::new(limits),
            state: Mutex::new(state),
            datagrams: AddressRate::new(datagrams, limits.addresses_per_site),
            clients: Mutex::default(),
        })
    }

    /// Records the client's address for an owner of joins.
    pub(crate) fn record_owner(self: &Arc<Self>, owner: u64, ip: IpAddr) -> OwnerRecord {
        lock(&self.clients).insert(owner, Networks::of(ip).site());
        OwnerRecord {
            targets: Arc::clone(self),
            owner,
        }
    }

    /// The client of an owner. All owners that no longer exist count as one client; they only
    /// announce to trackers that they have stopped.
    pub(crate) fn client(&self, owner: u64) -> Network {
        lock(&self.clients)
            .get(&owner)
            .copied()
            .unwrap_or_else(|| Networks::of(Ipv6Addr::UNSPECIFIED.into()).site())
    }

    /// Starts a request, if it may start now.
    pub(crate) fn start(self: &Arc<Self>, place: Place<'_>, client: Network) -> Start {
        let (now, name, addr) = (Instant::now(), HostName::of(place), addr_of(place));
        let mut state = lock(&self.state);
        state.prune(now);
        if let Some(left) = addr.and_then(|addr| state.unreachable.pause(addr, client, now)) {
            return Start::Denied(Denied::Resting(left));
        }
        let host = state.host(&name, self.limits, now);
        if let Some(wait) = host.read_pause(client, now) {
            return Start::Denied(Denied::Busy(wait));
        }
        if !host.start(now) {
            return Start::Queued;
        }
        drop(state);
        Start::Now(self.permit(name, addr, client))
    }

    /// Waits until a request may start.
    ///
    /// # Errors
    /// Too many requests wait for the same host, or the host is not contacted for a while.
    pub(crate) async fn wait(
        self: &Arc<Self>,
        place: Place<'_>,
        client: Network,
    ) -> Result<Permit, Denied> {
        match self.start(place, client) {
            Start::Now(permit) => return Ok(permit),
            Start::Denied(denied) => return Err(denied),
            Start::Queued => {}
        }
        let busy = Denied::Busy(LONGEST_WAIT);
        let queued = self.enqueue(HostName::of(place), client).ok_or(busy)?;
        let granted = timeout(LONGEST_WAIT, queued.turn())
            .await
            .is_ok_and(|turn| turn);
        if granted {
            Ok(self.permit(queued.host.clone(), addr_of(place), client))
        } else {
            Err(busy)
        }
    }

    /// Counts a datagram to a DHT node, or one that opens a connection over uTP. False: it must not
    /// be sent, since its host has reached the limit. Other nodes determine the destinations of
    /// lookups, so a tab that runs a few nodes could otherwise flood any host; and uTP repeats what
    /// is not answered.
    pub(crate) fn may_send_datagram(&self, to: IpAddr) -> bool {
        self.datagrams.take(to, Instant::now()).is_ok()
    }

    fn permit(
        self: &Arc<Self>,
        host: HostName,
        addr: Option<SocketAddr>,
        client: Network,
    ) -> Permit {
        Permit {
            targets: Arc::clone(self),
            host,
            addr,
            client,
        }
    }

    fn enqueue(&self, host: HostName, client: Network) -> Option<QueuePlace<'_>> {
        let mut state = lock(&self.state);
        state.last_queued += 1;
        let number = state.last_queued;
        let queue = &mut state.host(&host, self.limits, Instant::now()).queue;
        let changed = queue.join(client, number, MAX_QUEUED)?;
        Some(QueuePlace {
            targets: self,
            host,
            client,
            number,
            changed,
        })
    }

    /// Changes the state of a host, if there is any.
    fn with_host<T>(&self, name: &HostName, change: impl FnOnce(&mut Host) -> T) -> Option<T> {
        lock(&self.state).hosts.entries.get_mut(name).map(change)
    }
}

impl State {
    fn host(&mut self, name: &HostName, limits: HostLimits, now: Instant) -> &mut Host {
        self.hosts
            .entries
            .entry(name.clone())
            .or_insert_with(|| Host::new(limits, now))
    }

    fn prune(&mut self, now: Instant) {
        self.hosts.prune(|_, host| host.is_needed(now));
        self.unreachable.prune(now);
    }
}

const fn addr_of(place: Place<'_>) -> Option<SocketAddr> {
    match place {
        Place::Addr(addr) => Some(addr),
        Place::Name(_) => None,
    }
}

impl QueuePlace<'_> {
    /// Waits for its turn; false if the request was dropped.
    async fn turn(&self) -> bool {
        loop {
            let take_turn = |host: &mut Host| host.turn(self.client, self.number, Instant::now());
            match self.targets.with_host(&self.host, take_turn) {
                Some(Turn::Now) => return true,
                Some(Turn::At(at)) => sleep_until(at).await,
                Some(Turn::Later) => self.changed.notified().await,
                Some(Turn::TurnedAway) | None => return false,
            }
        }
    }
}

impl Drop for QueuePlace<'_> {
    fn drop(&mut self) {
        self.targets.with_host(&self.host, |host| {
            host.queue.leave(self.client, self.number)
        });
    }
}

impl Permit {
    /// The client that caused the request.
    pub(crate) const fn client(&self) -> Network {
        self.client
    }

    /// Waits until its host may be sent one more request under this permit, and counts that.
    pub(crate) fn another(&self) -> impl Future<Output = ()> + Send + use<> {
        let (targets, host) = (Arc::clone(&self.targets), self.host.clone());
        async move {
            let take = |host: &mut Host| host.take_another(Instant::now());
            while let Some(Err(at)) = targets.with_host(&host, take) {
                sleep_until(at).await;
            }
        }
    }
}

impl net::Permit for Permit {
    fn reached(&mut self) {
        if let Some(addr) = self.addr {
            lock(&self.targets.state).unreachable.reached(addr);
        }
    }

    fn failed(&mut self) {
        if let Some(addr) = self.addr {
            lock(&self.targets.state)
                .unreachable
                .failed(addr, self.client, Instant::now());
        }
    }

    fn may_read_on(&mut self, read: usize) -> bool {
        self.targets
            .with_host(&self.host, |host| {
                host.count_read(self.client, read, Instant::now())
            })
            .unwrap_or(false)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.targets.with_host(&self.host, Host::finish);
    }
}

impl Drop for OwnerRecord {
    fn drop(&mut self) {
        lock(&self.targets.clients).remove(&self.owner);
    }
}

#[cfg(test)]
mod tests;
