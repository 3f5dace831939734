//! The whole boundary between the trackers' machine and its caller.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::status::{TrackerError, TrackerStatus};
use crate::discovery::dht::Family;
use crate::discovery::swarm::Key;
use crate::types::PeerSource;

/// A question to the driver, answered at most once. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub u64);

/// What the driver is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
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
    /// Send a datagram; [`Input::UdpFailed`] if that is impossible. One of the same question that
    /// was not sent yet is obsolete.
    UdpSend {
        /// What it asks.
        id: QueryId,
        /// Of those that [`Input::Resolved`] named.
        to: SocketAddr,
        /// Whole payload.
        bytes: Bytes,
    },
    /// The answer is no longer needed and will not be heard.
    Cancel(QueryId),
    /// Peers of a swarm: at most 2,000, no port 0, no multicast or unspecified addresses, none
    /// twice. May be ourselves.
    Peers {
        /// Which swarm.
        key: Key,
        /// Who says so.
        source: PeerSource,
        /// Where they are.
        addrs: Vec<SocketAddr>,
    },
    /// A tracker's state changed.
    Status {
        /// Which swarm.
        key: Key,
        /// Position in [`super::Trackers::tracker_status`].
        index: usize,
        /// Its state now.
        status: TrackerStatus,
        /// Something to tell the user: an announce or scrape is over and this is what came of it,
        /// or the tracker cannot be asked at all, or it has been silent for long
        /// ([`TrackerStatus::asking`]). False: one began, or was given up.
        ended: bool,
    },
    /// A tracker told us our own address (BEP 24).
    ExternalIp {
        /// Whose tracker.
        key: Key,
        /// As it says; not checked.
        ip: IpAddr,
        /// Who says so.
        by: IpAddr,
    },
    /// A removed torrent has said its farewells (or nobody listened): nothing more comes for it.
    Left(Key),
}

/// What a name is looked up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolveFor {
    /// A UDP tracker.
    Tracker,
    /// A peer that a tracker named by its host name (BEP 3).
    Peer,
}

/// A 200 answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Decompressed; at most 1 MiB.
    pub body: Bytes,
    /// Who sent it, at the end of all redirects.
    pub from: IpAddr,
    /// Whether the same name has addresses of the other family, too.
    pub dual: bool,
}

/// What the world says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The time that [`super::Trackers::poll_timeout`] named has come; calling early is harmless.
    Timeout,
    /// A 200 answer, or why there is none.
    HttpResponse {
        /// As in [`Output::HttpGet`].
        id: QueryId,
        /// What came.
        result: Result<Fetched, TrackerError>,
    },
    /// Addresses, all of them allowed to be asked.
    Resolved {
        /// As in [`Output::Resolve`].
        id: QueryId,
        /// Best first.
        result: Result<Vec<SocketAddr>, TrackerError>,
    },
    /// A datagram came.
    UdpPacket {
        /// Who sent it.
        from: SocketAddr,
        /// Whole payload.
        bytes: Bytes,
    },
    /// A datagram could not be sent.
    UdpFailed {
        /// As in [`Output::UdpSend`].
        to: SocketAddr,
        /// The system's words.
        message: String,
    },
}

/// What a deadline is for; logs and the simulator name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// An announce is due, or a budget has room for it again.
    Announce,
    /// A tracker keeps us waiting; the next one is asked as well.
    Patience,
    /// A datagram was not answered.
    Retransmit,
    /// A farewell or a scrape was not answered.
    Farewell,
    /// An announce without an answer no longer counts against its owner's limit.
    Place,
}
