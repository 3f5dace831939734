//! Rates: how often strangers may make the bridge do something.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::Limits;
use crate::network::network_of;

/// Entries beyond which those that say nothing any more are thrown away.
const MANY: usize = 4096;
/// Failing targets that are remembered. Those beyond are dialled again as if nothing had been: the other limits hold for them, too.
const MOST_FAILING: usize = 1 << 17;
/// Seconds after which a bucket that never fills (a rate of 0) is asked again.
const LONGEST_WAIT: f64 = 3600.0;

/// Grants so many a second, and some at once after a pause.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    /// After a pause, what is granted in a second is granted at once.
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        Self::with_burst(per_second.into(), per_second, now)
    }

    /// After a pause, what is granted in a minute is granted at once.
    pub(crate) fn a_minute(per_minute: u32, now: Instant) -> Self {
        Self::with_burst(f64::from(per_minute) / 60.0, per_minute, now)
    }

    /// After a pause, `burst` are granted at once.
    pub(crate) fn with_burst(per_second: f64, burst: u32, now: Instant) -> Self {
        Self { per_second, burst: burst.into(), tokens: burst.into(), filled: now }
    }

    /// Takes one; otherwise says when there will be one.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        self.check(now)?;
        self.tokens -= 1.0;
        Ok(())
    }

    /// Takes so many, also more than there are: there will be none until that is made up for.
    pub(crate) const fn charge(&mut self, cost: f64) {
        self.tokens -= cost;
    }

    /// Whether there is one; otherwise when.
    pub(crate) fn check(&mut self, now: Instant) -> Result<(), Instant> {
        self.fill(now);
        if self.tokens >= 1.0 {
            return Ok(());
        }
        let wait = ((1.0 - self.tokens) / self.per_second).clamp(0.0, LONGEST_WAIT);
        // A little more, so that rounding never leaves it a hair short.
        Err(now + Duration::from_secs_f64(wait) + Duration::from_millis(1))
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        self.filled = now;
    }

    pub(crate) fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.tokens >= self.burst
    }
}
/// A map that is swept of what says nothing any more whenever it has twice as many entries as the last sweep left: that costs little an entry,
/// however many there are.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    pub(crate) entries: BTreeMap<K, V>,
    sweep_at: usize,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), sweep_at: MANY }
    }
}

impl<K: Ord, V> Table<K, V> {
    pub(crate) fn sweep(&mut self, stays: impl FnMut(&K, &mut V) -> bool) {
        if self.entries.len() >= self.sweep_at {
            self.entries.retain(stays);
            self.sweep_at = (self.entries.len() * 2).max(MANY);
        }
    }
}

/// Dials by target, over all sessions: nobody is hammered by a crowd of tabs that were told the same address.
#[derive(Debug)]
pub(crate) struct Targets {
    per_second: u32,
    at_a_time: u32,
    failures: u32,
    rest: Duration,
    state: Mutex<TargetState>,
}

#[derive(Debug, Default)]
struct TargetState {
    hosts: Table<IpAddr, Host>,
    failing: Table<SocketAddr, Failing>,
}

#[derive(Debug)]
struct Host {
    dials: Bucket,
    under_way: u32,
}

#[derive(Debug)]
struct Failing {
    times: u32,
    since: Instant,
}

/// A dial that is not made now; try again at this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotNow(pub(crate) Instant);

/// A dial under way. Dropped without [`Dial::succeeded`], it failed.
#[derive(Debug)]
pub(crate) struct Dial {
    targets: Arc<Targets>,
    addr: SocketAddr,
    success: bool,
}

impl Targets {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            per_second: limits.dials_per_target,
            at_a_time: limits.half_open_per_target,
            failures: limits.failures_per_target,
            rest: limits.target_rest.0,
            state: Mutex::default(),
        })
    }

    /// Begins a dial, if the target may be dialled now.
    pub(crate) fn begin(self: &Arc<Self>, addr: SocketAddr) -> Result<Dial, NotNow> {
        let now = Instant::now();
        let mut state = lock(&self.state);
        state.prune(now, self.rest);
        if let Some(failing) = state.failing.entries.get(&addr).filter(|failing| failing.times >= self.failures && now < failing.since + self.rest) {
            return Err(NotNow(failing.since + self.rest));
        }
        let host = state.hosts.entries.entry(network_of(addr.ip()));
        let host = host.or_insert_with(|| Host { dials: Bucket::new(self.per_second, now), under_way: 0 });
        if host.under_way >= self.at_a_time {
            return Err(NotNow(now + Duration::from_secs(1)));
        }
        host.dials.take(now).map_err(NotNow)?;
        host.under_way += 1;
        Ok(Dial { targets: Arc::clone(self), addr, success: false })
    }
}

