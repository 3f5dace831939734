//! The limit on memory. Above it the bridge refuses new sessions and ends those that hold the most.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Context;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;
use tokio::time::{Instant, interval, sleep};

use crate::sync::lock;

/// The interval at which the process's memory is read.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);
/// The interval at which the sessions' memory is checked while it exceeds the limit.
const ALARM_INTERVAL: Duration = Duration::from_millis(10);
/// The time within which the allocator returns freed memory to the system. Until then, the memory
/// of ended sessions is subtracted from the process's memory.
const RELEASE_TIME: Duration = Duration::from_secs(15);
/// The number of bytes that every session may hold; a well-behaved session may need this much.
const MIN_SHARE: u64 = 128 * 1024;

/// The limit, and the memory that sessions hold.
#[derive(Debug)]
pub(crate) struct Memory {
    /// In bytes; `None` if the system does not report its memory.
    limit: Option<u64>,
    full: AtomicBool,
    /// The number of bytes that all sessions hold together.
    held: AtomicUsize,
    /// Notified when that exceeds the limit.
    alarm: Notify,
    sessions: Mutex<Sessions>,
}

#[derive(Debug, Default)]
struct Sessions {
    next: u64,
    held: BTreeMap<u64, Arc<Held>>,
    /// When the last session was ended, and the bytes that ended sessions held.
    ended: Option<(Instant, u64)>,
}

/// The memory that one session holds.
#[derive(Debug, Default)]
struct Held {
    /// Bytes of an incomplete message.
    unfinished: AtomicUsize,
    /// Bytes of queued messages.
    queued: AtomicUsize,
    ended: AtomicBool,
    waker: AtomicWaker,
}

/// A session's entry among those that hold memory; removed when dropped.
#[derive(Debug)]
pub(crate) struct SessionMemory {
    memory: Arc<Memory>,
    number: u64,
    held: Arc<Held>,
}

impl Memory {
    /// `limit`: bytes; 0: 90 % of what the machine or the control group has.
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        let limit = if limit > 0 {
            Some(limit)
        } else {
            granted().map(|bytes| bytes / 10 * 9)
        };
        let memory = Self {
            limit,
            full: AtomicBool::new(false),
            held: AtomicUsize::new(0),
            alarm: Notify::new(),
            sessions: Mutex::default(),
        };
        memory.check();
        Arc::new(memory)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// An entry for a new session.
    pub(crate) fn add_session(self: &Arc<Self>) -> SessionMemory {
        let (mut sessions, held) = (lock(&self.sessions), Arc::<Held>::default());
        let number = sessions.next;
        sessions.next += 1;
        sessions.held.insert(number, Arc::clone(&held));
        SessionMemory {
            memory: Arc::clone(self),
            number,
            held,
        }
    }

    /// Runs the checks until the task is dropped.
    pub(crate) async fn watch(&self) {
        let mut every = interval(CHECK_INTERVAL);
        loop {
            tokio::select! {
                _ = every.tick() => self.check(),
                // The data read between two checks may be several times the limit.
                () = self.alarm.notified() => {
                    self.end_largest(0);
                    sleep(ALARM_INTERVAL).await;
                }
            }
        }
    }

    fn check(&self) {
        let Some((limit, resident)) = self.limit.zip(resident()) else {
            return;
        };
        self.full.store(resident >= limit, Ordering::Relaxed);
        if resident >= limit {
            self.end_largest(resident);
        }
    }

    /// `resident`: the process's memory in bytes, if it exceeds the limit.
    fn end_largest(&self, resident: u64) {
        if let Some(limit) = self.limit {
            lock(&self.sessions).end_largest(limit, resident, Instant::now());
        }
    }

    /// Whether this is more than all sessions may hold together, which is half the limit.
    fn is_too_much(&self, held: usize) -> bool {
        self.limit.is_some_and(|limit| held as u64 > limit / 2)
    }

    fn change(&self, before: usize, now: usize) {
        let held = if now >= before {
            self.held.fetch_add(now - before, Ordering::Relaxed)
        } else {
            self.held.fetch_sub(before - now, Ordering::Relaxed)
        };
        if now > before && self.is_too_much(held.saturating_add(now - before)) {
            self.alarm.notify_one();
        }
    }
}

impl Sessions {
    /// Ends the sessions that hold the most, if that is more than an equal share of half the limit,
    /// until the others hold at most half the limit together and the process is within the limit.
    fn end_largest(&mut self, limit: u64, resident: u64, now: Instant) {
        let mut ended = self
            .ended
            .filter(|(at, _)| now.saturating_duration_since(*at) < RELEASE_TIME)
            .map_or(0, |(_, bytes)| bytes);
        // A twentieth less than the limit, since the next check would reach it again otherwise.
        let of_process = resident
            .saturating_sub(limit - limit / 20)
            .saturating_sub(ended);
        let live: Vec<(u64, &Held)> = self
            .held
            .values()
            .filter(|held| !held.is_ended())
            .map(|held| (held.bytes(), &**held))
            .collect();
        let of_sessions = live
            .iter()
            .map(|(bytes, _)| bytes)
            .sum::<u64>()
            .saturating_sub(limit / 2);
        let share = (limit / 2 / (live.len() as u64).max(1)).max(MIN_SHARE);
        let mut beyond: Vec<(u64, &Held)> = live
            .into_iter()
            .filter(|(bytes, _)| *bytes > share)
            .collect();
        beyond.sort_unstable_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
        let mut missing = of_process.max(of_sessions);
        for (bytes, held) in beyond {
            if missing == 0 {
                break;
            }
            held.end();
            missing = missing.saturating_sub(bytes);
            ended += bytes;
            self.ended = Some((now, ended));
        }
    }
}

