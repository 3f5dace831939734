//! The whole boundary between [`super::Discovery`] and its driver.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::dht::{self, Effort, Family};
use super::lsd::Announce;
use super::swarm::Key;
use super::trackers::{self, Fetched, QueryId, ResolveFor, TrackerError, TrackerStatus};
use crate::types::PeerSource;

/// What the driver is to do or to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Something to be done in the network.
    Net(NetRequest),
    /// Peers of a swarm: at most 2,000, no port 0, no multicast or unspecified addresses, none
    /// twice. May be ourselves.
    Peers {
        /// Which swarm.
        key: Key,
        /// Who says so. For a private torrent a tracker, never another source (BEP 27).
        source: PeerSource,
        /// Where they are.
        addrs: Vec<SocketAddr>,
    },
    /// A tracker's state changed.
    Tracker {
        /// Which swarm.
        key: Key,
        /// Position in [`super::Discovery::tracker_status`].
        index: usize,
        /// Its state now.
        status: TrackerStatus,
        /// Something to tell the user: an announce or scrape is over and this is what came of it,
        /// or the tracker cannot be asked at all, or it has been silent for long
        /// ([`TrackerStatus::asking`]). False: one began, or was given up.
        ended: bool,
    },
    /// What [`super::Discovery::dht_counts`] says of a member has changed.
    DhtChanged(Key),
    /// A lookup in the DHT is over; for logs and measurements.
    DhtLooked {
        /// For whom.
        key: Key,
        /// What it took.
        effort: Effort,
    },
    /// A tracker told us our own address (BEP 24); not checked.
    ExternalIp {
        /// Whose tracker.
        key: Key,
        /// As it says.
        ip: IpAddr,
    },
    /// A removed torrent has told its trackers that it left (or none listened): nothing more comes
    /// for it.
    Left(Key),
}

/// Something to be done in the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetRequest {
    /// Fetch, answered by [`Input::HttpResponse`]: at most 1 MiB after decompression, 30 s, three
    /// redirects.
    HttpGet {
        /// The answer's name.
        id: QueryId,
        /// An http or https URL with percent-encoded arguments.
        url: String,
        /// Connect to addresses of this family alone (BEP 7); `None`: of either.
        family: Option<Family>,
    },
    /// Look up a name (or pass on a literal), answered by [`Input::Resolved`].
    Resolve {
        /// The answer's name.
        id: QueryId,
        /// What is at this name: who may be asked depends on it.
        what: ResolveFor,
        /// A name, a dotted quad or a bracketed IPv6 address.
        host: String,
        /// For the socket addresses of the answer.
        port: u16,
    },
    /// Send a datagram to a UDP tracker; [`Input::UdpFailed`] if that is impossible. One of the same
    /// question that was not sent yet is obsolete.
    UdpSend {
        /// What it asks.
        id: QueryId,
        /// Of those that [`Input::Resolved`] named.
        to: SocketAddr,
        /// Whole payload.
        bytes: Bytes,
    },
    /// The answer to an `HttpGet` or a `Resolve` is no longer needed and will not be heard.
    Cancel(QueryId),
    /// Send a datagram from the DHT's socket; [`Input::DhtUnreachable`] if that is impossible or
    /// not allowed.
    DhtSend {
        /// Where to. Foreign nodes named it: the driver's policy decides whether it goes there.
        to: SocketAddr,
        /// Whole payload.
        bytes: Bytes,
    },
    /// Look up a bootstrap node of the DHT, answered by [`Input::DhtResolved`].
    DhtResolve {
        /// A name, a dotted quad or a bracketed IPv6 address.
        host: String,
        /// For the socket addresses of the answer.
        port: u16,
    },
    /// Send to the multicast groups of local discovery, on every interface.
    LsdSend(Announce),
}

/// What the world says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The time that [`super::Discovery::poll_timeout`] named has come; calling early is harmless.
    Timeout,
    /// A 200 answer, or why there is none.
    HttpResponse {
        /// As in [`NetRequest::HttpGet`].
        id: QueryId,
        /// What came.
        result: Result<Fetched, TrackerError>,
    },
    /// Addresses, all of them allowed to be asked.
    Resolved {
        /// As in [`NetRequest::Resolve`].
        id: QueryId,
        /// Best first.
        result: Result<Vec<SocketAddr>, TrackerError>,
    },
    /// A datagram came to the socket of UDP trackers.
    UdpPacket {
        /// Who sent it.
        from: SocketAddr,
        /// Whole payload.
        bytes: Bytes,
    },
    /// A datagram could not be sent to a UDP tracker.
    UdpFailed {
        /// As in [`NetRequest::UdpSend`].
        to: SocketAddr,
        /// The system's words.
        message: String,
    },
    /// A datagram came to the DHT's socket.
    DhtPacket {
        /// Who sent it.
        from: SocketAddr,
        /// Whole payload.
        bytes: Bytes,
    },
    /// Addresses of a bootstrap node; none if its name has none.
    DhtResolved(Vec<SocketAddr>),
    /// A datagram could not be sent to a node of the DHT.
    DhtUnreachable(SocketAddr),
    /// Somebody says that there is a node of the DHT; it is asked before that is believed.
    DhtNode(SocketAddr),
    /// A datagram came to a multicast group of local discovery.
    LsdPacket {
        /// Who sent it.
        from: IpAddr,
        /// Whole payload.
        bytes: Bytes,
    },
}

/// What a deadline is for; logs and the simulator name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Something at a tracker.
    Trackers(trackers::Reason),
    /// Something in the DHT.
    Dht(dht::Reason),
    /// Something is to be announced on the local network.
    Lsd,
}
