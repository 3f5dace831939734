//! How often one host may be reached, whatever leads there: peers, trackers, each hop of a
//! redirect, names that are looked up. Over all sessions, with the clients that want it in turn.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aqueduct_native::net::{self, Denied, Place};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use crate::limits::Limits;
use crate::limits::bucket::{Bucket, Table, lock};
use crate::limits::failing::Failing;
use crate::limits::fair_queue::FairQueue;
use crate::limits::network::{Network, Networks, network_of};

/// Requests that wait for their turn at one host. One more turns away the last one of the client
/// that has most of them there.
const MOST_WAITING: usize = 40;
/// Longest wait for a turn.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// After a pause, so many seconds' worth of bytes are read at once.
const READ_BURST: u32 = 80;
/// The part of what is read from a host that one client may cause: one in so many.
const READ_SHARE: u32 = 4;

/// The hosts, and what is under way there.
#[derive(Debug)]
pub(crate) struct Targets {
    rates: Rates,
    state: Mutex<State>,
    /// Which client an owner of joins is, as long as it is there.
    owners: Mutex<BTreeMap<u64, Network>>,
}

/// What each host may have.
#[derive(Clone, Copy, Debug)]
struct Rates {
    per_second: u32,
    at_a_time: u32,
    bytes_per_second: u32,
}

#[derive(Debug)]
struct State {
    hosts: Table<Name, Host>,
    failing: Failing,
    /// Of the last request that had to wait.
    number: u64,
}

/// What is counted as one host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    /// An address, or its /64 of IPv6.
    Network(IpAddr),
    /// The domain that a name is in. It stands for the name servers behind it.
    Domain(String),
}

#[derive(Debug)]
struct Host {
    rates: Rates,
    requests: Bucket,
    under_way: u32,
    line: FairQueue,
    read: Bucket,
    read_by: BTreeMap<Network, Bucket>,
}

/// A request under way. It is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    targets: Arc<Targets>,
    name: Name,
    addr: Option<SocketAddr>,
    client: Network,
}

/// What comes of a request at once.
#[derive(Debug)]
pub(crate) enum Begun {
    /// It may be made.
    Now(Permit),
    /// Others are before it.
    Later,
    /// It is not made.
    Denied(Denied),
}

/// A request in the line. It gives up its place when dropped.
struct Ticket<'a> {
    targets: &'a Targets,
    name: Name,
    client: Network,
    number: u64,
    bell: Arc<Notify>,
}

/// Whether a request in the line may go on.
enum Turn {
    Now,
    At(Instant),
    /// When the bell rings.
    Later,
    TurnedAway,
}

/// An owner whose client is known until this is dropped.
#[derive(Debug)]
pub(crate) struct Introduced {
    targets: Arc<Targets>,
    owner: u64,
}

