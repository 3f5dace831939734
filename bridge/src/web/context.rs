//! State shared by all connections to the page's port.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hyper::HeaderMap;

use crate::limits::clients::Clients;
use crate::limits::memory::Memory;
use crate::limits::quota::{Quota, Share};
use crate::session::context::SessionContext;
use crate::swarm::context::SwarmContext;
use crate::tracker::TrackerService;
use crate::web::loopback;
use crate::web::origin::Origins;
use crate::web::proxies::Proxies;
use crate::web::tls::Tls;

/// Everything that answering HTTP and opening sessions needs from the bridge.
#[derive(Debug)]
pub(crate) struct WebContext {
    pub(crate) sessions: Arc<SessionContext>,
    pub(crate) clients: Arc<Clients>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) origins: Origins,
    pub(crate) proxies: Proxies,
    /// `None` for plain HTTP.
    pub(crate) tls: Option<Tls>,
    /// Connections per address.
    pub(crate) connections: Arc<Quota>,
}

impl WebContext {
    pub(crate) fn swarms(&self) -> &SwarmContext {
        &self.sessions.swarms
    }

    /// Whether another session must be refused: the limit on sessions or on memory is reached, or
    /// sockets are scarce.
    pub(crate) fn is_full(&self) -> bool {
        self.clients.are_full() || self.memory.is_full() || self.swarms().sockets.are_scarce()
    }

    /// Whether browsers reach the page over TLS, by the bridge itself or by a proxy.
    pub(crate) fn is_https(&self) -> bool {
        self.tls.is_some() || self.origins.are_https()
    }

    /// A slot for a connection to the page's port; `None` if its address has reached its limit. A
    /// proxy needs no slot, since its connections are those of many clients.
    pub(crate) fn admit_connection(&self, ip: IpAddr) -> Option<Option<Share>> {
        if self.proxies.are_at(ip) {
            Some(None)
        } else {
            self.connections.take(ip).map(Some)
        }
    }

    /// The tracker, for clients that do not come through a proxy: behind one, the client's address
    /// is in the request's fields, which [`crate::web::http`] reads.
    pub(crate) fn tracker_for_direct(&self, remote: SocketAddr) -> Option<&TrackerService> {
        let tracker = self.swarms().tracker.as_deref();
        tracker.filter(|_| !self.proxies.are_at(remote.ip()))
    }

    /// Whether a request is known to come from this machine, by a loopback address of the bridge.
    /// One through a proxy is not, whether the proxy is configured or not.
    pub(crate) fn is_this_machine(&self, remote: SocketAddr, headers: &HeaderMap) -> bool {
        !self.proxies.are_at(remote.ip()) && loopback::is_direct(remote, headers)
    }

    /// Reads certificate and tokens again. What cannot be read stays unchanged; open sessions
    /// continue.
    pub(crate) fn reread(&self) {
        match self.tls.as_ref().map(Tls::reread) {
            Some(Err(error)) => tracing::error!(%error, "the certificate stays as it was"),
            Some(Ok(())) => tracing::info!("the certificate was read anew"),
            None => {}
        }
        match self.sessions.tokens.reread() {
            Err(error) => tracing::error!(%error, "the tokens stay as they were"),
            Ok(true) => tracing::info!("the tokens were read anew"),
            Ok(false) => {}
        }
    }
}
