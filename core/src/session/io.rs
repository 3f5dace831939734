//! The interface between a session and its driver. Connections, storage and events are as in
//! [`crate::io`], network requests as in [`crate::discovery::NetRequest`].

use crate::discovery::{self, NetRequest, TrackerStatus};
use crate::types::{PeerId, TorrentId};

/// Our identity for peers and trackers.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The peer id in handshakes and announces.
    pub peer_id: PeerId,
    /// The TCP port at which peers reach us; 0: none. See [`super::Session::set_port`].
    pub port: u16,
}

/// An output of a session. Outputs must be carried out in order.
#[derive(Clone, Debug)]
pub enum Output {
    /// An output of the engine about connections, storage or events. Never
    /// [`crate::Output::Discover`] or [`crate::Output::DhtNode`], which discovery has already
    /// received.
    Engine(crate::Output),
    /// A network request for trackers, the DHT or local discovery.
    Net(NetRequest),
    /// A tracker's state changed; see [`discovery::Output::Tracker`].
    Tracker {
        /// The torrent.
        torrent: TorrentId,
        /// The index in [`super::Session::trackers`].
        index: usize,
        /// The new state.
        status: TrackerStatus,
        /// Whether the change is of interest to the user.
        ended: bool,
    },
}

/// What a deadline is for, used by logs and the simulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The engine's reason.
    Engine(crate::Reason),
    /// Discovery's reason.
    Discovery(discovery::Reason),
}
