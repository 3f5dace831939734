//! Work on the storage, one job after another.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;

type Job = Pin<Box<dyn Future<Output = ()>>>;

/// A queue of jobs, each of which runs to its end before the next one starts. Clones share it.
///
/// Its length needs no bound of its own: the engine bounds how many requests are unanswered, and
/// everything else is an act of the user or a timer.
#[derive(Clone, Default)]
pub(super) struct JobQueue(Rc<Inner>);

#[derive(Default)]
struct Inner {
    jobs: RefCell<VecDeque<Job>>,
    running: Cell<bool>,
}

impl JobQueue {
    /// Adds a job. It never starts before this call has returned.
    pub(super) fn push(&self, job: impl Future<Output = ()> + 'static) {
        self.0.jobs.borrow_mut().push_back(Box::pin(job));
        if !self.0.running.replace(true) {
            let queue = self.clone();
            spawn_local(async move { queue.run().await });
        }
    }

    async fn run(&self) {
        loop {
            let job = self.0.jobs.borrow_mut().pop_front();
            match job {
                Some(job) => job.await,
                None => break,
            }
        }
        self.0.running.set(false);
    }
}
