//! One torrent as the page shows it.

use serde::{Deserialize, Serialize};

/// One torrent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Torrent {
    /// Its number between page and worker.
    pub id: u32,
    /// The folder of its data: 40 hex digits, or another name for one that was created here.
    pub folder: String,
    /// The torrent's own name, with control characters made visible.
    pub name: String,
    /// When the user added it, milliseconds since 1970: the order of the list. Unique unless
    /// unknown (0).
    pub added: u64,
    /// Its magnet link; `None` while it is being created of the user's own files.
    pub magnet: Option<String>,
    /// What it is doing.
    pub phase: Phase,
    /// What went wrong and what to do about it, with [`Phase::Error`].
    pub failure: Option<String>,
    /// Number of files, pads aside.
    pub files: u32,
    /// How much of it is here.
    pub progress: Progress,
    /// What is sent and received.
    pub traffic: Traffic,
    /// Connected peers.
    pub peers: Peers,
    /// What the search for peers has found.
    pub search: Search,
}

impl Torrent {
    /// Whether all that is wanted is here, and anything is wanted.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        let Progress {
            total,
            done,
            wanted,
            ..
        } = self.progress;
        total.is_some() && wanted > 0 && done >= wanted
    }
}

/// What a torrent is doing; the first word that the page shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Looking for peers.
    #[default]
    Connecting,
    /// Fetching the metadata of a magnet link.
    FetchingMetadata,
    /// Reading and hashing what is in storage.
    Checking,
    /// Copying the user's own files into storage, to share them.
    Copying,
    /// Fetching pieces.
    Downloading,
    /// Complete, and serving others.
    Seeding,
    /// All that is wanted is here, though not all of the torrent.
    Finished,
    /// Paused by the user.
    Paused,
    /// Stopped by a failure.
    Error,
}

/// How much of a torrent is here, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Size of all files; `None` until the metadata are known.
    pub total: Option<u64>,
    /// Verified, of what is wanted.
    pub done: u64,
    /// Wanted.
    pub wanted: u64,
    /// Checked so far, with [`Phase::Checking`], or copied, with [`Phase::Copying`].
    pub checked: u64,
    /// Seconds to completion.
    pub eta: Option<u64>,
}

/// What a torrent sends and receives. Rates in payload bytes per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Download rate.
    pub down: u64,
    /// Upload rate.
    pub up: u64,
    /// Bytes sent in all runs.
    pub uploaded: u64,
}

/// Connected peers of a torrent, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peers {
    /// All of them.
    pub connected: u32,
    /// Those that are complete.
    pub seeds: u32,
    /// Those that unchoke us.
    pub unchoking: u32,
    /// Those that have something we want.
    pub interesting: u32,
}

/// What the search for a torrent's peers has found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// Why it has not begun, if it has not.
    pub waiting: Option<WaitReason>,
    /// In trackers.
    pub trackers: TrackerSearch,
    /// In the DHT, as a clause; `None`: it is not asked.
    pub dht: Option<String>,
    /// What became of the peers that were found.
    pub peers: PeerSearch,
}

/// Why a torrent is not in its swarm: the bridge limits how many swarms a tab is in, and how fast it
/// enters them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaitReason {
    /// This many torrents are in their swarms, which is the bridge's limit.
    AllInUse(u32),
    /// Too many swarms were entered within a short time.
    TooFast,
}

/// What the trackers of a torrent said. All numbers but `retry_in` count trackers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackerSearch {
    /// Named by the torrent.
    pub named: u32,
    /// Being asked, and never answered before.
    pub asking: u32,
    /// Failed when last asked.
    pub failed: u32,
    /// Answered without a peer.
    pub empty: u32,
    /// Answered with peers.
    pub answered: u32,
    /// How one of those that failed did, as a clause.
    pub failure: Option<String>,
    /// Seconds until the next tracker is asked.
    pub retry_in: Option<u32>,
}

impl TrackerSearch {
    /// Those that have answered or failed.
    #[must_use]
    pub const fn heard(&self) -> u32 {
        self.failed + self.empty + self.answered
    }
}

/// What became of the peers of a torrent that were found, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerSearch {
    /// Addresses found so far.
    pub found: u32,
    /// Being dialled now.
    pub dialling: u32,
    /// Could not be reached.
    pub unreachable: u32,
    /// Refused by the bridge's address filter.
    pub refused: u32,
    /// Sent wrong data and were banned.
    pub banned: u32,
    /// Closed the connection soon after the handshake.
    pub hung_up: u32,
    /// Broke the protocol.
    pub misbehaved: u32,
}

/// One file of a torrent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRow {
    /// Its index in the torrent.
    pub index: u32,
    /// Path below the torrent's folder, with invisible characters made visible.
    pub path: String,
    /// The name of a saved copy: the last component of the path, unchanged. The browser replaces
    /// characters that its system does not accept.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Its place in a stored file of several files, if it has one: the index of the first of these,
    /// and where this file begins, in bytes. An earlier version stored each file on its own.
    pub container: Option<(u32, u64)>,
    /// Whether the user wants it.
    pub wanted: bool,
}
