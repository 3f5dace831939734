//! Where datagrams of UDP trackers go.

use std::fmt;
use std::net::SocketAddr;

/// Where a datagram to a UDP tracker is sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// An address.
    Addr(SocketAddr),
    /// A name that only a proxy resolves ([`super::Input::ByName`]).
    Name {
        /// The name: printable ASCII.
        host: String,
        /// The port.
        port: u16,
    },
}

impl Endpoint {
    /// Whether a datagram from this address can be its answer. Whoever answers for a name is known
    /// to the proxy alone, which is trusted to pass on what it received for us.
    pub(super) fn accepts(&self, from: SocketAddr) -> bool {
        match self {
            Self::Addr(addr) => *addr == from,
            Self::Name { .. } => true,
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(addr: SocketAddr) -> Self {
        Self::Addr(addr)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addr(addr) => addr.fmt(f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}
