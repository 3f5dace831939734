//! What the session wants from the network, on its way to the task that carries it out.

use std::time::Duration;

use aqueduct_core::discovery::NetRequest;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::farewell::Closing;

/// What the task has to do.
#[derive(Debug)]
pub(super) enum Order {
    Request(NetRequest),
    Leave(Closing),
}

/// The orders for the task. It carries out all of them before it receives anything, so there are
/// never more than the session requests in its turns until then.
#[derive(Debug)]
pub(super) struct Orders(mpsc::UnboundedSender<Order>);

impl Orders {
    /// A channel to the task.
    pub(super) fn channel() -> (Self, mpsc::UnboundedReceiver<Order>) {
        let (sender, orders) = mpsc::unbounded_channel();
        (Self(sender), orders)
    }

    /// Has a request carried out. It is dropped if the task has ended.
    pub(super) fn request(&self, request: NetRequest) {
        let _ = self.0.send(Order::Request(request));
    }

    /// Waits until all torrents of a session that [leaves](aqueduct_core::Session::leave) have
    /// left, for at most `limit`. The task ends.
    pub(super) async fn leave(&self, limit: Duration) {
        let asked = Instant::now();
        let deadline = asked + limit;
        let _ = self.0.send(Order::Leave(Closing { asked, deadline }));
        let _ = timeout(limit, self.0.closed()).await;
    }
}
