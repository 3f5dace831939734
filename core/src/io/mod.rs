//! The whole boundary between the engine and its driver. `snapshot` is what screens show, `close`
//! why connections end, `rope` how payload travels, `priority_range` what is fetched first.
//!
//! The world speaks to the engine in [`Input`]s, the user in [`Command`]s; the engine answers in
//! [`Output`]s. Work that takes time (disk, digests) is an [`Op`] with an id, answered exactly once
//! by [`Input::Done`], also when it was cancelled or failed.

mod close;
mod priority_range;
mod rope;
mod snapshot;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;

pub use self::close::CloseReason;
pub use self::priority_range::PriorityRange;
pub use self::rope::Rope;
pub use self::snapshot::{PeerSnapshot, Phase, Reason, Snapshot, TorrentSnapshot};
use crate::connection::Transport;
use crate::meta::{Info, Magnet};
use crate::types::{
    Bitfield, ConnId, InfoHash, InfoHashV1, PeerAddr, PeerId, PeerSource, Piece, PieceDigest,
    RequestId, TorrentId,
};
use crate::wire::{Handshake, Message, Reserved};

/// What the user wants.
#[derive(Clone, Debug)]
pub enum Command {
    /// Adds a torrent. Nothing is dialled before its data were checked as `resumed` says.
    Add {
        /// Chosen by the driver, never used before.
        torrent: TorrentId,
        /// Names, lengths, hashes.
        info: Arc<Info>,
        /// What is known of the data on disk.
        resumed: Resumed,
        /// One flag per file, in the order of [`Info::files`]; `None`: all.
        wanted: Option<Vec<bool>>,
        /// Starts paused.
        paused: bool,
    },
    /// Adds a torrent of which only the hash is known; its metadata are fetched from peers (BEP 9).
    AddMagnet {
        /// Chosen by the driver, never used before.
        torrent: TorrentId,
        /// The link. Its trackers are the driver's business, its `x.pe` peers are dialled.
        magnet: Magnet,
        /// Starts paused.
        paused: bool,
    },
    /// Forgets a torrent. Its connections are closed; pending requests still answer. The data stay
    /// (deleting is the driver's business).
    Remove(TorrentId),
    /// Closes all connections and asks for nothing until resumed. Also clears an error.
    Pause(TorrentId),
    /// Goes on. After a storage error this tries again.
    Resume(TorrentId),
    /// Which files are wanted, one flag per file.
    Want(TorrentId, Vec<bool>),
    /// What is fetched before all else, in place of what was said before; the rest is fetched
    /// rarest first. Has no effect while the metadata are unknown.
    Prioritise(TorrentId, Vec<PriorityRange>),
    /// Fetches nothing more: only what is there is wanted, and what turns out to be wrong or gone
    /// ([`Input::FileChanged`]) is not wanted either. For data that are their user's to change.
    /// [`Command::Want`] afterwards is about later changes alone.
    SeedOnly(TorrentId),
    /// Limits in bytes per second over all torrents; `None`: none.
    Limits {
        /// Download, payload.
        download: Option<u64>,
        /// Upload, payload.
        upload: Option<u64>,
    },
    /// Writes everything out: flush and resume records for all torrents, then [`Event::ShutDown`].
    /// Connections are closed.
    ShutDown,
}

/// What is known of a torrent's data when it is added.
#[derive(Clone, Debug)]
pub enum Resumed {
    /// Nothing is there: a new download.
    Nothing,
    /// These pieces are there (a resume record whose file stamps fit), all but `check`.
    Record {
        /// Pieces known to be verified and flushed.
        have: Bitfield,
        /// Pieces to read and hash before anything else, had or not (files that changed).
        check: Vec<u32>,
        /// Pieces to read and hash although nothing speaks against them. One that is wrong speaks
        /// against the files it reaches into: all that is had of them is read, too.
        sample: Vec<u32>,
        /// Bytes sent in earlier runs.
        uploaded: u64,
        /// Bytes received in earlier runs.
        downloaded: u64,
    },
    /// Something may be there: read and hash everything.
    Check,
}

/// Why a command was refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The id was never added, or removed.
    #[error("there is no torrent {0:?}")]
    NoSuchTorrent(TorrentId),
    /// The same id or info-hash is there already.
    #[error("the torrent {0} was added already")]
    Duplicate(InfoHash),
    /// A list of another length than the torrent has files.
    #[error("the torrent has {expected} files, {received} flags came")]
    Files {
        /// Files of the torrent.
        expected: usize,
        /// Flags that came.
        received: usize,
    },
    /// A v2-only torrent; not served yet.
    #[error(
        "this torrent is version 2 only, which is not supported yet; use a v1 or hybrid torrent"
    )]
    V2Only,
    /// The engine is shutting down.
    #[error("the engine is shutting down")]
    ShuttingDown,
    /// [`crate::Config::max_torrents`] are there.
    #[error("{0} torrents are open, which is the limit")]
    TooMany(usize),
}