impl TargetState {
    fn prune(&mut self, now: Instant, rest: Duration) {
        self.hosts.sweep(|_, host| host.under_way > 0 || !host.dials.is_full(now));
        self.failing.sweep(|_, failing| now < failing.since + rest);
    }

    fn failed(&mut self, addr: SocketAddr, now: Instant, rest: Duration) {
        let Table { entries, .. } = &mut self.failing;
        if entries.len() >= MOST_FAILING && !entries.contains_key(&addr) {
            return;
        }
        let failing = entries.entry(addr).or_insert(Failing { times: 0, since: now });
        let rested = now >= failing.since + rest;
        *failing = Failing { times: if rested { 1 } else { failing.times + 1 }, since: now };
    }
}

impl Dial {
    pub(crate) fn succeeded(mut self) {
        self.success = true;
    }
}

impl Drop for Dial {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = lock(&self.targets.state);
        if let Some(host) = state.hosts.entries.get_mut(&network_of(self.addr.ip())) {
            host.under_way = host.under_way.saturating_sub(1);
        }
        if self.success {
            state.failing.entries.remove(&self.addr);
        } else {
            state.failed(self.addr, now, self.targets.rest);
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn one_host_is_dialled_twice_a_second_whatever_the_port() {
        let targets = Targets::new(&Limits::default());
        for second in 0..3 {
            let dials: Vec<_> = (0..5).map(|port| targets.begin(SocketAddr::from(([1, 2, 3, 4], 6881 + port)))).collect();
            assert_eq!(dials.iter().filter(|dial| dial.is_ok()).count(), 2, "second {second}");
            dials.into_iter().flatten().for_each(Dial::succeeded);
            assert!(targets.begin(addr("1.2.3.5:6881")).map(Dial::succeeded).is_ok(), "another host is not concerned");
            tokio::time::advance(Duration::from_millis(1001)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn three_failures_bring_ten_minutes_of_rest() {
        let targets = Targets::new(&Limits::default());
        for _ in 0..3 {
            assert!(targets.begin(addr("1.2.3.4:6881")).is_ok());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let until = Instant::now() + Duration::from_secs(599);
        assert_eq!(targets.begin(addr("1.2.3.4:6881")).unwrap_err(), NotNow(until));
        assert!(targets.begin(addr("1.2.3.4:6882")).is_ok(), "another port is another peer");
        tokio::time::advance(Duration::from_secs(599)).await;
        assert!(targets.begin(addr("1.2.3.4:6881")).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn at_most_twenty_dials_to_one_host_are_under_way() {
        let targets = Targets::new(&Limits::default());
        let mut dials = Vec::new();
        for port in 0..25 {
            dials.extend(targets.begin(SocketAddr::from(([1, 2, 3, 4], 2000 + port))).ok());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(dials.len(), 20);
        drop(dials);
        assert!(targets.begin(addr("1.2.3.4:3000")).is_ok());
    }

    #[test]
    fn a_table_is_swept_seldom_but_does_not_keep_the_past() {
        let (mut table, mut looked) = (Table::default(), 0);
        for n in 0..100_000 {
            table.sweep(|_, ()| {
                looked += 1;
                true
            });
            table.entries.insert(n, ());
        }
        assert!(looked < 200_000, "{looked} looks at 100000 entries");
        for n in 100_000..200_000 {
            table.sweep(|_, ()| false);
            table.entries.insert(n, ());
        }
        assert!(table.entries.len() <= 100_000, "{} entries", table.entries.len());
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_remembered_of_so_many_targets() {
        let (mut state, now) = (TargetState::default(), Instant::now());
        for n in 0..u32::try_from(MOST_FAILING).unwrap() + 100 {
            state.failed(SocketAddr::from((n.to_be_bytes(), 6881)), now, Duration::from_secs(600));
        }
        assert_eq!(state.failing.entries.len(), MOST_FAILING);
    }
}
