//! The threads that touch files and compute digests, so that the engine's thread never waits for either.
//!
//! The queue has no bound of its own: the engine asks for no more than its configuration lets be unwritten, unsent and unchecked.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use aqueduct_core::types::RequestId;
use aqueduct_core::{Op, OpError, OpResult};
use tokio::sync::Notify;

use super::stored::{self, Stored};

/// How a request went.
pub type Outcome = (RequestId, Result<OpResult, OpError>);

/// A fixed number of threads, a queue before them and a list of answers behind them.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
    outcomes: Mutex<Vec<Outcome>>,
    finished: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

#[derive(Debug)]
struct Job {
    id: RequestId,
    torrent: Option<Arc<Stored>>,
    op: Op,
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
            thread::Builder::new().name(format!("storage-{n}")).spawn(move || work(&shared))
        };
        let threads = (0..threads.max(1)).map(start).collect::<Result<_, _>>()?;
        Ok(Self { shared, threads })
    }

    /// Queues a request. Its answer comes through [`Pool::finished`]. A torrent without files (a magnet before its metadata) can only hash.
    pub fn submit(&self, id: RequestId, torrent: Option<Arc<Stored>>, op: Op) {
        lock(&self.shared.queue).jobs.push_back(Job { id, torrent, op });
        self.shared.work.notify_one();
    }

    /// Answers a request that no thread has begun as cancelled; one that is running goes on.
    pub fn cancel(&self, id: RequestId) {
        let mut queue = lock(&self.shared.queue);
        let Some(at) = queue.jobs.iter().position(|job| job.id == id) else { return };
        queue.jobs.remove(at);
        drop(queue);
        self.shared.answer((id, Err(OpError::Cancelled)));
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
        lock(&self.shared.queue).closed = true;
        self.shared.work.notify_all();
        for thread in mem::take(&mut self.threads) {
            if thread.join().is_err() {
                tracing::error!("a storage thread panicked");
            }
        }
    }
}

impl Shared {
    fn next(&self) -> Option<Job> {
        let mut queue = lock(&self.queue);
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn answer(&self, outcome: Outcome) {
        let mut outcomes = lock(&self.outcomes);
        outcomes.push(outcome);
        // One wake-up serves all answers that come before the engine's thread takes them.
        if outcomes.len() == 1 {
            self.finished.notify_one();
        }
    }
}

fn work(shared: &Shared) {
    let mut buffer = Vec::new();
    while let Some(Job { id, torrent, op }) = shared.next() {
        let result = match &torrent {
            Some(torrent) => torrent.perform(op, &mut buffer),
            None => stored::perform_without_files(op),
        };
        shared.answer((id, result));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