/// A connection whose BitTorrent handshake is done.
#[derive(Clone, Debug)]
pub struct Handshaken {
    /// The swarm it is for, as [`InfoHash::wire_names`] spells it.
    pub info_hash: InfoHashV1,
    /// The remote's id.
    pub peer_id: PeerId,
    /// The remote's capabilities.
    pub reserved: Reserved,
    /// What carries the connection.
    pub transport: Transport,
}

impl Handshaken {
    /// What the remote said in its handshake, over this transport.
    #[must_use]
    pub const fn new(theirs: Handshake, transport: Transport) -> Self {
        Self {
            info_hash: theirs.info_hash,
            peer_id: theirs.peer_id,
            reserved: theirs.reserved,
            transport,
        }
    }
}

/// What the world tells the engine.
#[derive(Clone, Debug)]
pub enum Input {
    /// The time that [`crate::Engine::poll_timeout`] named has come (or not quite: calling early is
    /// harmless).
    Timeout,
    /// A dial of ours succeeded, handshake included.
    Connected {
        /// As in [`Output::Dial`].
        conn: ConnId,
        /// What the remote said.
        handshake: Handshaken,
    },
    /// Somebody connected to us and finished the handshake, ours included. In the tab: the bridge
    /// opened a stream.
    Accepted {
        /// Made by the driver with [`ConnId::accepted`].
        conn: ConnId,
        /// Where it comes from. The port of an accepted socket is not where the peer listens.
        addr: PeerAddr,
        /// Whether the bridge dialled `addr` for us, so that it is where the peer listens. False
        /// for sockets we accepted.
        dialled: bool,
        /// What the remote said.
        handshake: Handshaken,
    },
    /// One message arrived.
    Message {
        /// On which connection.
        conn: ConnId,
        /// Already of the right shape (`Connection` saw to that), its numbers not yet checked.
        message: Message,
    },
    /// Bytes of messages that the engine sent have left the driver's queue for the socket.
    Sent {
        /// On which connection.
        conn: ConnId,
        /// Wire bytes since the last report.
        bytes: u64,
    },
    /// A connection ended or a dial failed. Not sent after an [`Output::Close`].
    Closed {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
    /// Addresses of peers, from discovery.
    Peers {
        /// For which torrent.
        torrent: TorrentId,
        /// Who says so.
        source: PeerSource,
        /// Where they are. Unusable ones (port 0, multicast, our own) are dropped.
        addrs: Vec<PeerAddr>,
    },
    /// Our public address, as a tracker (BEP 24) or the DHT (BEP 42) sees it.
    /// Peers' own words (`yourip`) are read by the engine.
    ExternalIp(IpAddr),
    /// Something else removed, replaced, cut or wrote to a file of a torrent. Its pieces are not
    /// served before they were read and hashed again; what is wrong then is fetched anew. Storage
    /// must hold back reads of them (as failed) from the moment that it noticed.
    FileChanged {
        /// Of which torrent.
        torrent: TorrentId,
        /// Its place in [`Info::files`].
        file: u32,
        /// What happened.
        change: FileChange,
    },
    /// A request is finished. Exactly once for every [`Output::Request`].
    Done {
        /// Which.
        id: RequestId,
        /// How it went.
        result: Result<OpResult, OpError>,
    },
}

/// What the engine wants from the world, in the order it wants it.
#[derive(Clone, Debug)]
pub enum Output {
    /// Connect, shake hands (with the engine's peer id), and say [`Input::Connected`] or
    /// [`Input::Closed`].
    Dial {
        /// The name it will have.
        conn: ConnId,
        /// For which torrent.
        torrent: TorrentId,
        /// For the handshake.
        info_hash: InfoHashV1,
        /// Where to.
        addr: PeerAddr,
    },
    /// Encode and queue one message. What is queued counts until [`Input::Sent`].
    Send {
        /// On which connection.
        conn: ConnId,
        /// What.
        message: Message,
    },
    /// End a connection or a dial. What is queued may be dropped; nothing more is heard of it.
    Close {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
    /// Work to do, answered by [`Input::Done`].
    Request {
        /// The answer's name.
        id: RequestId,
        /// For which torrent.
        torrent: TorrentId,
        /// What.
        op: Op,
    },
    /// The answer is no longer needed; it must still come (early, as [`OpError::Cancelled`], if
    /// that saves work).
    Cancel(RequestId),
    /// Something discovery should know.
    Discover {
        /// Of which torrent.
        torrent: TorrentId,
        /// What.
        request: DiscoverRequest,
    },
    /// Peers that the engine heard of and cannot dial, because [`crate::Config::max_dialling`] is
    /// 0: the bridge that dials for it may. Only from peer exchange (BEP 11) and a link's `x.pe`, each
    /// address once, and never for a private torrent.
    Hint {
        /// Of which torrent.
        torrent: TorrentId,
        /// Where they are said to be: of the kinds that a bridge can dial. Nothing is checked but
        /// that a peer can be there.
        addrs: Vec<SocketAddr>,
    },
    /// A peer's `port` message (BEP 5) named a node of the DHT. Never from a private torrent's
    /// peers, nor while [`crate::Config::dht_port`] is `None`.
    DhtNode(SocketAddr),
    /// Something the user may want to know.
    Event(Event),
}

/// What discovery (trackers, DHT, the bridge) is told. Amounts for announces come from
/// [`crate::Engine::snapshot_of`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiscoverRequest {
    /// The torrent is active now and wants peers.
    Start,
    /// Few peers are left: ask again as soon as the trackers' minimum intervals allow.
    More,
    /// All data are there, not only those wanted (sent once, when the last piece arrives in this
    /// run).
    Completed,
    /// Paused or removed: leave the swarm.
    Stop,
}

/// Work for the driver. Offsets are in the torrent's byte space; the driver maps them to files with
/// [`Info::layout`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Digest a whole piece as v1 does, [`PieceDigest::V1`]: [`OpResult::Digest`].
    Hash(Rope),
    /// Store a verified piece: [`OpResult::Unit`] once it can be read back.
    Write {
        /// First byte, in the torrent.
        offset: u64,
        /// The whole piece.
        data: Rope,
    },
    /// Fetch bytes of a verified piece: [`OpResult::Bytes`], exactly that many.
    Read {
        /// First byte, in the torrent.
        offset: u64,
        /// How many bytes, at most 256 KiB, within one piece.
        length: u32,
    },
    /// Read one piece from storage and digest it: [`OpResult::Digest`]; missing files or short
    /// ones: [`OpResult::Missing`].
    Check(CheckRange),
    /// Make everything written so far durable: [`OpResult::Unit`].
    Flush,
    /// Store the resume record ([`crate::resume::Record`] adds the file stamps):
    /// [`OpResult::Unit`].
    Save {
        /// Pieces verified and flushed.
        have: Bitfield,
        /// Bytes sent, all runs.
        uploaded: u64,
        /// Bytes received, all runs.
        downloaded: u64,
    },
}

