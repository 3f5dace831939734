//! A torrent as the page shows it.

use crate::codec::Encoded;

/// A torrent.
#[derive(Clone, Debug, Default, PartialEq, Encoded)]
pub struct Torrent {
    /// Its number in messages between page and worker.
    pub id: u32,
    /// The folder of its data: 40 hexadecimal digits, or another name if it was created here.
    pub folder: String,
    /// The torrent's own name, with control characters made visible.
    pub name: String,
    /// When the user added it, in milliseconds since 1970, which is the order of the list. Unique
    /// unless unknown (0).
    pub added: u64,
    /// Its magnet link; `None` while it is being created of the user's own files.
    pub magnet: Option<String>,
    /// Its current activity.
    pub phase: Phase,
    /// The error and what to do about it, with [`Phase::Error`].
    pub failure: Option<String>,
    /// The number of files without padding.
    pub files: u32,
    /// The number of pieces; 0 until the metadata are known.
    pub pieces: u32,
    /// Its progress.
    pub progress: Progress,
    /// Its rates and amounts.
    pub traffic: Traffic,
    /// Connected peers.
    pub peers: Peers,
    /// Whether nothing more can be requested because what has arrived waits for storage.
    pub storage_is_slow: bool,
    /// Wanted pieces that none of the connected peers has, if none of them has any that is wanted.
    pub missing: Option<Missing>,
    /// The state of the search for peers.
    pub search: Search,
}

impl Torrent {
    /// Whether all wanted data are complete, and any are wanted.
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

/// The activity of a torrent; the first word of its status on the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encoded)]
pub enum Phase {
    /// Looking for peers.
    #[default]
    Connecting,
    /// Fetching the metadata of a magnet link.
    FetchingMetadata,
    /// Reading and hashing the stored data.
    Checking,
    /// Copying the user's own files into storage, to share them.
    Copying,
    /// Downloading pieces.
    Downloading,
    /// Complete, and uploading.
    Seeding,
    /// All wanted data are complete, but not the whole torrent.
    Finished,
    /// Paused by the user.
    Paused,
    /// Stopped by a failure.
    Error,
}

impl Phase {
    /// Whether something is being downloaded, or peers for it are looked for.
    #[must_use]
    pub const fn is_download(self) -> bool {
        matches!(
            self,
            Self::Connecting | Self::FetchingMetadata | Self::Downloading
        )
    }
}

/// The progress of a torrent, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encoded)]
pub struct Progress {
    /// Size of all files; `None` until the metadata are known.
    pub total: Option<u64>,
    /// Verified bytes of wanted files.
    pub done: u64,
    /// Bytes of wanted files.
    pub wanted: u64,
    /// Bytes checked so far, with [`Phase::Checking`], or copied, with [`Phase::Copying`].
    pub checked: u64,
    /// Seconds to completion.
    pub eta: Option<u64>,
}

/// The traffic of a torrent. Rates are in payload bytes per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encoded)]
pub struct Traffic {
    /// Download rate.
    pub down: u64,
    /// Upload rate.
    pub up: u64,
    /// Bytes uploaded in all runs.
    pub uploaded: u64,
    /// Bytes downloaded in all runs.
    pub downloaded: u64,
}

/// The number of connected peers of a torrent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encoded)]
pub struct Peers {
    /// All of them.
    pub connected: u32,
    /// Those that are complete.
    pub seeds: u32,
    /// Those that unchoke us.
    pub unchoking: u32,
    /// Those that have pieces we need.
    pub interesting: u32,
}

/// Pieces that are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encoded)]
pub struct Missing {
    /// The index of the first one.
    pub first: u32,
    /// Their number.
    pub number: u32,
}

/// The state of the search for a torrent's peers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encoded)]
pub struct Search {
    /// Why it has not started, if it has not.
    pub waiting: Option<WaitReason>,
    /// The results from trackers.
    pub trackers: TrackerSearch,
    /// The results from the DHT; `None` if it is not used.
    pub dht: Option<DhtSearch>,
    /// The state of the peers that were found.
    pub peers: PeerSearch,
}

/// Why a torrent is not in its swarm: the bridge limits how many swarms a tab may join, and how
/// fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encoded)]
pub enum WaitReason {
    /// This many torrents are in their swarms, which is the bridge's limit.
    AllInUse(u32),
    /// Too many swarms were joined within a short time.
    TooFast,
}

/// The results from a torrent's trackers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encoded)]
pub struct TrackerSearch {
    /// Named by the torrent.
    pub named: u32,
    /// Being asked, and never answered before.
    pub asking: u32,
    /// Failed when last asked.
    pub failed: u32,
    /// Answered without peers.
    pub empty: u32,
    /// Answered with peers.
    pub answered: u32,
    /// The failure of one of them, as a clause.
    pub failure: Option<String>,
    /// Whether one does not know the torrent, which only its user can change.
    pub unregistered: bool,
    /// The number of complete peers, from the tracker that knows most.
    pub seeders: u32,
    /// The number of incomplete peers, from the tracker that knows most.
    pub leechers: u32,
    /// Seconds until the next tracker is asked.
    pub retry_in: Option<u32>,
}

/// The results from the DHT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encoded)]
pub struct DhtSearch {
    /// The number of nodes that the bridge knows.
    pub nodes: u32,
    /// The number of peers that the last lookup found.
    pub peers: u32,
    /// Whether a lookup is in progress.
    pub asking: bool,
}

impl TrackerSearch {
    /// The number of trackers that have answered or failed.
    #[must_use]
    pub const fn heard(&self) -> u32 {
        self.failed + self.empty + self.answered
    }
}

/// The number of found peers by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encoded)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Encoded)]
pub struct FileRow {
    /// Its index in the torrent.
    pub index: u32,
    /// The path below the torrent's folder, its components separated by `/`.
    pub path: String,
    /// The name of a saved copy: the last component of the path, unchanged. The browser replaces
    /// characters that its system does not accept.
    pub name: String,
    /// The size in bytes.
    pub size: u64,
    /// Its position in a stored file that contains several files, if it is in one: the index of the
    /// first of them, and the offset of this file in bytes. An earlier version stored each file
    /// separately.
    pub container: Option<(u32, u64)>,
    /// Whether the user wants it, and how soon.
    pub priority: Priority,
}

/// Whether the user wants a file, and how soon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encoded)]
pub enum Priority {
    /// It is not downloaded.
    Skip,
    /// It is downloaded.
    #[default]
    Normal,
    /// It is downloaded before others, from its beginning.
    High,
}
