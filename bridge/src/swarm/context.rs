//! State shared by the swarms of all sessions.

use std::net::SocketAddr;
use std::sync::Arc;

use aqueduct_core::connection::Encryption;
use aqueduct_native::dial::Ways;
use aqueduct_native::discovery;

use crate::clock::Clock;
use crate::limits::Limits;
use crate::limits::descriptors::Sockets;
use crate::limits::key_exchanges::KeyExchanges;
use crate::limits::policy::Filter;
use crate::limits::targets::Targets;
use crate::metrics::Metrics;
use crate::swarm::registry::Registry;
use crate::tracker::TrackerService;

/// Everything that joining a swarm and dialling its peers needs of the bridge.
#[derive(Debug)]
pub(crate) struct SwarmContext {
    pub(crate) limits: Limits,
    pub(crate) filter: Arc<Filter>,
    pub(crate) targets: Arc<Targets>,
    pub(crate) registry: Arc<Registry>,
    /// The bridge's own tracker, unless it runs none.
    pub(crate) tracker: Option<Arc<TrackerService>>,
    pub(crate) discovery: discovery::Handle,
    pub(crate) sockets: Arc<Sockets>,
    pub(crate) metrics: Arc<Metrics>,
    /// Discovery's time starts at the same instant.
    pub(crate) clock: Clock,
    /// The transports to peers.
    pub(crate) ways: Ways,
    /// Whether connections to peers are encrypted.
    pub(crate) encryption: Encryption,
    /// Limits encrypted handshakes, each of which costs a key exchange.
    pub(crate) key_exchanges: KeyExchanges,
    /// The port at which peers dial.
    pub(crate) peer_port: u16,
}

impl SwarmContext {
    /// Whether this is an address of the bridge's own peer port.
    pub(crate) fn is_own_address(&self, addr: SocketAddr) -> bool {
        addr.port() == self.peer_port && self.filter.is_own(addr.ip())
    }
}
