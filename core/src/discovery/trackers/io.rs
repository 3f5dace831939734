//! The interface between the tracker state machine and its caller.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::endpoint::Endpoint;
use super::status::{TrackerError, TrackerStatus};
use crate::discovery::dht::Family;
use crate::discovery::swarm::Key;
use crate::types::PeerSource;

/// The id of a request to the driver, which is answered at most once. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub u64);

/// A request or a report to the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A network request.
    Net(Request),
    /// Peers of a swarm: at most 2,000, without port 0, multicast, unspecified addresses or
    /// duplicates. Our own address may be included.
    Peers {
        /// The swarm.
        key: Key,
        /// The source of the addresses.
        source: PeerSource,
        /// The addresses of the peers.
        addrs: Vec<SocketAddr>,
    },
    /// A tracker's state changed.
    Status {
        /// The swarm.
        key: Key,
        /// The index in [`super::Trackers::tracker_status`].
        index: usize,
        /// The new state.
        status: TrackerStatus,
        /// Whether the change is of interest to the user: an announce or scrape has ended, the
        /// tracker cannot be asked at all, or it has been silent for long
        /// ([`TrackerStatus::asking`]). False if a request started or was cancelled.
        ended: bool,
    },
    /// A tracker reported our own address (BEP 24).
    ExternalIp {
        /// The member whose tracker it is.
        key: Key,
        /// The reported address, which is not checked.
        ip: IpAddr,
        /// The tracker's address.
        by: IpAddr,
    },
    /// The trackers of a removed torrent were told that it left, or did not answer. No further
    /// output follows for it.
    Left(Key),
}

/// A network request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Perform an HTTP GET and answer with [`Input::HttpResponse`]. Limits: 1 MiB after
    /// decompression, 30 s, three redirects.
    HttpGet {
        /// The id of the request.
        id: QueryId,
        /// The torrent's [`Key::owner`], by which the driver can limit requests.
        owner: u64,
        /// An http or https URL with percent-encoded arguments.
        url: String,
        /// The address family to connect to (BEP 7); `None`: either.
        family: Option<Family>,
    },
    /// Resolve a host name or a literal address, and answer with [`Input::Resolved`], or if only a
    /// proxy can resolve it with [`Input::ByName`].
    Resolve {
        /// The id of the request.
        id: QueryId,
        /// The torrent's [`Key::owner`].
        owner: u64,
        /// What the name is for, which determines the permitted addresses.
        what: ResolveFor,
        /// A host name, a dotted quad or a bracketed IPv6 address.
        host: String,
        /// The port for the resolved addresses.
        port: u16,
    },
    /// Send a datagram to a UDP tracker; [`Input::UdpFailed`] if that is impossible. It replaces an
    /// unsent datagram with the same id. If it has to wait, it is only sent while
    /// [`super::Trackers::is_open`] returns true.
    UdpSend {
        /// The id of the request.
        id: QueryId,
        /// The torrent's [`Key::owner`].
        owner: u64,
        /// One of the addresses from [`Input::Resolved`], or the name after [`Input::ByName`].
        to: Endpoint,
        /// The payload.
        bytes: Bytes,
    },
    /// The result of an `HttpGet` or a `Resolve` is no longer needed and will be ignored.
    Cancel(QueryId),
}

/// What a name is resolved for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolveFor {
    /// A UDP tracker.
    Tracker,
    /// A peer that a tracker returned by host name (BEP 3).
    Peer,
}

/// A 200 response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The decompressed body, at most 1 MiB.
    pub body: Bytes,
    /// The address of the server that sent it, after all redirects.
    pub from: IpAddr,
    /// Whether the same name also has addresses of the other family.
    pub dual: bool,
}

/// An input of the state machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The time that [`super::Trackers::poll_timeout`] returned has come. An early call is
    /// harmless.
    Timeout,
    /// The response to an HTTP request.
    HttpResponse {
        /// The id in [`Request::HttpGet`].
        id: QueryId,
        /// The body of a 200 response, or the error.
        result: Result<Fetched, TrackerError>,
    },
    /// Resolved addresses, all of which are permitted.
    Resolved {
        /// The id in [`Request::Resolve`].
        id: QueryId,
        /// The addresses, best first, or the error.
        result: Result<Vec<SocketAddr>, TrackerError>,
    },
    /// The name is resolved by a proxy: datagrams are sent to the name.
    ByName {
        /// The id in [`Request::Resolve`] for a tracker.
        id: QueryId,
    },
    /// A datagram arrived at the socket of UDP trackers.
    UdpPacket {
        /// The sender; behind a proxy, as the proxy tells it.
        from: SocketAddr,
        /// The payload.
        bytes: Bytes,
    },
    /// A datagram could not be sent to a UDP tracker.
    UdpFailed {
        /// The destination in [`Request::UdpSend`].
        to: Endpoint,
        /// The system's or the proxy's error message.
        message: String,
    },
}

/// What a deadline is for, used by logs and the simulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// An announce is due, or a budget permits it again.
    Announce,
    /// A tracker has not answered; the next one is asked as well.
    SlowTracker,
    /// A datagram was not answered.
    Retransmit,
    /// A `stopped` or a scrape was not answered.
    Farewell,
    /// An unanswered announce no longer counts against its owner's limit.
    Place,
}
