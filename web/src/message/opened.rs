//! What the page shows of an opened torrent, in tabs.

use serde::{Deserialize, Serialize};

use super::TorrentOptions;

/// What a page shows of the opened torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The torrent.
    pub torrent: u32,
    /// The selected tab.
    pub pane: Pane,
}

/// A tab of an opened torrent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pane {
    /// Its files.
    #[default]
    Files,
    /// The connected peers.
    Peers,
    /// Which pieces are complete.
    Pieces,
    /// The search for peers.
    Trackers,
    /// Hashes, sizes, amounts, links.
    Details,
}

/// A connected peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PeerRow {
    /// A number that identifies its connection.
    pub conn: u64,
    /// Its IP address and port, or the number of another tab of this bridge.
    pub address: String,
    /// Its client and version, from its peer id.
    pub client: String,
    /// How its data arrive.
    pub route: Route,
    /// Payload bytes per second from the peer.
    pub down: u64,
    /// Payload bytes per second to the peer.
    pub up: u64,
    /// The number of pieces that it has.
    pub pieces: u32,
    /// Whether it chokes us (BEP 3).
    pub choking: bool,
    /// Whether we choke it.
    pub choked: bool,
    /// Whether we wait for blocks of it.
    pub requested: bool,
    /// Whether it waits for blocks of ours.
    pub requesting: bool,
}

/// How data of a peer arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Route {
    /// The bridge is connected to it.
    Bridge,
    /// It is another tab of the bridge, which relays.
    RelayedTab,
    /// It is another tab, to which there is a data channel.
    Tab,
}

/// Which pieces are complete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PieceMap {
    /// The number of pieces.
    pub number: u32,
    /// The number of complete pieces.
    pub complete: u32,
    /// A bitfield in hexadecimal digits: the first bit of the first byte is piece 0, as in BEP 3.
    /// 100,000 pieces take 25 kB, however the complete ones are distributed.
    pub bits: String,
}

/// What a .torrent file says besides its metadata; as received.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Web addresses that have the files, too (BEP 19).
    pub web_seeds: Vec<String>,
    /// A comment for users.
    pub comment: Option<String>,
    /// The name of the program that created it.
    pub created_by: Option<String>,
    /// When it was created, in seconds since 1970.
    pub created: Option<i64>,
}

/// The details of a torrent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Details {
    /// The v1 info-hash in hexadecimal digits, if it has one.
    pub v1: Option<String>,
    /// The v2 info-hash in hexadecimal digits, if it has one.
    pub v2: Option<String>,
    /// The length of all pieces but the last one, in bytes.
    pub piece_length: u32,
    /// Whether only its trackers may name peers (BEP 27).
    pub private: bool,
    /// Tiers of tracker URLs, with control characters made visible.
    pub trackers: Vec<Vec<String>>,
    /// What its file says, with control characters made visible.
    pub facts: Facts,
    /// Payload bytes that were discarded in this run.
    pub wasted: u64,
    /// The user's choices.
    pub options: TorrentOptions,
}
