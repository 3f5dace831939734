//! The queue before the storage threads.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use aqueduct_core::types::RequestId;
use aqueduct_core::{Op, TorrentId};

use super::stored::Stored;

/// A torrent's files, and its id for the answer.
pub(super) type Owned = (TorrentId, Arc<Stored>);

/// A request of the engine.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: RequestId,
    /// `None` before a magnet link's metadata arrived.
    pub(super) torrent: Option<Owned>,
    pub(super) op: Op,
}

impl Request {
    /// Whether this and another one do nothing but digest pieces, and take them from the same place,
    /// so that one thread digests both in less time than one after the other.
    const fn is_digested_like(&self, other: &Self) -> bool {
        matches!(
            (&self.op, &other.op),
            (Op::Hash(_), Op::Hash(_)) | (Op::Check(_), Op::Check(_))
        )
    }
}

/// What waits for a thread.
#[derive(Debug)]
pub(super) enum Job {
    Perform(Request),
    /// Looks at some of a torrent's files.
    LookAround(Owned),
}

impl Job {
    fn is_for(&self, request: RequestId) -> bool {
        matches!(self, Self::Perform(Request { id, .. }) if *id == request)
    }

    fn is_same_look(&self, other: &Self) -> bool {
        matches!((self, other), (Self::LookAround((id, _)), Self::LookAround((other, _))) if id == other)
    }
}

/// What a thread does next.
#[derive(Debug)]
pub(super) enum Work {
    Perform(Request),
    /// Two requests that are digested alike.
    PerformPair([Request; 2]),
    LookAround(Owned),
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

    /// The next job, once there is one, with a second one if it waits already and can be done
    /// together with it; `None`: the queue is closed and empty.
    pub(super) fn next(&self) -> Option<Work> {
        let mut queue = self.lock();
        loop {
            if let Some(work) = queue.take() {
                return Some(work);
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

impl Queue {
    fn take(&mut self) -> Option<Work> {
        Some(match self.jobs.pop_front()? {
            Job::LookAround(torrent) => Work::LookAround(torrent),
            Job::Perform(first) => match self.take_like(&first) {
                Some(second) => Work::PerformPair([first, second]),
                None => Work::Perform(first),
            },
        })
    }

    /// The next request that is digested like this one.
    fn take_like(&mut self, first: &Request) -> Option<Request> {
        let is_like =
            |job: &Job| matches!(job, Job::Perform(other) if first.is_digested_like(other));
        let position = self.jobs.iter().position(is_like)?;
        match self.jobs.remove(position)? {
            Job::Perform(second) => Some(second),
            Job::LookAround(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use aqueduct_core::Rope;

    use super::*;

    fn perform(id: u64, op: Op) -> Job {
        Job::Perform(Request {
            id: RequestId(id),
            torrent: None,
            op,
        })
    }

    fn hash(id: u64) -> Job {
        perform(id, Op::Hash(Rope::default()))
    }

    /// The ids of the requests that a thread would carry out next.
    fn next(jobs: &Jobs) -> Vec<u64> {
        match jobs.next() {
            Some(Work::Perform(request)) => vec![request.id.0],
            Some(Work::PerformPair(pair)) => pair.map(|request| request.id.0).to_vec(),
            Some(Work::LookAround(_)) | None => Vec::new(),
        }
    }

    #[test]
    fn jobs_come_in_order_without_those_that_were_cancelled_until_the_queue_is_closed() {
        let jobs = Jobs::default();
        (1..4).for_each(|id| jobs.push(perform(id, Op::Flush)));
        assert!(jobs.cancel(RequestId(2)));
        assert!(!jobs.cancel(RequestId(2)));
        jobs.close();
        assert_eq!(next(&jobs), [1]);
        assert_eq!(next(&jobs), [3]);
        assert!(jobs.next().is_none());
    }

    #[test]
    fn two_digests_that_wait_are_taken_together_past_other_jobs_and_a_lone_one_does_not_wait() {
        let jobs = Jobs::default();
        jobs.push(hash(1));
        jobs.push(perform(2, Op::Flush));
        (3..5).for_each(|id| jobs.push(hash(id)));
        assert_eq!(next(&jobs), [1, 3]);
        assert_eq!(next(&jobs), [2]);
        assert_eq!(next(&jobs), [4]);
    }
}
