//! The task of the network: carries out the session's requests to trackers, the DHT and the local
//! network, and passes the results to the session.

use std::rc::Rc;
use std::time::Duration;

use aqueduct_core::discovery::NetRequest;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::farewell::{Closing, Pace};
use super::router::Router;
use crate::discovery::network::Network;
use crate::discovery::node_file::NodeFile;
use crate::until::until;

/// What the task has to do.
#[derive(Debug)]
enum Order {
    Request(NetRequest),
    Leave(Closing),
}

/// The orders for the task. It carries out all of them before it receives anything, so there are
/// never more than the session requests in its turns until then.
#[derive(Debug)]
pub(super) struct Orders(mpsc::UnboundedSender<Order>);

impl Orders {
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

/// The task before it runs.
#[derive(Debug)]
pub(super) struct NetworkTask {
    network: Network,
    /// `None`: the state of our DHT node is not saved.
    node_file: Option<NodeFile>,
    orders: mpsc::UnboundedReceiver<Order>,
    pace: Pace,
    /// Set when the session leaves.
    closing: Option<Closing>,
}

impl NetworkTask {
    pub(super) fn new(network: Network, node_file: Option<NodeFile>) -> (Orders, Self) {
        let (sender, orders) = mpsc::unbounded_channel();
        let task = Self {
            network,
            node_file,
            orders,
            pace: Pace::default(),
            closing: None,
        };
        (Orders(sender), task)
    }

    /// Runs until the session has left.
    pub(super) async fn run(mut self, router: Rc<Router>) {
        loop {
            let end = self.closing.map(|closing| self.pace.end(closing));
            let has_left = || router.state().session.has_left();
            if end.is_some_and(|end| has_left() || Instant::now() >= end) {
                return self.keep_node_state(&router);
            }
            self.wait(&router, end).await;
        }
    }

    async fn wait(&mut self, router: &Rc<Router>, end: Option<Instant>) {
        let is_open = |id| router.state().session.discovery().is_open(id);
        tokio::select! {
            biased;
            Some(order) = self.orders.recv() => self.carry_out(order),
            () = until(end) => {}
            () = until(self.node_file.as_ref().map(NodeFile::due)) => self.keep_node_state(router),
            input = self.network.input(is_open) => {
                self.pace.note_input(&input);
                router.turn(|state, now| state.session.handle_net(now, input));
            }
        }
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Request(request) => {
                self.pace.note_request(&request);
                self.network.carry_out(request);
            }
            Order::Leave(closing) => self.closing = Some(closing),
        }
    }

    fn keep_node_state(&mut self, router: &Router) {
        let state = router.state();
        if let (Some(file), Some(dht)) = (&mut self.node_file, state.session.discovery().dht()) {
            file.keep(&dht.state());
        }
    }
}
