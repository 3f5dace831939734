//! The task of the network: carries out the session's requests to trackers, the DHT and the local
//! network, and passes the results to the session.

use std::rc::Rc;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::farewell::{Closing, Pace};
use super::orders::{Order, Orders};
use super::router::Router;
use crate::discovery::network::Network;
use crate::discovery::node_file::NodeFile;
use crate::until::until;

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
        let (sender, orders) = Orders::channel();
        let task = Self {
            network,
            node_file,
            orders,
            pace: Pace::default(),
            closing: None,
        };
        (sender, task)
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
