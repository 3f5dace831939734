//! The threads that access files and compute digests, so that the engine's thread never waits for
//! either.
//!
//! The queue needs no bound of its own: the engine's configuration bounds what is unwritten, unsent
//! and unchecked at a time.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use aqueduct_core::types::RequestId;
use aqueduct_core::{FileChange, Op, OpError, OpResult, TorrentId};
use tokio::sync::Notify;

use super::jobs::{Job, Jobs, Owned};
use super::stored::{self, Stored};

/// What the threads report, in order.
#[derive(Debug)]
pub enum Outcome {
    /// A request was carried out, or cancelled.
    Done(RequestId, Result<OpResult, OpError>),
    /// Another program changed a file, given by its place in the torrent. Reported before the answer
    /// to the request during which it was noticed.
    FileChanged(TorrentId, u32, FileChange),
}

/// A fixed number of threads, the queue before them and the answers behind them.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    jobs: Jobs,
    outcomes: Mutex<Vec<Outcome>>,
    finished: Notify,
}

impl Pool {
    /// Starts the threads, at least one.
    ///
    /// # Errors
    /// The system starts no more threads.
    pub fn start(threads: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let start = |n| {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name(format!("storage-{n}"))
                .spawn(move || work(&shared))
        };
        let threads = (0..threads.max(1)).map(start).collect::<Result<_, _>>()?;
        Ok(Self { shared, threads })
    }

    /// Queues a request. Its answer comes through [`Pool::finished`]. A torrent without files (a
    /// magnet link before its metadata) can only hash.
    pub fn submit(&self, id: RequestId, torrent: Option<(TorrentId, Arc<Stored>)>, op: Op) {
        self.shared.jobs.push(Job::Perform { id, torrent, op });
    }

    /// Has some of a torrent's files looked at, unless that is queued already.
    pub fn look_around(&self, id: TorrentId, torrent: Arc<Stored>) {
        self.shared.jobs.push_once(Job::LookAround((id, torrent)));
    }

    /// Answers a request that no thread has begun as cancelled; one that is running goes on.
    pub fn cancel(&self, id: RequestId) {
        if self.shared.jobs.cancel(id) {
            let cancelled = (id, Err(OpError::Cancelled));
            self.shared.answer(None, Some(cancelled));
        }
    }

    /// Waits for answers and appends all there are to `into`. Cancel-safe.
    pub async fn finished(&self, into: &mut Vec<Outcome>) {
        loop {
            into.append(&mut lock(&self.shared.outcomes));
            if !into.is_empty() {
                return;
            }
            self.shared.finished.notified().await;
        }
    }
}

impl Drop for Pool {
    /// Lets the threads finish what is queued.
    fn drop(&mut self) {
        self.shared.jobs.close();
        for thread in mem::take(&mut self.threads) {
            if thread.join().is_err() {
                tracing::error!("a storage thread panicked");
            }
        }
    }
}

impl Shared {
    /// Changes are taken and queued in one step, so that no thread's answer overtakes what another
    /// thread noticed before.
    fn answer(
        &self,
        torrent: Option<&Owned>,
        done: Option<(RequestId, Result<OpResult, OpError>)>,
    ) {
        let mut outcomes = lock(&self.outcomes);
        let before = outcomes.len();
        if let Some((id, stored)) = torrent {
            let changes = stored.storage.take_changes().into_iter();
            outcomes.extend(changes.map(|(file, change)| Outcome::FileChanged(*id, file, change)));
        }
        outcomes.extend(done.map(|(id, result)| Outcome::Done(id, result)));
        // One wake-up serves all answers that come before the engine's thread takes them.
        if before == 0 && !outcomes.is_empty() {
            self.finished.notify_one();
        }
    }
}

fn work(shared: &Shared) {
    let mut buffer = Vec::new();
    while let Some(job) = shared.jobs.next() {
        match job {
            Job::Perform {
                id,
                torrent: Some(torrent),
                op,
            } => {
                let result = torrent.1.perform(op, &mut buffer);
                shared.answer(Some(&torrent), Some((id, result)));
            }
            Job::Perform {
                id,
                torrent: None,
                op,
            } => shared.answer(None, Some((id, stored::perform_without_files(op)))),
            Job::LookAround(torrent) => {
                if let Err(error) = torrent.1.storage.look_around() {
                    tracing::debug!(%error, "could not look at a file");
                }
                shared.answer(Some(&torrent), None);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