/// One piece to be read and hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckRange {
    /// Which piece.
    pub piece: Piece,
    /// Its first byte, in the torrent.
    pub offset: u64,
    /// Its length.
    pub length: u32,
}

/// How an [`Op`] went well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpResult {
    /// `Write`, `Flush`, `Save`.
    Unit,
    /// `Hash`, `Check`.
    Digest(PieceDigest),
    /// `Check` of what is not there.
    Missing,
    /// `Read`. May be sliced by the engine.
    Bytes(Bytes),
}

/// How an [`Op`] went wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpError {
    /// [`Output::Cancel`] came in time.
    #[error("cancelled")]
    Cancelled,
    /// Storage failed; the torrent pauses with this text, which says what to do.
    #[error("{message}")]
    Storage {
        /// No space (or quota) left, as opposed to any other failure.
        full: bool,
        /// For the user.
        message: String,
    },
}

/// News for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A magnet's metadata are complete and match its hash. The driver may now open storage; the
    /// engine goes on by itself after [`crate::Engine::attach`].
    Metadata(TorrentId, Arc<Info>),
    /// Checking is over; so many pieces are there.
    Checked(TorrentId, u32),
    /// Something else changed a file, given by its place in [`Info::files`]; its pieces are about
    /// to be read again.
    FileChanged(TorrentId, u32, FileChange),
    /// What was to be read again was.
    Rechecked {
        /// Of which torrent.
        torrent: TorrentId,
        /// Pieces that were read.
        read: u32,
        /// Of these: had before and no longer right. They are forgotten.
        wrong: u32,
    },
    /// This piece was verified and written (it can be read back).
    Piece(TorrentId, Piece),
    /// Everything wanted is there and durable.
    Finished(TorrentId),
    /// A piece did not match its hash.
    Corrupt(TorrentId, Piece),
    /// A peer was banned for corrupt pieces.
    Banned(TorrentId, PeerAddr),
    /// A dial of ours came to nothing, or a peer was lost by its own fault or before it was of use.
    /// [`crate::PeerFailure::of`] says which kind it is.
    PeerFailed(TorrentId, PeerAddr, CloseReason),
    /// A peer was connected, so that an earlier failure means nothing any more.
    PeerConnected(TorrentId, PeerAddr),
    /// A torrent stopped with an error; [`Command::Resume`] tries again.
    Failed(TorrentId, Failure),
    /// All is flushed and saved, every connection closed: the driver may leave.
    ShutDown,
}

/// What something else did to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileChange {
    /// It is not there any more.
    Missing,
    /// Another file is there in its place, or again.
    Replaced,
    /// It has another length.
    Size,
    /// It was written to, or touched.
    Written,
}

/// Why a torrent stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Storage.
    #[error("{0}")]
    Storage(OpError),
    /// A magnet's metadata match its hash and yet make no torrent.
    #[error("the torrent's metadata are invalid: {0}")]
    Metadata(String),
}
