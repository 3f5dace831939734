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

use super::jobs::{Job, Jobs, Owned, Request, Work};
use super::stored::{self, Stored};
use crate::hash::Buffers;

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
        let request = Request { id, torrent, op };
        self.shared.jobs.push(Job::Perform(request));
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
    let mut buffers = Buffers::default();
    while let Some(work) = shared.jobs.next() {
        match work {
            Work::Perform(Request { id, torrent, op }) => {
                let result = stored::perform(stored_of(&torrent), op, &mut buffers);
                shared.answer(torrent.as_ref(), Some((id, result)));
            }
            Work::PerformPair(pair) => perform_pair(shared, pair, &mut buffers),
            Work::LookAround(torrent) => {
                if let Err(error) = torrent.1.storage.look_around() {
                    tracing::debug!(%error, "could not look at a file");
                }
                shared.answer(Some(&torrent), None);
            }
        }
    }
}

fn perform_pair(shared: &Shared, [a, b]: [Request; 2], buffers: &mut Buffers) {
    let requests = [(stored_of(&a.torrent), a.op), (stored_of(&b.torrent), b.op)];
    let [a_result, b_result] = stored::perform_pair(requests, buffers);
    shared.answer(a.torrent.as_ref(), Some((a.id, a_result)));
    shared.answer(b.torrent.as_ref(), Some((b.id, b_result)));
}

fn stored_of(torrent: &Option<Owned>) -> Option<&Stored> {
    torrent.as_ref().map(|(_, stored)| &**stored)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
