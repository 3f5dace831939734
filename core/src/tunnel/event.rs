//! What the tab's side of the tunnel reports to its driver.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use super::hello::Welcome;
use super::offer::PlayerToken;
use super::refusal::{JoinRefusal, Refusal};
use super::status::{DhtCounts, PeerCounts, TrackerCounts};
use super::stream::StreamClose;
use super::tracker_report::TrackerReport;
use crate::io::Handshaken;
use crate::types::PeerAddr;

/// An event on the tab's side.
#[derive(Clone, Debug)]
pub enum Event {
    /// The bridge accepted the session.
    Welcome(Welcome),
    /// The bridge refused or ended the session; it closes the WebSocket next.
    Refused(Refusal),
    /// The bridge refused a join, which no longer exists.
    JoinRefused {
        /// The join.
        join: u32,
        /// The reason, and when to try again.
        refusal: JoinRefusal,
    },
    /// A peer is connected, and the handshake is complete.
    StreamOpened {
        /// The number of the stream. Never reused within a session.
        stream: u32,
        /// The join.
        join: u32,
        /// The address of the peer.
        addr: PeerAddr,
        /// Whether the bridge dialled it, so that `addr` is its listening address.
        dialled: bool,
        /// The peer's handshake.
        handshake: Handshaken,
    },
    /// Data from a peer, as a slice of the message. Return the credit with [`super::Client::consumed`].
    Data {
        /// The stream.
        stream: u32,
        /// Never empty.
        bytes: Bytes,
    },
    /// Bytes queued with [`super::Client::send`] were packed into a message.
    Sent {
        /// The stream.
        stream: u32,
        /// The number of bytes since the last such event.
        bytes: u64,
    },
    /// Players reach an offered file by this token.
    Offered {
        /// The offer.
        offer: u32,
        /// The token.
        token: PlayerToken,
    },
    /// A player reads an offered file: send these bytes with [`super::Client::send`]. The bridge
    /// closes the stream when it has them, or when the player needs no more. Close it if they
    /// cannot be sent.
    Read {
        /// The number of the stream. Never reused within a session.
        stream: u32,
        /// The offer.
        offer: u32,
        /// The bytes of the file; never empty, and within its size.
        bytes: Range<u64>,
    },
    /// A stream has ended. Not sent after [`super::Client::close`].
    StreamClosed {
        /// The stream.
        stream: u32,
        /// The reason.
        reason: StreamClose,
    },
    /// The results of a join's trackers; only the newest counts matter.
    Trackers {
        /// The join.
        join: u32,
        /// The counts.
        counts: TrackerCounts,
    },
    /// The state of one of a join's trackers; only the newest of each URL matters.
    Tracker {
        /// The join.
        join: u32,
        /// The state.
        report: TrackerReport,
    },
    /// The counts of a join's peers; only the newest matter.
    Peers {
        /// The join.
        join: u32,
        /// The counts.
        counts: PeerCounts,
    },
    /// The counts of a join's DHT lookups; only the newest matter. Never sent if the bridge has no
    /// DHT, or the join is private.
    Dht {
        /// The join.
        join: u32,
        /// The counts.
        counts: DhtCounts,
    },
    /// The bridge stops within this time. Reconnect after it has closed the WebSocket.
    Draining {
        /// The maximum time.
        within: Duration,
    },
    /// No message arrived for [`super::Keepalive::silence`]: close the WebSocket and reconnect.
    Silent,
}