impl Targets {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        let rates = Rates {
            per_second: limits.dials_per_target,
            at_a_time: limits.half_open_per_target,
            bytes_per_second: limits.bytes_per_target,
        };
        let state = State {
            hosts: Table::default(),
            failing: Failing::new(limits),
            number: 0,
        };
        Arc::new(Self {
            rates,
            state: Mutex::new(state),
            owners: Mutex::default(),
        })
    }

    /// Says which client an owner of joins is.
    pub(crate) fn introduce(self: &Arc<Self>, owner: u64, ip: IpAddr) -> Introduced {
        lock(&self.owners).insert(owner, Networks::of(ip).site());
        Introduced {
            targets: Arc::clone(self),
            owner,
        }
    }

    /// Those that are gone say their farewells as one client.
    pub(crate) fn client(&self, owner: u64) -> Network {
        lock(&self.owners)
            .get(&owner)
            .copied()
            .unwrap_or_else(|| Networks::of(Ipv6Addr::UNSPECIFIED.into()).site())
    }

    /// Begins a request, if it may be made at once.
    pub(crate) fn begin(self: &Arc<Self>, place: Place<'_>, client: Network) -> Begun {
        let (now, name, addr) = (Instant::now(), Name::of(place), addr(place));
        let mut state = lock(&self.state);
        state.prune(now);
        if let Some(left) = addr.and_then(|addr| state.failing.rest(addr, client, now)) {
            return Begun::Denied(Denied::Resting(left));
        }
        let host = state.host(&name, self.rates, now);
        if let Some(wait) = host.rests_from_reading(client, now) {
            return Begun::Denied(Denied::Busy(wait));
        }
        if !host.line.is_empty() || host.take(now).is_err() {
            return Begun::Later;
        }
        drop(state);
        Begun::Now(Permit {
            targets: Arc::clone(self),
            name,
            addr,
            client,
        })
    }

    /// Waits until a request may be made.
    pub(crate) async fn wait(
        self: &Arc<Self>,
        place: Place<'_>,
        client: Network,
    ) -> Result<Permit, Denied> {
        match self.begin(place, client) {
            Begun::Now(permit) => return Ok(permit),
            Begun::Denied(denied) => return Err(denied),
            Begun::Later => {}
        }
        let busy = Denied::Busy(LONGEST_WAIT);
        let ticket = self.line_up(Name::of(place), client).ok_or(busy)?;
        let granted = timeout(LONGEST_WAIT, ticket.turn())
            .await
            .is_ok_and(|turn| turn);
        if !granted {
            return Err(busy);
        }
        Ok(Permit {
            targets: Arc::clone(self),
            name: ticket.name.clone(),
            addr: addr(place),
            client,
        })
    }

    fn line_up(&self, name: Name, client: Network) -> Option<Ticket<'_>> {
        let mut state = lock(&self.state);
        state.number += 1;
        let number = state.number;
        let bell = state.host(&name, self.rates, Instant::now()).line.join(
            client,
            number,
            MOST_WAITING,
        )?;
        Some(Ticket {
            targets: self,
            name,
            client,
            number,
            bell,
        })
    }

    /// Changes what is known of a host that is known.
    fn with_host<T>(&self, name: &Name, change: impl FnOnce(&mut Host) -> T) -> Option<T> {
        lock(&self.state).hosts.entries.get_mut(name).map(change)
    }
}

impl State {
    fn host(&mut self, name: &Name, rates: Rates, now: Instant) -> &mut Host {
        self.hosts
            .entries
            .entry(name.clone())
            .or_insert_with(|| Host::new(rates, now))
    }

    fn prune(&mut self, now: Instant) {
        self.hosts.sweep(|_, host| !host.is_forgettable(now));
        self.failing.prune(now);
    }
}

impl Name {
    fn of(place: Place<'_>) -> Self {
        match place {
            Place::Addr(addr) => Self::Network(network_of(addr.ip())),
            // The last two labels: whoever owns a domain has as many names below it as it likes.
            Place::Name(name) => {
                Self::Domain(name.rsplitn(3, '.').take(2).collect::<Vec<_>>().join("."))
            }
        }
    }
}

const fn addr(place: Place<'_>) -> Option<SocketAddr> {
    match place {
        Place::Addr(addr) => Some(addr),
        Place::Name(_) => None,
    }
}

impl Host {
    fn new(rates: Rates, now: Instant) -> Self {
        let read = reading(rates.bytes_per_second, now);
        Self {
            rates,
            requests: Bucket::new(rates.per_second, now),
            under_way: 0,
            line: FairQueue::default(),
            read,
            read_by: BTreeMap::new(),
        }
    }

    /// Takes a request off the rate; otherwise says when to try again, if that is known.
    fn take(&mut self, now: Instant) -> Result<(), Option<Instant>> {
        if self.under_way >= self.rates.at_a_time {
            return Err(None);
        }
        self.requests.take(now).map_err(Some)?;
        self.under_way += 1;
        Ok(())
    }

