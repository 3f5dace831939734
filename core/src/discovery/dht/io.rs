//! The interface between the DHT and its driver.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use crate::discovery::Key;

/// A request or a report to the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A network request.
    Net(Request),
    /// Peers of a swarm: usable addresses that this lookup has not reported before.
    Peers {
        /// The member.
        key: Key,
        /// The addresses of the peers.
        addrs: Vec<SocketAddr>,
    },
    /// The counts of a member ([`super::Dht::counts`]) have changed.
    Changed(Key),
    /// A lookup for a swarm has ended; for logs and measurements.
    LookupEnded {
        /// The member.
        key: Key,
        /// The effort of the lookup.
        effort: LookupEffort,
    },
}

/// A network request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Send a datagram from the DHT's socket. Answer with [`Input::Unreachable`] if that is
    /// impossible or not permitted.
    Send {
        /// The destination. It comes from other nodes, so the driver must apply its address policy.
        to: SocketAddr,
        /// The payload.
        bytes: Bytes,
    },
    /// Resolve a bootstrap node. Answer with [`Input::Resolved`].
    Resolve {
        /// A host of [`super::Config::bootstrap`]: a host name, a dotted quad or a bracketed IPv6
        /// address.
        host: String,
        /// The port for the resolved addresses.
        port: u16,
    },
}

/// The effort of a lookup in one address family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LookupEffort {
    /// The number of nodes that were queried.
    pub queries: u32,
    /// The number of nodes that answered.
    pub answers: u32,
    /// The length of the longest chain of nodes, each learned from the previous one, to one of the
    /// closest nodes; 1 is a node that we knew.
    pub hops: u32,
    /// The number of nodes to which we announced.
    pub announced: u32,
}

/// An input of the DHT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The time that [`super::Dht::poll_timeout`] returned has come. An early call is harmless.
    Timeout,
    /// A datagram arrived at the DHT's socket.
    Packet {
        /// The sender.
        from: SocketAddr,
        /// The payload.
        bytes: Bytes,
    },
    /// The addresses of a bootstrap node; empty if its name has none.
    Resolved(Vec<SocketAddr>),
    /// A datagram could not be sent to this address.
    Unreachable(SocketAddr),
    /// The address of a possible node, from another source. It is queried before it is used.
    Node(SocketAddr),
    /// A host that is not a node, such as a tracker (BEP 24), reports our address. It counts as one
    /// vote among those of the nodes.
    SeenAt {
        /// The host that reports it.
        by: IpAddr,
        /// Our address.
        ip: IpAddr,
    },
}

/// What a deadline is for, used by logs and the simulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A query has not been answered.
    Query,
    /// The routing table is maintained.
    Upkeep,
    /// A lookup for a torrent is due.
    Search,
}

/// An address family. Each has its own DHT (BEP 32).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both families.
    pub(super) const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The family of an address.
    #[must_use]
    pub const fn of(addr: &SocketAddr) -> Self {
        Self::of_ip(addr.ip())
    }

    /// The family of an IP address.
    #[must_use]
    pub const fn of_ip(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// The other family.
    #[must_use]
    pub const fn other(self) -> Self {
        if let Self::V4 = self {
            Self::V6
        } else {
            Self::V4
        }
    }
}
