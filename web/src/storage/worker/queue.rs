//! Work on files, one job after another.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;

use super::store::Store;

type Running<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;
type Job = Box<dyn FnOnce(&mut Store) -> Running<'_>>;

/// A queue of jobs, each of which runs to its end before the next one starts, and the store on which
/// they work.
///
/// Its length needs no bound of its own: the engine bounds how many requests are unanswered, and
/// everything else is an act of the user or a timer.
pub(super) struct FileQueue(Rc<Inner>);

struct Inner {
    jobs: RefCell<VecDeque<Job>>,
    /// Taken out while a job runs.
    store: RefCell<Option<Store>>,
}

impl FileQueue {
    pub(super) fn new(store: Store) -> Self {
        Self(Rc::new(Inner {
            jobs: RefCell::default(),
            store: RefCell::new(Some(store)),
        }))
    }

    /// Adds a job. It never starts before this call has returned.
    pub(super) fn push(&self, job: impl AsyncFnOnce(&mut Store) + 'static) {
        let job: Job = Box::new(|store| Box::pin(job(store)));
        self.0.jobs.borrow_mut().push_back(job);
        if let Some(store) = self.0.store.take() {
            spawn_local(run(Rc::clone(&self.0), store));
        }
    }
}

async fn run(queue: Rc<Inner>, mut store: Store) {
    loop {
        let job = queue.jobs.borrow_mut().pop_front();
        match job {
            Some(job) => job(&mut store).await,
            None => break,
        }
    }
    queue.store.replace(Some(store));
}
