//! What all sessions share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::types;
use aqueduct_native::discovery;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::config::Config;
use crate::gate::{Clients, Targets};
use crate::metrics::Metrics;
use crate::policy::Filter;
use crate::registry::Registry;
use crate::tokens::Tokens;
use crate::tracker::Tracking;

/// Shared by every task of one bridge.
#[derive(Debug)]
pub(crate) struct Bridge {
    pub(crate) config: Config,
    pub(crate) filter: Arc<Filter>,
    pub(crate) clients: Arc<Clients>,
    pub(crate) targets: Arc<Targets>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) metrics: Arc<Metrics>,
    /// The bridge's own tracker, unless it runs none.
    pub(crate) tracking: Option<Arc<Tracking>>,
    pub(crate) tokens: Tokens,
    pub(crate) discovery: discovery::Handle,
    /// When discovery's clock, and ours, stood at zero.
    pub(crate) start: Instant,
    /// Where peers dial in.
    pub(crate) peer_port: u16,
    /// One permit a socket; see [`crate::descriptors`].
    pub(crate) sockets: Arc<Semaphore>,
    /// Permits that the semaphore began with.
    pub(crate) all_sockets: usize,
    /// True once the bridge is stopping.
    pub(crate) draining: watch::Receiver<bool>,
}

impl Bridge {
    /// The time for machines of core.
    pub(crate) fn now(&self) -> types::Instant {
        types::Instant::ZERO + self.start.elapsed()
    }

    /// The tokio time that a machine of core, or discovery, means.
    pub(crate) fn instant(&self, at: types::Instant) -> Instant {
        let since = at.since(types::Instant::ZERO);
        // Far enough to mean never.
        self.start.checked_add(since).unwrap_or_else(|| self.start + Duration::from_secs(86_400 * 365))
    }

    pub(crate) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Whether peers that dial there dial us.
    pub(crate) fn is_itself(&self, addr: SocketAddr) -> bool {
        addr.port() == self.peer_port && self.filter.is_own(addr.ip())
    }

    /// Whether a further session must be refused: the limit is reached, or only a tenth of the sockets is left, which the sessions that are
    /// there need for their peers.
    pub(crate) fn is_full(&self) -> bool {
        let sessions = usize::try_from(self.metrics.sessions.get()).unwrap_or(usize::MAX);
        sessions >= self.config.limits.sessions || self.sockets.available_permits() < self.all_sockets / 10
    }
}