impl Held {
    fn bytes(&self) -> u64 {
        (self.unfinished.load(Ordering::Relaxed) + self.queued.load(Ordering::Relaxed)) as u64
    }

    fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.waker.wake();
    }
}

impl SessionMemory {
    pub(crate) fn set_unfinished(&self, bytes: usize) {
        self.memory
            .change(self.held.unfinished.swap(bytes, Ordering::Relaxed), bytes);
    }

    pub(crate) fn set_queued(&self, bytes: usize) {
        self.memory
            .change(self.held.queued.swap(bytes, Ordering::Relaxed), bytes);
    }

    /// Whether the session must end; its task is woken when that changes.
    pub(crate) fn poll_ended(&self, cx: &Context<'_>) -> bool {
        self.held.is_ended() || {
            self.held.waker.register(cx.waker());
            self.held.is_ended()
        }
    }
}

impl Drop for SessionMemory {
    fn drop(&mut self) {
        self.set_unfinished(0);
        self.set_queued(0);
        lock(&self.memory.sessions).held.remove(&self.number);
    }
}

/// The memory of this process in bytes.
fn resident() -> Option<u64> {
    field(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// The memory in bytes of the machine, or the limit of this process's control group or one of its
/// parents.
fn granted() -> Option<u64> {
    let machine = field(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:");
    let group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = group
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))
        .unwrap_or_default();
    let files = Path::new(group)
        .ancestors()
        .map(|group| Path::new("/sys/fs/cgroup").join(group).join("memory.max"));
    // A group without a limit says `max`.
    let groups = files.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok());
    machine.into_iter().chain(groups).min()
}

/// The value of a line such as `VmRSS:     5120 kB`, in bytes.
fn field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_reached_or_not() {
        assert!(Memory::new(1).is_full());
        assert!(!Memory::new(u64::MAX).is_full());
        assert!(
            !Memory::new(0).is_full(),
            "a test takes less than the machine has"
        );
    }

    #[test]
    fn the_systems_figures_are_read() {
        let text = "Name:\tbridge\nVmRSS:\t    5120 kB\nThreads:\t3\n";
        assert_eq!(field(text, "VmRSS:"), Some(5_242_880));
        assert_eq!(
            (field(text, "Threads:"), field(text, "VmHWM:")),
            (None, None)
        );
        assert!(resident().is_some_and(|bytes| granted().is_some_and(|all| bytes < all)));
    }

    /// The indices of the sessions that are ended.
    fn ended(sessions: &mut Sessions, limit: u64, resident: u64, now: Instant) -> Vec<usize> {
        sessions.end_largest(limit << 10, resident << 10, now);
        sessions
            .held
            .values()
            .enumerate()
            .filter(|(_, held)| held.is_ended())
            .map(|(at, _)| at)
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_that_hold_most_beyond_their_share_are_ended_and_none_is_counted_twice() {
        let mut sessions = Sessions::default();
        for (number, kibibytes) in [100, 3000, 10, 1100, 2000].into_iter().enumerate() {
            sessions.held.insert(
                number as u64,
                Arc::new(Held {
                    queued: AtomicUsize::new(kibibytes << 10),
                    ..Held::default()
                }),
            );
        }
        let now = Instant::now();
        assert_eq!(
            ended(&mut sessions, 20_000, 19_000, now),
            [],
            "there is room"
        );
        assert_eq!(
            ended(&mut sessions, 10_000, 1000, now),
            [1],
            "6210 KiB are held, and 5000 may be"
        );
        assert_eq!(
            ended(&mut sessions, 10_000, 12_500, now),
            [1],
            "what it held has not been given back yet"
        );
        assert_eq!(
            ended(&mut sessions, 10_000, 12_700, now),
            [1, 4],
            "more is missing than that"
        );
        assert_eq!(
            ended(&mut sessions, 10_000, 90_000, now + RELEASE_TIME),
            [1, 4],
            "a session within its share stays"
        );
    }

    #[tokio::test]
    async fn the_sum_of_what_sessions_hold_follows_them() {
        let memory = Memory::new(1 << 30);
        let (one, other) = (memory.add_session(), memory.add_session());
        one.set_unfinished(5);
        one.set_queued(7);
        other.set_queued(100);
        other.set_queued(50);
        assert_eq!(memory.held.load(Ordering::Relaxed), 62);
        drop(other);
        one.set_unfinished(0);
        assert_eq!(memory.held.load(Ordering::Relaxed), 7);
        drop(one);
        assert!(memory.held.load(Ordering::Relaxed) == 0 && lock(&memory.sessions).held.is_empty());
    }
}
