//! The queue before the storage threads.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use aqueduct_core::types::RequestId;
use aqueduct_core::{Op, TorrentId};

use super::stored::Stored;

/// A torrent's files, and its id for the answer.
pub(super) type Owned = (TorrentId, Arc<Stored>);

/// What a thread does next.
#[derive(Debug)]
pub(super) enum Job {
    /// A request of the engine. `torrent` is `None` before a magnet link's metadata arrived.
    Perform {
        id: RequestId,
        torrent: Option<Owned>,
        op: Op,
    },
    /// Looks at some of a torrent's files.
    LookAround(Owned),
}

impl Job {
    fn is_for(&self, request: RequestId) -> bool {
        matches!(self, Self::Perform { id, .. } if *id == request)
    }

    fn is_same_look(&self, other: &Self) -> bool {
        matches!((self, other), (Self::LookAround((id, _)), Self::LookAround((other, _))) if id == other)
    }
}

/// Jobs in the order in which they came. Threads wait for the next one.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Jobs {
    pub(super) fn push(&self, job: Job) {
        self.lock().jobs.push_back(job);
        self.changed.notify_one();
    }

    /// Adds a look at a torrent's files, unless one is queued already.
    pub(super) fn push_once(&self, look: Job) {
        let mut queue = self.lock();
        if !queue.jobs.iter().any(|job| job.is_same_look(&look)) {
            queue.jobs.push_back(look);
            self.changed.notify_one();
        }
    }

    /// Removes a request that no thread has begun; returns whether there was one.
    pub(super) fn cancel(&self, id: RequestId) -> bool {
        let mut queue = self.lock();
        let position = queue.jobs.iter().position(|job| job.is_for(id));
        position.is_some_and(|position| queue.jobs.remove(position).is_some())
    }

    /// The next job, once there is one; `None`: the queue is closed and empty.
    pub(super) fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            queue = self
                .changed
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets the threads end once the queue is empty.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flush(id: u64) -> Job {
        Job::Perform {
            id: RequestId(id),
            torrent: None,
            op: Op::Flush,
        }
    }

    #[test]
    fn jobs_come_in_order_without_those_that_were_cancelled_until_the_queue_is_closed() {
        let jobs = Jobs::default();
        (1..4).for_each(|id| jobs.push(flush(id)));
        assert!(jobs.cancel(RequestId(2)));
        assert!(!jobs.cancel(RequestId(2)));
        jobs.close();
        assert!(jobs.next().is_some_and(|job| job.is_for(RequestId(1))));
        assert!(jobs.next().is_some_and(|job| job.is_for(RequestId(3))));
        assert!(jobs.next().is_none());
    }
}
