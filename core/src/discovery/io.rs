//! The interface between [`super::Discovery`] and its driver.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::dht::{self, LookupEffort};
use super::lsd::Announce;
use super::swarm::Key;
use super::trackers::{self, TrackerStatus};
use crate::types::PeerSource;

/// A request or a report to the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A network request.
    Net(NetRequest),
    /// Peers of a swarm: at most 2,000, without port 0, multicast, unspecified addresses or
    /// duplicates. Our own address may be included.
    Peers {
        /// The swarm.
        key: Key,
        /// The source. For a private torrent it is always a tracker (BEP 27).
        source: PeerSource,
        /// The addresses of the peers.
        addrs: Vec<SocketAddr>,
    },
    /// A tracker's state changed.
    Tracker {
        /// The swarm.
        key: Key,
        /// The index in [`super::Discovery::tracker_status`].
        index: usize,
        /// The new state.
        status: TrackerStatus,
        /// Whether the change is of interest to the user: an announce or scrape has ended, the
        /// tracker cannot be asked at all, or it has been silent for long
        /// ([`TrackerStatus::asking`]). False if a request started or was cancelled.
        ended: bool,
    },
    /// The counts of a member ([`super::Discovery::dht_counts`]) have changed.
    DhtChanged(Key),
    /// A DHT lookup has ended; for logs and measurements.
    DhtLookupEnded {
        /// The member.
        key: Key,
        /// The effort of the lookup.
        effort: LookupEffort,
    },
    /// A tracker reported our own address (BEP 24), which is not checked.
    ExternalIp {
        /// The member whose tracker it is.
        key: Key,
        /// The reported address.
        ip: IpAddr,
    },
    /// The trackers of a removed torrent were told that it left, or did not answer. No further
    /// output follows for it.
    Left(Key),
}

/// A network request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetRequest {
    /// A request for trackers.
    Trackers(trackers::Request),
    /// A request for the DHT.
    Dht(dht::Request),
    /// Send to the multicast groups of local discovery, on every interface.
    Lsd(Announce),
}

/// An input of discovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The time that [`super::Discovery::poll_timeout`] returned has come. An early call is
    /// harmless.
    Timeout,
    /// A result or a datagram for trackers.
    Trackers(trackers::Input),
    /// A result or a datagram for the DHT.
    Dht(dht::Input),
    /// A datagram arrived from a multicast group of local discovery.
    Lsd {
        /// The sender.
        from: IpAddr,
        /// The payload.
        bytes: Bytes,
    },
    /// The network can be used again after an outage, in which everything failed: what failed is
    /// tried again now. The driver limits how often this happens.
    NetworkReturned,
}

/// What a deadline is for, used by logs and the simulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A tracker request.
    Trackers(trackers::Reason),
    /// The DHT.
    Dht(dht::Reason),
    /// An announce on the local network is due.
    Lsd,
}
