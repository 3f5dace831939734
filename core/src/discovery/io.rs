//! The interface between [`super::Discovery`] and its driver.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::dht::{self, Family, LookupEffort};
use super::lsd::Announce;
use super::swarm::Key;
use super::trackers::{self, Fetched, QueryId, ResolveFor, TrackerError, TrackerStatus};
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
    /// Perform an HTTP GET and answer with [`Input::HttpResponse`]. Limits: 1 MiB after
    /// decompression, 30 s, three redirects.
    HttpGet {
        /// The id of the request.
        id: QueryId,
        /// An http or https URL with percent-encoded arguments.
        url: String,
        /// The address family to connect to (BEP 7); `None`: either.
        family: Option<Family>,
    },
    /// Resolve a host name or a literal address, and answer with [`Input::Resolved`].
    Resolve {
        /// The id of the request.
        id: QueryId,
        /// What the name is for, which determines the permitted addresses.
        what: ResolveFor,
        /// A host name, a dotted quad or a bracketed IPv6 address.
        host: String,
        /// The port for the resolved addresses.
        port: u16,
    },
    /// Send a datagram to a UDP tracker; [`Input::UdpFailed`] if that is impossible. It replaces an
    /// unsent datagram with the same id.
    UdpSend {
        /// The id of the request.
        id: QueryId,
        /// One of the addresses from [`Input::Resolved`].
        to: SocketAddr,
        /// The payload.
        bytes: Bytes,
    },
    /// The result of an `HttpGet` or a `Resolve` is no longer needed and will be ignored.
    Cancel(QueryId),
    /// Send a datagram from the DHT's socket; [`Input::DhtUnreachable`] if that is impossible or
    /// not permitted.
    DhtSend {
        /// The destination. It comes from other nodes, so the driver must apply its address policy.
        to: SocketAddr,
        /// The payload.
        bytes: Bytes,
    },
    /// Resolve a bootstrap node of the DHT, and answer with [`Input::DhtResolved`].
    DhtResolve {
        /// A host name, a dotted quad or a bracketed IPv6 address.
        host: String,
        /// The port for the resolved addresses.
        port: u16,
    },
    /// Send to the multicast groups of local discovery, on every interface.
    LsdSend(Announce),
}

/// An input of discovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The time that [`super::Discovery::poll_timeout`] returned has come. An early call is
    /// harmless.
    Timeout,
    /// The response to an HTTP request.
    HttpResponse {
        /// The id in [`NetRequest::HttpGet`].
        id: QueryId,
        /// The body of a 200 response, or the error.
        result: Result<Fetched, TrackerError>,
    },
    /// Resolved addresses, all of which are permitted.
    Resolved {
        /// The id in [`NetRequest::Resolve`].
        id: QueryId,
        /// The addresses, best first, or the error.
        result: Result<Vec<SocketAddr>, TrackerError>,
    },
    /// A datagram arrived at the socket of UDP trackers.
    UdpPacket {
        /// The sender.
        from: SocketAddr,
        /// The payload.
        bytes: Bytes,
    },
    /// A datagram could not be sent to a UDP tracker.
    UdpFailed {
        /// The destination in [`NetRequest::UdpSend`].
        to: SocketAddr,
        /// The system's error message.
        message: String,
    },
    /// A datagram arrived at the DHT's socket.
    DhtPacket {
        /// The sender.
        from: SocketAddr,
        /// The payload.
        bytes: Bytes,
    },
    /// The addresses of a bootstrap node; empty if its name has none.
    DhtResolved(Vec<SocketAddr>),
    /// A datagram could not be sent to a DHT node.
    DhtUnreachable(SocketAddr),
    /// The address of a possible DHT node, from another source. It is queried before it is used.
    DhtNode(SocketAddr),
    /// A datagram arrived from a multicast group of local discovery.
    LsdPacket {
        /// The sender.
        from: IpAddr,
        /// The payload.
        bytes: Bytes,
    },
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
