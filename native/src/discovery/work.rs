//! Requests that take time: responses, names, and permission to send.

use std::collections::BTreeMap;
use std::future::pending;
use std::net::SocketAddr;

use aqueduct_core::discovery::Input;
use aqueduct_core::discovery::trackers::{self, QueryId};
use tokio::task::{AbortHandle, JoinSet};

use crate::net::Permit;

/// A task that has ended.
#[derive(Debug)]
pub(super) enum Done {
    /// A request has a result.
    Input(Input),
    /// The datagram of this request to this address may be sent; without a permit it must be
    /// dropped.
    Turn {
        id: QueryId,
        to: SocketAddr,
        permit: Option<Box<dyn Permit>>,
    },
}

/// The tasks in progress. They end when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Work {
    tasks: JoinSet<Done>,
    /// Those that can be cancelled.
    named: BTreeMap<QueryId, AbortHandle>,
}

impl Work {
    /// Starts a request with an id, which may be cancelled.
    pub(super) fn start<F>(&mut self, id: QueryId, result: F)
    where
        F: Future<Output = trackers::Input> + Send + 'static,
    {
        let input = async move { Done::Input(Input::Trackers(result.await)) };
        self.named.insert(id, self.tasks.spawn(input));
    }

    /// Starts a task that is never cancelled.
    pub(super) fn start_unnamed(&mut self, task: impl Future<Output = Done> + Send + 'static) {
        self.tasks.spawn(task);
    }

    pub(super) fn cancel(&mut self, id: QueryId) {
        if let Some(task) = self.named.remove(&id) {
            task.abort();
        }
    }

    /// Waits for the next task to end. Nothing is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Done {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(done)) => {
                    self.forget(&done);
                    return done;
                }
                Some(Err(_cancelled)) => {}
                None => pending().await,
            }
        }
    }

    fn forget(&mut self, done: &Done) {
        if let Done::Input(Input::Trackers(
            trackers::Input::HttpResponse { id, .. } | trackers::Input::Resolved { id, .. },
        )) = done
        {
            self.named.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(id: QueryId) -> trackers::Input {
        let result = Ok(Vec::new());
        trackers::Input::Resolved { id, result }
    }

    #[tokio::test]
    async fn a_cancelled_request_has_no_result_and_others_do() {
        let (mut work, [cancelled, other]) = (Work::default(), [1, 2].map(QueryId));
        work.start(cancelled, pending());
        work.start(other, async move { resolved(other) });
        work.cancel(cancelled);
        let Done::Input(Input::Trackers(input)) = work.next().await else {
            panic!("a result was expected")
        };
        assert_eq!(input, resolved(other));
        assert!(work.named.is_empty());
    }
}
