//! What screens and announces show of an engine.

use std::time::Duration;

use super::Failure;
use crate::connection::Transport;
use crate::types::{Bitfield, ConnId, InfoHash, PeerAddr, PeerId, TorrentId};

/// What a deadline is for; logs and the simulator name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A dial may be made.
    Dial,
    /// A rate limit has room again.
    RateLimit,
    /// Choking, late blocks, keep-alives, flushes: once per second.
    Tick,
}

/// What a torrent is doing, in the words of the page and the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Looking for peers.
    Connecting,
    /// Fetching metadata from peers.
    FetchingMetadata,
    /// Reading and hashing what is on disk.
    Checking,
    /// Fetching pieces.
    Downloading,
    /// Complete, and serving.
    Seeding,
    /// Paused by the user.
    Paused,
    /// Stopped by a failure.
    Error,
}

/// All torrents, for screens. Not for the hot path.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// In order of their ids.
    pub torrents: Vec<TorrentSnapshot>,
}

/// One torrent, for screens and announces.
#[derive(Clone, Debug)]
pub struct TorrentSnapshot {
    /// Which.
    pub torrent: TorrentId,
    /// Its hash.
    pub info_hash: InfoHash,
    /// What it is doing.
    pub phase: Phase,
    /// If `phase` is [`Phase::Error`].
    pub failure: Option<Failure>,
    /// Bytes of wanted pieces that are verified, without padding (BEP 47).
    pub done: u64,
    /// Bytes of wanted pieces, without padding.
    pub wanted: u64,
    /// Bytes of all pieces that are not verified, without padding: the `left` of an announce.
    pub left: u64,
    /// While checking: bytes checked so far.
    pub checked: u64,
    /// Payload bytes per second, smoothed over some seconds.
    pub down_rate: u64,
    /// Payload bytes per second, smoothed over some seconds.
    pub up_rate: u64,
    /// Payload bytes received in all runs.
    pub downloaded: u64,
    /// Payload bytes sent in all runs.
    pub uploaded: u64,
    /// Payload bytes thrown away (corrupt or unasked).
    pub wasted: u64,
    /// Connected peers, handshake done.
    pub peers: usize,
    /// Of these, complete ones.
    pub seeds: usize,
    /// Dials under way.
    pub dialling: usize,
    /// Addresses known and not connected.
    pub candidates: usize,
    /// Peers that let us request.
    pub unchoking_us: usize,
    /// Peers that have something we want.
    pub interesting: usize,
    /// Pieces had.
    pub have: Bitfield,
    /// Seconds to completion at the present rate, if that means anything.
    pub eta: Option<Duration>,
}

/// One peer, for screens.
#[derive(Clone, Debug)]
pub struct PeerSnapshot {
    /// The connection.
    pub conn: ConnId,
    /// Where it is.
    pub addr: PeerAddr,
    /// What carries the connection.
    pub transport: Transport,
    /// What it calls itself.
    pub peer_id: PeerId,
    /// Payload bytes per second from it.
    pub down_rate: u64,
    /// Payload bytes per second to it.
    pub up_rate: u64,
    /// Requests we wait for.
    pub in_flight: usize,
    /// Blocks it waits for.
    pub asked: usize,
    /// Whether it chokes us (BEP 3).
    pub peer_choking: bool,
    /// Whether we choke it (BEP 3).
    pub am_choking: bool,
    /// Pieces it has.
    pub pieces: u32,
}
