//! What a driver of a session tells it and hears from it. Connections, storage and news are as in
//! [`crate::io`], the network of discovery as in [`crate::discovery::NetRequest`].

use std::sync::Arc;

use crate::discovery::{self, NetRequest, TrackerStatus};
use crate::io::Resumed;
use crate::meta::{Info, Magnet};
use crate::types::{PeerId, TorrentId};

/// Who we are, for peers and trackers.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// In handshakes and announces.
    pub peer_id: PeerId,
    /// Where we listen for peers, TCP; 0: nowhere.
    pub port: u16,
}

/// A torrent to be added.
#[derive(Clone, Debug)]
pub struct NewTorrent {
    /// Chosen by the driver, never used before.
    pub torrent: TorrentId,
    /// What is known of it.
    pub source: Source,
    /// Tiers of tracker URLs (BEP 12); none: no tracker is asked.
    pub trackers: Vec<Vec<String>>,
    /// Starts paused.
    pub paused: bool,
}

/// What is known of a torrent when it is added.
#[derive(Clone, Debug)]
pub enum Source {
    /// All of it.
    Info {
        /// Names, lengths, hashes.
        info: Arc<Info>,
        /// What is known of the data on disk.
        resumed: Resumed,
        /// One flag a file, in the order of [`Info::files`]; `None`: all.
        wanted: Option<Vec<bool>>,
    },
    /// A link: its metadata are fetched from peers (BEP 9). Its own trackers count only as far as
    /// they are among [`NewTorrent::trackers`].
    Magnet(Magnet),
}

/// What a session wants, in order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Something about connections, storage, or news. Never [`crate::Output::Discover`] nor
    /// [`crate::Output::DhtNode`], which discovery has heard already.
    Engine(crate::Output),
    /// Something to be done in the network for trackers, the DHT or local discovery.
    Net(NetRequest),
    /// A tracker's state changed; as in [`discovery::Output::Tracker`].
    Tracker {
        /// For which torrent.
        torrent: TorrentId,
        /// Position in [`super::Session::trackers`].
        index: usize,
        /// Its state now.
        status: TrackerStatus,
        /// Something to tell the user.
        ended: bool,
    },
}

/// What a deadline is for; logs and the simulator name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The engine's.
    Engine(crate::Reason),
    /// Discovery's.
    Discovery(discovery::Reason),
}
