//! State shared by all sessions.

use std::sync::{Arc, Mutex};

use aqueduct_core::net::Limit;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::limits::bucket::Bucket;
use crate::player::addresses::Addresses;
use crate::session::tokens::TokenStore;
use crate::swarm::context::SwarmContext;
use crate::sync::lock;

/// The number of log lines per second about sessions that are refused when they connect, so that
/// clients which retry cannot fill the disk.
const REFUSALS_LOGGED: Limit = Limit::per_second(5);

/// Everything that serving a tab needs of the bridge.
#[derive(Debug)]
pub(crate) struct SessionContext {
    pub(crate) swarms: Arc<SwarmContext>,
    pub(crate) tokens: TokenStore,
    /// The addresses for players; `None` if there are none.
    pub(crate) players: Option<Arc<Addresses>>,
    refusal_log: Mutex<Bucket>,
    /// True once the bridge is stopping.
    pub(crate) draining: watch::Receiver<bool>,
}

impl SessionContext {
    pub(crate) fn new(
        swarms: Arc<SwarmContext>,
        tokens: TokenStore,
        players: Option<Arc<Addresses>>,
        draining: watch::Receiver<bool>,
    ) -> Self {
        Self {
            swarms,
            tokens,
            players,
            refusal_log: Mutex::new(Bucket::new(REFUSALS_LOGGED, Instant::now())),
            draining,
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Waits until the bridge is stopping.
    pub(crate) async fn wait_for_draining(&self) {
        let mut draining = self.draining.clone();
        let _ = draining.wait_for(|draining| *draining).await;
    }

    /// Whether another refused session may be logged.
    pub(crate) fn logs_refusal(&self) -> bool {
        lock(&self.refusal_log).take(Instant::now()).is_ok()
    }
}
