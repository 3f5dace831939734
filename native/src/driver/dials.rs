//! Connection attempts in progress.

use std::collections::HashMap;

use aqueduct_core::types::ConnId;
use tokio::task::AbortHandle;

/// The tasks that dial. Their number is bounded by [`aqueduct_core::Config`].
#[derive(Debug, Default)]
pub(super) struct Dials {
    tasks: HashMap<ConnId, AbortHandle>,
}

impl Dials {
    /// `task` is dialling for the connection `id`.
    pub(super) fn started(&mut self, id: ConnId, task: AbortHandle) {
        self.tasks.insert(id, task);
    }

    /// Removes an attempt that has ended.
    pub(super) fn finished(&mut self, id: ConnId) {
        self.tasks.remove(&id);
    }

    /// Cancels an attempt that is no longer wanted, if there is one.
    pub(super) fn cancel(&mut self, id: ConnId) {
        if let Some(task) = self.tasks.remove(&id) {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn a_cancelled_attempt_ends_and_others_go_on() {
        let mut dials = Dials::default();
        let tasks = [0, 1].map(|n| {
            let task = tokio::spawn(pending::<()>());
            dials.started(ConnId::accepted(n), task.abort_handle());
            task
        });
        dials.cancel(ConnId::accepted(0));
        dials.finished(ConnId::accepted(1));
        dials.cancel(ConnId::accepted(1));
        let [cancelled, running] = tasks;
        assert!(cancelled.await.is_err_and(|error| error.is_cancelled()));
        assert!(!running.is_finished());
        running.abort();
    }
}
