//! What all sessions share.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use aqueduct_core::types;
use aqueduct_native::discovery;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::config::{Config, ConfigError};
use crate::limits::bucket::Bucket;
use crate::limits::clients::Clients;
use crate::limits::half_open::HalfOpen;
use crate::limits::memory::Memory;
use crate::limits::policy::Filter;
use crate::limits::quota::{Quota, Share};
use crate::limits::targets::Targets;
use crate::metrics::Metrics;
use crate::swarm::registry::Registry;
use crate::tracker::Tracking;
use crate::web::tls::Tls;
use crate::web::tokens::Tokens;

/// Shared by every task of one bridge.
#[derive(Debug)]
pub(crate) struct Bridge {
    pub(crate) config: Config,
    pub(crate) filter: Arc<Filter>,
    pub(crate) clients: Arc<Clients>,
    /// Connections to the page's port.
    pub(crate) connections: Arc<Quota>,
    /// Connections to the peer port that have not yet said what for.
    pub(crate) half_open: Arc<HalfOpen>,
    pub(crate) targets: Arc<Targets>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) metrics: Arc<Metrics>,
    /// The bridge's own tracker, unless it runs none.
    pub(crate) tracking: Option<Arc<Tracking>>,
    /// Read anew by [`Bridge::reread`].
    pub(crate) tokens: RwLock<Tokens>,
    /// `None`: plain HTTP.
    pub(crate) tls: Option<Tls>,
    pub(crate) memory: Arc<Memory>,
    /// Lines of the log on sessions that are refused at the door: whoever knocks all the time must
    /// not fill the disk.
    pub(crate) refusals_told: Mutex<Bucket>,
    pub(crate) discovery: discovery::Handle,
    /// When discovery's clock, and ours, stood at zero.
    pub(crate) start: Instant,
    /// Where peers dial in.
    pub(crate) peer_port: u16,
    /// One permit a socket; see [`crate::limits::descriptors`].
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
        self.start
            .checked_add(since)
            .unwrap_or_else(|| self.start + Duration::from_secs(86_400 * 365))
    }

    pub(crate) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Whether peers that dial there dial us.
    pub(crate) fn is_itself(&self, addr: SocketAddr) -> bool {
        addr.port() == self.peer_port && self.filter.is_own(addr.ip())
    }

    /// Whether a further session must be refused: the limit is reached, or that of memory, or only
    /// a tenth of the sockets is left, which the sessions that are there need for their peers.
    pub(crate) fn is_full(&self) -> bool {
        self.clients.are_full()
            || self.memory.is_full()
            || self.sockets.available_permits() < self.all_sockets / 10
    }

    /// Whether browsers reach the page over TLS, the bridge's own or a proxy's.
    pub(crate) fn is_https(&self) -> bool {
        self.tls.is_some()
            || self
                .config
                .public_url
                .as_ref()
                .is_some_and(|url| url.starts_with("https://"))
    }

    /// Whether a connection from there stands for many clients, and says for which.
    pub(crate) fn is_proxy(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.config
            .trusted_proxies
            .iter()
            .any(|range| range.contains(ip))
    }

    /// A place for a connection to the page's port, if its address has any left; a proxy needs
    /// none.
    pub(crate) fn let_in(&self, ip: IpAddr) -> Option<Option<Share>> {
        if self.is_proxy(ip) {
            Some(None)
        } else {
            self.connections.take(ip).map(Some)
        }
    }

    /// Whether the log has room for one more line on a session that is refused at the door.
    pub(crate) fn tells_refusal(&self) -> bool {
        self.refusals_told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(Instant::now())
            .is_ok()
    }

    /// Whether clients need a token.
    pub(crate) fn wants_tokens(&self) -> bool {
        self.tokens
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .are_wanted()
    }

    /// Whether this is one of the tokens.
    pub(crate) fn knows_token(&self, shown: &[u8]) -> bool {
        self.tokens
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .knows(shown)
    }

    /// Reads certificate and tokens anew. What cannot be read stays as it was; sessions that are
    /// there go on.
    pub(crate) fn reread(&self) {
        match self.tls.as_ref().map(Tls::reread) {
            Some(Err(error)) => tracing::error!(%error, "the certificate stays as it was"),
            Some(Ok(())) => tracing::info!("the certificate was read anew"),
            None => {}
        }
        match self.reread_tokens() {
            Err(error) => tracing::error!(%error, "the tokens stay as they were"),
            Ok(true) => tracing::info!("the tokens were read anew"),
            Ok(false) => {}
        }
    }

    /// Says whether there is anything to be read.
    fn reread_tokens(&self) -> Result<bool, ConfigError> {
        let Some(path) = &self.config.token_file else {
            return Ok(false);
        };
        let tokens = Tokens::read(Some(path))?;
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
        Ok(true)
    }
}
