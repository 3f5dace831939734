//! The whole boundary between the DHT and its driver.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use crate::discovery::Key;

/// What the driver is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a datagram; [`Input::Unreachable`] if that is impossible or not allowed.
    Send {
        /// Where to. Foreign nodes named it: the driver's policy decides whether it goes there.
        to: SocketAddr,
        /// Whole payload.
        bytes: Bytes,
    },
    /// Look up a name (or pass on a literal), answered by [`Input::Resolved`].
    Resolve {
        /// Of [`super::Config::bootstrap`].
        host: String,
        /// For the socket addresses of the answer.
        port: u16,
    },
    /// Peers of a swarm: usable addresses that this lookup had not named before.
    Peers {
        /// For whom.
        key: Key,
        /// Where they are.
        addrs: Vec<SocketAddr>,
    },
    /// What [`super::Dht::counts`] says of a member has changed.
    Changed(Key),
    /// A lookup for a swarm is over; for logs and measurements.
    Looked {
        /// For whom.
        key: Key,
        /// What it took.
        effort: Effort,
    },
}

/// What a lookup in one address family took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Nodes that were asked.
    pub queries: u32,
    /// Nodes that answered.
    pub answers: u32,
    /// Longest chain of nodes, each named by the one before, to one of the closest nodes: 1 is a
    /// node that we knew.
    pub hops: u32,
    /// Nodes that were told of us.
    pub announced: u32,
}

/// What the world says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The time that [`super::Dht::poll_timeout`] named has come; calling early is harmless.
    Timeout,
    /// A datagram came.
    Packet {
        /// Who sent it.
        from: SocketAddr,
        /// Whole payload.
        bytes: Bytes,
    },
    /// Addresses of a name; none if it has none.
    Resolved(Vec<SocketAddr>),
    /// A datagram could not be sent there.
    Unreachable(SocketAddr),
    /// Somebody says that there is a node; it is asked before that is believed.
    Node(SocketAddr),
    /// Somebody who is no node, say a tracker (BEP 24), sees us at an address. It has one vote
    /// among those of the nodes.
    SeenAt {
        /// Who says so.
        by: IpAddr,
        /// Where.
        ip: IpAddr,
    },
}

/// What a deadline is for; logs and the simulator name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A node keeps us waiting.
    Query,
    /// The routing table is looked after.
    Upkeep,
    /// A torrent is looked for again.
    Search,
}

/// An address family. Each has a DHT of its own (BEP 32).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// Of an address.
    #[must_use]
    pub const fn of(addr: &SocketAddr) -> Self {
        Self::of_ip(addr.ip())
    }

    /// Of an address without a port.
    #[must_use]
    pub const fn of_ip(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// The one that this is not.
    #[must_use]
    pub const fn other(self) -> Self {
        if let Self::V4 = self {
            Self::V6
        } else {
            Self::V4
        }
    }
}