    fn turn(&mut self, client: Network, number: u64, now: Instant) -> Turn {
        if self.line.front() != Some(number) {
            return if self.line.holds(client, number) {
                Turn::Later
            } else {
                Turn::TurnedAway
            };
        }
        if self.rests_from_reading(client, now).is_some() {
            return Turn::TurnedAway;
        }
        match self.take(now) {
            Ok(()) => {
                self.line.advance();
                Turn::Now
            }
            Err(Some(at)) => Turn::At(at),
            Err(None) => Turn::Later,
        }
    }

    fn is_over(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
        self.line.ring();
    }

    fn rests_from_reading(&mut self, client: Network, now: Instant) -> Option<Duration> {
        let all = self.read.check(now).err();
        let its_own = self
            .read_by
            .get_mut(&client)
            .and_then(|read| read.check(now).err());
        all.max(its_own).map(|at| at.saturating_duration_since(now))
    }

    /// Counts bytes that were read; says whether more may be.
    fn read(&mut self, client: Network, bytes: usize, now: Instant) -> bool {
        let share = self.rates.bytes_per_second / READ_SHARE;
        let its_own = self
            .read_by
            .entry(client)
            .or_insert_with(|| reading(share, now));
        its_own.spend(bytes, now) & self.read.spend(bytes, now)
    }

    /// Whether there is nothing to know of it.
    fn is_forgettable(&mut self, now: Instant) -> bool {
        self.read_by.retain(|_, read| !read.is_full(now));
        self.under_way == 0
            && self.line.is_empty()
            && self.requests.is_full(now)
            && self.read.is_full(now)
            && self.read_by.is_empty()
    }
}

fn reading(per_second: u32, now: Instant) -> Bucket {
    Bucket::with_burst(
        per_second.into(),
        per_second.saturating_mul(READ_BURST),
        now,
    )
}

impl Ticket<'_> {
    /// Waits for its turn; false if it was turned away.
    async fn turn(&self) -> bool {
        loop {
            let look = |host: &mut Host| host.turn(self.client, self.number, Instant::now());
            match self.targets.with_host(&self.name, look) {
                Some(Turn::Now) => return true,
                Some(Turn::At(at)) => sleep_until(at).await,
                Some(Turn::Later) => self.bell.notified().await,
                Some(Turn::TurnedAway) | None => return false,
            }
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.targets
            .with_host(&self.name, |host| host.line.leave(self.client, self.number));
    }
}

impl net::Permit for Permit {
    fn reached(&mut self) {
        if let Some(addr) = self.addr {
            lock(&self.targets.state).failing.reached(addr);
        }
    }

    fn failed(&mut self) {
        if let Some(addr) = self.addr {
            lock(&self.targets.state)
                .failing
                .failed(addr, self.client, Instant::now());
        }
    }

    fn may_read_on(&mut self, read: usize) -> bool {
        self.targets
            .with_host(&self.name, |host| {
                host.read(self.client, read, Instant::now())
            })
            .unwrap_or(false)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.targets.with_host(&self.name, Host::is_over);
    }
}

impl Drop for Introduced {
    fn drop(&mut self) {
        lock(&self.targets.owners).remove(&self.owner);
    }
}

#[cfg(test)]
mod tests {
    use aqueduct_native::net::Permit as _;

    use super::*;

    fn client(last: u8) -> Network {
        Networks::of([192, 0, 2, last].into()).site()
    }

