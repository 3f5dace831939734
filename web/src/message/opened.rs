//! What the page shows of an opened torrent, in tabs.

use serde::{Deserialize, Serialize};

use super::TorrentOptions;
use crate::codec::Encoded;

/// What a page shows of the opened torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encoded)]
pub struct View {
    /// The torrent.
    pub torrent: u32,
    /// The selected tab.
    pub pane: Pane,
}

/// A tab of an opened torrent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encoded)]
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
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encoded)]
pub struct PeerRow {
    /// A number that identifies its connection.
    pub conn: u64,
    /// Its IP address and port, or the number of another tab of this bridge.
    pub address: String,
    /// Its client and version, from its peer id.
    pub client: String,
    /// How its data arrive.
    pub route: Route,
    /// What of the connection is encrypted.
    pub encrypted: Encrypted,
    /// Whether the bridge dialled it; otherwise it dialled the bridge.
    pub dialled: bool,
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
    /// Whether it is interested in our pieces.
    pub interested: bool,
    /// Whether we are interested in its pieces.
    pub wanted: bool,
    /// Whether we wait for blocks of it.
    pub requested: bool,
    /// Whether it waits for blocks of ours.
    pub requesting: bool,
}

/// How data of a peer arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encoded)]
pub enum Route {
    /// The bridge is connected to it over TCP.
    Tcp,
    /// The bridge is connected to it over uTP.
    Utp,
    /// It is another tab of the bridge, which relays.
    RelayedTab,
    /// It is another tab, to which there is a data channel.
    Tab,
}

/// What of a connection between the bridge and a peer is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encoded)]
pub enum Encrypted {
    /// Nothing.
    Nothing,
    /// The handshake.
    Handshake,
    /// Everything, with RC4.
    Everything,
}

/// One of the trackers that a torrent names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encoded)]
pub struct TrackerRow {
    /// Its URL, with control characters made visible.
    pub url: String,
    /// Its last answer.
    pub answer: TrackerAnswer,
    /// Whether it is being asked.
    pub asking: bool,
    /// Its own text, escaped: why it refuses, or its warning.
    pub text: Option<String>,
    /// Seconds until it is asked again, if that is known.
    pub next: Option<u32>,
}

/// The last answer of a tracker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Encoded)]
pub enum TrackerAnswer {
    /// There was none yet.
    #[default]
    None,
    /// It answered.
    Peers {
        /// The number of addresses in the answer.
        named: u32,
        /// The number of complete peers, if given.
        seeders: Option<u32>,
        /// The number of incomplete peers, if given.
        leechers: Option<u32>,
    },
    /// It failed or refused, with the reason as a clause.
    Failed(String),
}

/// Which pieces are complete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encoded)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Encoded)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Encoded)]
pub struct Details {
    /// The v1 info-hash in hexadecimal digits, if it has one.
    pub v1: Option<String>,
    /// The v2 info-hash in hexadecimal digits, if it has one.
    pub v2: Option<String>,
    /// The length of all pieces but the last one, in bytes.
    pub piece_length: u32,
    /// Whether only its trackers may name peers (BEP 27).
    pub private: bool,
    /// What its file says, with control characters made visible.
    pub facts: Facts,
    /// Payload bytes that were discarded in this run.
    pub wasted: u64,
    /// The user's choices.
    pub options: TorrentOptions,
}
