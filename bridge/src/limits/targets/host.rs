//! Limits on simultaneous requests to one target.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use aqueduct_core::net::Limit;
use aqueduct_native::net::Place;
use tokio::time::Instant;

use crate::limits::Limits;
use crate::limits::bucket::Bucket;
use crate::limits::fair_queue::FairQueue;
use crate::limits::network::{Network, network_of};

/// The number of seconds' worth of bytes that may be read in a burst.
pub(super) const READ_BURST: u32 = 80;
/// The share of the bytes read from a host that one client may cause, as a divisor.
pub(super) const READ_SHARE: u32 = 4;

/// What counts as one host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HostName {
    /// An IPv4 address, or the /64 of an IPv6 address.
    Network(IpAddr),
    /// The domain of a name. It represents the name servers behind it.
    Domain(String),
}

impl HostName {
    pub(super) fn of(place: Place<'_>) -> Self {
        match place {
            Place::Addr(addr) => Self::Network(network_of(addr.ip())),
            // The last two labels, since the owner of a domain can create any number of names below
            // it.
            Place::Name(name) => {
                Self::Domain(name.rsplitn(3, '.').take(2).collect::<Vec<_>>().join("."))
            }
        }
    }
}

/// The limits of each host.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostLimits {
    /// Requests per second.
    requests: u32,
    /// Requests under way at a time.
    under_way: u32,
    /// Bytes per second that are read.
    bytes: u32,
}

impl HostLimits {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self {
            requests: limits.dials_per_target,
            under_way: limits.half_open_per_target,
            bytes: limits.bytes_per_target,
        }
    }
}

/// Whether a queued request may start.
pub(super) enum Turn {
    Now,
    At(Instant),
    /// After a notification.
    Later,
    TurnedAway,
}

/// One host, and the requests to it.
#[derive(Debug)]
pub(super) struct Host {
    limits: HostLimits,
    requests: Bucket,
    under_way: u32,
    pub(super) queue: FairQueue,
    read: Bucket,
    read_by: BTreeMap<Network, Bucket>,
}

impl Host {
    pub(super) fn new(limits: HostLimits, now: Instant) -> Self {
        Self {
            limits,
            requests: Bucket::new(Limit::per_second(limits.requests.into()), now),
            under_way: 0,
            queue: FairQueue::default(),
            read: read_bucket(limits.bytes, now),
            read_by: BTreeMap::new(),
        }
    }

    /// Starts a request that is not queued; false if it has to wait.
    pub(super) fn start(&mut self, now: Instant) -> bool {
        self.queue.is_empty() && self.take(now).is_ok()
    }

    /// Charges a request to the rate limit; otherwise returns when to try again, if that is known.
    fn take(&mut self, now: Instant) -> Result<(), Option<Instant>> {
        if self.under_way >= self.limits.under_way {
            return Err(None);
        }
        self.requests.take(now).map_err(Some)?;
        self.under_way += 1;
        Ok(())
    }

    /// Counts one more request under the permit of one that is under way; otherwise returns when to
    /// try again.
    pub(super) fn take_another(&mut self, now: Instant) -> Result<(), Instant> {
        self.requests.take(now)
    }

    /// Starts a queued request if it is its turn.
    pub(super) fn turn(&mut self, client: Network, number: u64, now: Instant) -> Turn {
        if self.queue.front() != Some(number) {
            return if self.queue.holds(client, number) {
                Turn::Later
            } else {
                Turn::TurnedAway
            };
        }
        if self.read_pause(client, now).is_some() {
            return Turn::TurnedAway;
        }
        match self.take(now) {
            Ok(()) => {
                self.queue.advance();
                Turn::Now
            }
            Err(Some(at)) => Turn::At(at),
            Err(None) => Turn::Later,
        }
    }

    /// Ends a request.
    pub(super) fn finish(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
        self.queue.notify_front();
    }

    /// How long this client may not send requests to this host, because too much was read from it.
    pub(super) fn read_pause(&mut self, client: Network, now: Instant) -> Option<Duration> {
        let all = self.read.check(now).err();
        let its_own = self
            .read_by
            .get_mut(&client)
            .and_then(|read| read.check(now).err());
        all.max(its_own).map(|at| at.saturating_duration_since(now))
    }

    /// Counts bytes that were read. Returns whether more may be.
    pub(super) fn count_read(&mut self, client: Network, bytes: usize, now: Instant) -> bool {
        let share = self.limits.bytes / READ_SHARE;
        let its_own = self
            .read_by
            .entry(client)
            .or_insert_with(|| read_bucket(share, now));
        its_own.charge(bytes, now);
        self.read.charge(bytes, now);
        its_own.check(now).is_ok() & self.read.check(now).is_ok()
    }

    /// Whether it differs from a host that was never contacted.
    pub(super) fn is_needed(&mut self, now: Instant) -> bool {
        self.read_by.retain(|_, read| !read.is_full(now));
        self.under_way > 0
            || !self.queue.is_empty()
            || !self.requests.is_full(now)
            || !self.read.is_full(now)
            || !self.read_by.is_empty()
    }
}

fn read_bucket(per_second: u32, now: Instant) -> Bucket {
    let limit = Limit::per_second(per_second.into());
    let burst = u64::from(per_second) * u64::from(READ_BURST);
    Bucket::new(limit.with_burst(burst), now)
}