    fn place(port: u16) -> Place<'static> {
        Place::Addr(SocketAddr::from(([1, 2, 3, 4], port)))
    }

    fn begin(targets: &Arc<Targets>, place: Place<'_>) -> Option<Permit> {
        if let Begun::Now(permit) = targets.begin(place, client(1)) {
            Some(permit)
        } else {
            None
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_host_is_reached_twice_a_second_whatever_the_port() {
        let targets = Targets::new(&Limits::default());
        for second in 0..3 {
            let permits: Vec<_> = (0..5)
                .map(|port| begin(&targets, place(6881 + port)))
                .collect();
            assert_eq!(permits.iter().flatten().count(), 2, "second {second}");
            let other = Place::Addr("1.2.3.5:6881".parse().unwrap());
            assert!(
                begin(&targets, other).is_some(),
                "another host is not concerned"
            );
            tokio::time::advance(Duration::from_millis(1001)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn at_most_twenty_requests_to_one_host_are_under_way() {
        let targets = Targets::new(&Limits::default());
        let mut permits = Vec::new();
        for port in 0..25 {
            permits.extend(begin(&targets, place(2000 + port)));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(permits.len(), 20);
        drop(permits);
        assert!(begin(&targets, place(3000)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn names_below_one_domain_share_its_rate() {
        let targets = Targets::new(&Limits::default());
        let names = [
            "a.example.net",
            "b.example.net",
            "c.a.example.net",
            "example.net",
        ];
        let permits = names.map(|name| begin(&targets, Place::Name(name)));
        assert_eq!(permits.iter().flatten().count(), 2);
        assert!(begin(&targets, Place::Name("example.org")).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn clients_take_turns_and_who_waits_is_served_at_the_rate() {
        let targets = Targets::new(&Limits::default());
        let (sender, mut served) = tokio::sync::mpsc::unbounded_channel();
        let begun = Instant::now();
        for n in [1, 1, 1, 1, 1, 1, 1, 1, 2] {
            let (targets, sender) = (Arc::clone(&targets), sender.clone());
            tokio::spawn(async move {
                let _permit = targets.wait(place(6881), client(n)).await.unwrap();
                sender.send((n, begun.elapsed().as_millis() / 500)).unwrap();
            });
        }
        drop(sender);
        let mut order = Vec::new();
        while let Some(next) = served.recv().await {
            order.push(next);
        }
        assert_eq!(
            order,
            [
                (1, 0),
                (1, 0),
                (1, 1),
                (2, 2),
                (1, 3),
                (1, 4),
                (1, 5),
                (1, 6),
                (1, 7)
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_is_of_use_and_who_gives_up_holds_up_nobody() {
        let targets = Targets::new(&Limits {
            half_open_per_target: 1,
            ..Limits::default()
        });
        let held = begin(&targets, place(1)).unwrap();
        let begun = Instant::now();
        assert_eq!(
            targets.wait(place(1), client(2)).await.unwrap_err(),
            Denied::Busy(LONGEST_WAIT)
        );
        assert_eq!(begun.elapsed(), LONGEST_WAIT);
        drop(held);
        assert!(begin(&targets, place(1)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_read_from_a_host_has_a_bound_and_one_client_has_a_share_of_it() {
        let targets = Targets::new(&Limits::default());
        let rate = Limits::default().bytes_per_target;
        let share = (rate / READ_SHARE * READ_BURST) as usize;
        let mut permit = begin(&targets, place(1)).unwrap();
        let _second = begin(&targets, place(1)).unwrap();
        let waiting = {
            let targets = Arc::clone(&targets);
            tokio::spawn(async move { targets.wait(place(1), client(1)).await.map(drop) })
        };
        tokio::task::yield_now().await;
        assert!(permit.may_read_on(share - 1) && !permit.may_read_on(rate as usize));
        assert!(matches!(
            targets.begin(place(1), client(1)),
            Begun::Denied(Denied::Busy(_))
        ));
        assert!(
            matches!(waiting.await, Ok(Err(Denied::Busy(_)))),
            "also for whoever waits already"
        );
        for n in 2..=READ_SHARE {
            tokio::time::advance(Duration::from_secs(1)).await;
            let Begun::Now(mut permit) = targets.begin(place(1), client(u8::try_from(n).unwrap()))
            else {
                panic!("client {n} has a share")
            };
            permit.may_read_on(share);
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        let before = targets.begin(place(1), client(9));
        assert!(
            matches!(before, Begun::Now(_)),
            "a few seconds' worth is left"
        );
        let Begun::Now(mut permit) = before else {
            return;
        };
        permit.may_read_on(share);
        assert!(
            matches!(
                targets.begin(place(1), client(10)),
                Begun::Denied(Denied::Busy(_))
            ),
            "the host is left alone"
        );
    }
}
