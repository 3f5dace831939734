//! The state of an engine for display and for announces.

use std::time::Duration;

use super::Failure;
use crate::connection::Line;
use crate::types::{Bitfield, ConnId, InfoHash, PeerAddr, PeerId, TorrentId};

/// What a deadline is for, used by logs and the simulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A dial may be started.
    Dial,
    /// A rate limit permits more data.
    RateLimit,
    /// The regular tick, once per second: choking, late blocks, keep-alives, flushes.
    Tick,
}

/// The activity of a torrent, in the terms that the page and the terminal use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Looking for peers.
    Connecting,
    /// Downloading metadata from peers.
    FetchingMetadata,
    /// Reading and hashing the data on disk.
    Checking,
    /// Downloading pieces.
    Downloading,
    /// Complete, and uploading.
    Seeding,
    /// Paused by the user.
    Paused,
    /// Stopped by a failure.
    Error,
}

/// A snapshot of all torrents for display. It is expensive.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The torrents in order of their ids.
    pub torrents: Vec<TorrentSnapshot>,
}

/// A snapshot of one torrent, for display and announces.
#[derive(Clone, Debug)]
pub struct TorrentSnapshot {
    /// The id of the torrent.
    pub torrent: TorrentId,
    /// The info-hash of the torrent.
    pub info_hash: InfoHash,
    /// The current activity.
    pub phase: Phase,
    /// The failure, if `phase` is [`Phase::Error`].
    pub failure: Option<Failure>,
    /// Bytes of wanted pieces that are verified, without padding (BEP 47).
    pub done: u64,
    /// Bytes of wanted pieces, without padding.
    pub wanted: u64,
    /// Bytes of all pieces that are not verified, without padding: the `left` of an announce.
    pub left: u64,
    /// Bytes checked so far, while the data are being checked.
    pub checked: u64,
    /// Download rate: payload bytes per second, averaged over some seconds.
    pub down_rate: u64,
    /// Upload rate: payload bytes per second, averaged over some seconds.
    pub up_rate: u64,
    /// Payload bytes downloaded in all runs.
    pub downloaded: u64,
    /// Payload bytes uploaded in all runs.
    pub uploaded: u64,
    /// Payload bytes that were discarded (corrupt or not requested).
    pub wasted: u64,
    /// The number of connected peers with a complete handshake.
    pub peers: usize,
    /// The number of these that are complete.
    pub seeds: usize,
    /// The number of dials in progress.
    pub dialling: usize,
    /// The number of known addresses that are not connected.
    pub candidates: usize,
    /// The number of addresses of peers that were neither dialled nor accepted because they are on
    /// the blocklist; at most 4,096 are counted.
    pub blocked: usize,
    /// The number of peers that unchoke us.
    pub unchoking_us: usize,
    /// The number of peers that have pieces we need.
    pub interesting: usize,
    /// Whether storage is slower than the peers: nothing more can be requested because most of
    /// [`crate::Config::max_unwritten`] waits for digests and writes.
    pub waits_for_storage: bool,
    /// The pieces that are complete.
    pub have: Bitfield,
    /// The time to completion at the current rate, if it can be estimated.
    pub eta: Option<Duration>,
}

/// A snapshot of one peer, for display.
#[derive(Clone, Debug)]
pub struct PeerSnapshot {
    /// The connection.
    pub conn: ConnId,
    /// The peer's address.
    pub addr: PeerAddr,
    /// How its bytes travel.
    pub line: Line,
    /// Whether we or our bridge dialled it, or both sides did (BEP 55).
    pub dialled: bool,
    /// The peer's id.
    pub peer_id: PeerId,
    /// Payload bytes per second from the peer.
    pub down_rate: u64,
    /// Payload bytes per second to the peer.
    pub up_rate: u64,
    /// The number of our pending requests to the peer.
    pub in_flight: usize,
    /// The number of the peer's pending requests to us.
    pub asked: usize,
    /// Whether the peer chokes us (BEP 3).
    pub peer_choking: bool,
    /// Whether we choke the peer (BEP 3).
    pub am_choking: bool,
    /// Whether the peer is interested in our pieces (BEP 3).
    pub peer_interested: bool,
    /// Whether we are interested in its pieces (BEP 3).
    pub am_interested: bool,
    /// The number of pieces that the peer has.
    pub pieces: u32,
}
