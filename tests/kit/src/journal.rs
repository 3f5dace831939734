//! A log of what a fake server received or a program printed, in order. A test waits for entries,
//! either blocking or as a future; it never sleeps.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// A list of entries in the order in which they were written. Clones share it.
#[derive(Debug)]
pub struct Journal<T>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    blocked: Condvar,
    awaiting: Notify,
}

#[derive(Debug)]
struct State<T> {
    entries: Vec<T>,
    writers: usize,
}

/// Why no entry arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// None arrived within the limit.
    Timeout,
    /// Every [`Writer`] was dropped, so no more entries will arrive.
    Ended,
}

impl<T: Clone> Journal<T> {
    /// Creates an empty journal and its first writer.
    #[must_use]
    pub fn new() -> (Self, Writer<T>) {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                entries: Vec::new(),
                writers: 1,
            }),
            blocked: Condvar::new(),
            awaiting: Notify::new(),
        });
        (Self(Arc::clone(&shared)), Writer(shared))
    }

    /// All entries so far.
    #[must_use]
    pub fn all(&self) -> Vec<T> {
        self.0.lock().entries.clone()
    }

    /// Blocks until the entry with this index exists.
    ///
    /// # Errors
    /// The entry does not exist at the deadline, or all writers are gone.
    pub fn wait(&self, number: usize, deadline: Instant) -> Result<T, Silence> {
        let mut state = self.0.lock();
        loop {
            if let Some(result) = state.get(number) {
                return result;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Silence::Timeout);
            }
            state = self
                .0
                .blocked
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Blocks until an entry fulfils `holds`, including entries that already exist.
    ///
    /// # Errors
    /// No entry does within the limit, or all writers are gone.
    pub fn find(&self, limit: Duration, holds: impl Fn(&T) -> bool) -> Result<T, Silence> {
        let deadline = Instant::now() + limit;
        let mut number = 0;
        loop {
            let entry = self.wait(number, deadline)?;
            if holds(&entry) {
                return Ok(entry);
            }
            number += 1;
        }
    }

    /// Waits for the entry with this index. `None` if all writers are gone first.
    pub async fn entry(&self, number: usize) -> Option<T> {
        loop {
            let changed = self.0.awaiting.notified();
            tokio::pin!(changed);
            // Registered before the check, so that an entry that arrives in between is not missed.
            changed.as_mut().enable();
            if let Some(result) = self.0.lock().get(number) {
                return result.ok();
            }
            changed.await;
        }
    }
}

impl<T> Clone for Journal<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce_change(&self) {
        self.blocked.notify_all();
        self.awaiting.notify_waiters();
    }
}

impl<T: Clone> State<T> {
    /// `None` if the entry may still arrive.
    fn get(&self, number: usize) -> Option<Result<T, Silence>> {
        match self.entries.get(number) {
            Some(entry) => Some(Ok(entry.clone())),
            None => (self.writers == 0).then_some(Err(Silence::Ended)),
        }
    }
}

/// The writing end of a journal. The journal ends when its last writer is dropped.
#[derive(Debug)]
pub struct Writer<T>(Arc<Shared<T>>);

impl<T> Writer<T> {
    /// Appends an entry.
    pub fn push(&self, entry: T) {
        self.0.lock().entries.push(entry);
        self.0.announce_change();
    }
}

impl<T> Clone for Writer<T> {
    fn clone(&self) -> Self {
        self.0.lock().writers += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Writer<T> {
    fn drop(&mut self) {
        self.0.lock().writers -= 1;
        self.0.announce_change();
    }
}
