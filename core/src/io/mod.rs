//! The interface between the engine and its driver. `snapshot` contains the state for display,
//! `close` the reasons for closed connections, `rope` the representation of payload,
//! `priority_range` the order of downloading, `new_torrent` what a torrent is added with.
//!
//! The driver passes [`Input`]s and the user's [`Command`]s to the engine, which returns
//! [`Output`]s. Operations that take time (disk, digests) are an [`Op`] with an id. Each is
//! answered exactly once by [`Input::Done`], even if it was cancelled or failed.

mod close;
mod new_torrent;
mod priority_range;
mod rope;
mod snapshot;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;

pub use self::close::CloseReason;
pub use self::new_torrent::{NewTorrent, Resumed, TorrentSource};
pub use self::priority_range::PriorityRange;
pub use self::rope::Rope;
pub use self::snapshot::{PeerSnapshot, Phase, Reason, Snapshot, TorrentSnapshot};
use crate::connection::Line;
use crate::meta::Info;
use crate::types::{
    Bitfield, ConnId, InfoHash, InfoHashV1, PeerAddr, PeerId, PeerSource, Piece, PieceDigest,
    RequestId, TorrentId,
};
use crate::wire::{Handshake, Message, Reserved};

/// A command of the user.
#[derive(Clone, Debug)]
pub enum Command {
    /// Adds a torrent.
    Add(NewTorrent),
    /// Removes a torrent. Its connections are closed; pending requests are still answered. The data
    /// remain (deleting them is up to the driver).
    Remove(TorrentId),
    /// Closes all connections and requests nothing until the torrent is resumed. Also clears an
    /// error.
    Pause(TorrentId),
    /// Resumes a torrent. After a storage error the failed operations are retried.
    Resume(TorrentId),
    /// Sets which files are wanted, one flag per file.
    Want(TorrentId, Vec<bool>),
    /// Replaces the ranges that are downloaded first; all other pieces are downloaded rarest first.
    /// Has no effect while the metadata are unknown.
    Prioritise(TorrentId, Vec<PriorityRange>),
    /// Downloads nothing more: only existing data are wanted, and data that turn out to be wrong or
    /// missing ([`Input::FileChanged`]) are not wanted either. This is for data that the user may
    /// change. A later [`Command::Want`] only affects later changes.
    SeedOnly(TorrentId),
    /// Sets rate limits in bytes per second over all torrents; `None`: no limit.
    Limits {
        /// The limit on downloaded payload.
        download: Option<u64>,
        /// The limit on uploaded payload.
        upload: Option<u64>,
    },
    /// Sets a torrent's own rate limits in bytes per second; `None`: no limit. The limits over all
    /// torrents also apply to it.
    TorrentLimits {
        /// The torrent.
        torrent: TorrentId,
        /// The limit on downloaded payload.
        download: Option<u64>,
        /// The limit on uploaded payload.
        upload: Option<u64>,
    },
    /// Changes [`crate::Config::max_peers`], the maximum number of peers per torrent. Connections
    /// beyond it are closed, beginning with peers that recently sent least.
    MaxPeers(usize),
    /// Closes all connections and saves everything: a flush and a resume record for each torrent,
    /// then [`Event::ShutDown`].
    ShutDown,
}

/// Why a command was refused. The state is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The torrent was never added, or was removed.
    #[error("there is no torrent {0:?}")]
    NoSuchTorrent(TorrentId),
    /// A torrent with the same id or info-hash exists already.
    #[error("the torrent {0} was added already")]
    Duplicate(InfoHash),
    /// The list does not have one flag per file of the torrent.
    #[error("the torrent has {expected} files, {received} flags came")]
    Files {
        /// The number of files.
        expected: usize,
        /// The number of flags.
        received: usize,
    },
    /// A v2-only torrent, which is not supported yet.
    #[error(
        "this torrent is version 2 only, which is not supported yet; use a v1 or hybrid torrent"
    )]
    V2Only,
    /// The engine is shutting down.
    #[error("the engine is shutting down")]
    ShuttingDown,
    /// The limit [`crate::Config::max_torrents`] is reached.
    #[error("{0} torrents are open, which is the limit")]
    TooMany(usize),
}

/// A connection whose BitTorrent handshake is complete.
#[derive(Clone, Debug)]
pub struct Handshaken {
    /// The swarm's info-hash; one of [`InfoHash::wire_names`].
    pub info_hash: InfoHashV1,
    /// The remote side's peer id.
    pub peer_id: PeerId,
    /// The remote side's capabilities.
    pub reserved: Reserved,
    /// How its bytes travel.
    pub line: Line,
}

impl Handshaken {
    /// The content of the remote side's handshake.
    #[must_use]
    pub const fn new(theirs: Handshake, line: Line) -> Self {
        Self {
            info_hash: theirs.info_hash,
            peer_id: theirs.peer_id,
            reserved: theirs.reserved,
            line,
        }
    }
}

/// An input of the engine.
#[derive(Clone, Debug)]
pub enum Input {
    /// The time that [`crate::Engine::poll_timeout`] returned has come. An early call is harmless.
    Timeout,
    /// A dial succeeded, including the handshake.
    Connected {
        /// The id in [`Output::Dial`].
        conn: ConnId,
        /// The remote side's handshake.
        handshake: Handshaken,
    },
    /// A peer connected, and both handshakes are complete. In a tab: the bridge opened a stream.
    Accepted {
        /// The id, created by the driver with [`ConnId::accepted`].
        conn: ConnId,
        /// The peer's source address. The port of an accepted socket is not the peer's listening
        /// port.
        addr: PeerAddr,
        /// Whether the bridge dialled `addr` for us, so that it is the peer's listening address.
        /// False for accepted sockets.
        dialled: bool,
        /// The remote side's handshake.
        handshake: Handshaken,
    },
    /// A message arrived.
    Message {
        /// The connection.
        conn: ConnId,
        /// The message. Its format was checked by `Connection`; its numbers were not.
        message: Message,
    },
    /// Bytes of messages that the engine sent left the driver's queue for the socket.
    Sent {
        /// The connection.
        conn: ConnId,
        /// The number of wire bytes since the last report.
        bytes: u64,
    },
    /// A connection ended or a dial failed. Not sent after an [`Output::Close`].
    Closed {
        /// The connection.
        conn: ConnId,
        /// The reason.
        reason: CloseReason,
    },
    /// Addresses of peers from discovery.
    Peers {
        /// The torrent.
        torrent: TorrentId,
        /// The source of the addresses.
        source: PeerSource,
        /// The addresses. Unusable ones (port 0, multicast, our own) are ignored.
        addrs: Vec<PeerAddr>,
    },
    /// Our public address as reported by a tracker (BEP 24) or the DHT (BEP 42). Reports by peers
    /// (`yourip`) are processed by the engine itself.
    ExternalIp(IpAddr),
    /// Another program removed, replaced, truncated or modified a file of a torrent. Its pieces are
    /// not served before they were read and hashed again; wrong ones are then downloaded again.
    /// From the moment at which storage notices the change, it must fail reads of these pieces.
    FileChanged {
        /// The torrent.
        torrent: TorrentId,
        /// The index in [`Info::files`].
        file: u32,
        /// The kind of change.
        change: FileChange,
    },
    /// A request is complete. Passed exactly once for every [`Output::Request`].
    Done {
        /// The request.
        id: RequestId,
        /// The result.
        result: Result<OpResult, OpError>,
    },
}

/// An output of the engine. Outputs must be carried out in order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Connect, perform the handshake (with the engine's peer id), and answer with
    /// [`Input::Connected`] or [`Input::Closed`].
    Dial {
        /// The id of the new connection.
        conn: ConnId,
        /// The torrent.
        torrent: TorrentId,
        /// The info-hash for the handshake.
        info_hash: InfoHashV1,
        /// The address to dial.
        addr: PeerAddr,
        /// How to dial it.
        kind: DialKind,
    },
    /// Encode and queue a message. Its bytes count as queued until [`Input::Sent`].
    Send {
        /// The connection.
        conn: ConnId,
        /// The message.
        message: Message,
    },
    /// Close a connection or cancel a dial. Queued messages may be dropped. No further input may
    /// follow for this connection.
    Close {
        /// The connection.
        conn: ConnId,
        /// The reason.
        reason: CloseReason,
    },
    /// Execute an operation, and answer with [`Input::Done`].
    Request {
        /// The id of the request.
        id: RequestId,
        /// The torrent.
        torrent: TorrentId,
        /// The operation.
        op: Op,
    },
    /// A request's result is no longer needed. It must still be answered, early with
    /// [`OpError::Cancelled`] if that saves work.
    Cancel(RequestId),
    /// A request to discovery.
    Discover {
        /// The torrent.
        torrent: TorrentId,
        /// The request.
        request: DiscoverRequest,
    },
    /// Peers that the engine learned of but cannot dial, because [`crate::Config::max_dialling`] is
    /// 0. The bridge that dials for it may. They come only from peer exchange (BEP 11) and a link's
    /// `x.pe`. Each address is reported once, and never for a private torrent.
    Hint {
        /// The torrent.
        torrent: TorrentId,
        /// The addresses, of kinds that a bridge can dial. They are only checked for being usable.
        addrs: Vec<SocketAddr>,
    },
    /// A peer's `port` message (BEP 5) announced a DHT node. Never from peers of a private torrent,
    /// nor while [`crate::Config::dht_port`] is `None`.
    DhtNode(SocketAddr),
    /// An event for the user.
    Event(Event),
}

/// How to dial a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialKind {
    /// Over every transport in use.
    Direct,
    /// Over uTP alone, immediately, and from the UDP port at which we accept peers: the peer dials
    /// us at the same time, so that the NATs of both let the other's datagrams in (BEP 55).
    Holepunch,
}

/// A request to discovery (trackers, DHT, the bridge). The amounts for announces come from
/// [`crate::Engine::snapshot_of`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiscoverRequest {
    /// The torrent is active and needs peers.
    Start,
    /// Few peers are left: announce again as soon as the trackers' minimum intervals allow.
    More,
    /// All data are complete, not only the wanted ones. Sent once, when the last piece arrives in
    /// this run.
    Completed,
    /// The torrent was paused or removed: leave the swarm.
    Stop,
}

/// An operation for the driver. Offsets are in the torrent's byte space; the driver maps them to
/// files with [`Info::layout`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Computes the v1 digest of a whole piece, [`PieceDigest::V1`]. Result: [`OpResult::Digest`].
    Hash(Rope),
    /// Stores a verified piece. Result: [`OpResult::Unit`], once the piece can be read back.
    Write {
        /// The offset of the first byte in the torrent.
        offset: u64,
        /// The whole piece.
        data: Rope,
    },
    /// Reads bytes of a verified piece. Result: [`OpResult::Bytes`], exactly `length` bytes.
    Read {
        /// The offset of the first byte in the torrent.
        offset: u64,
        /// The number of bytes, at most 256 KiB, within one piece.
        length: u32,
    },
    /// Reads one piece from storage and computes its digest. Result: [`OpResult::Digest`], or
    /// [`OpResult::Missing`] if files are missing or too short.
    Check(CheckRange),
    /// Makes everything written so far durable. Result: [`OpResult::Unit`].
    Flush,
    /// Stores the resume record ([`crate::resume::Record`] adds the file stamps). Result:
    /// [`OpResult::Unit`].
    Save {
        /// Pieces that are verified and flushed.
        have: Bitfield,
        /// Bytes uploaded in all runs.
        uploaded: u64,
        /// Bytes downloaded in all runs.
        downloaded: u64,
    },
}

/// A piece to read and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckRange {
    /// The piece.
    pub piece: Piece,
    /// The offset of its first byte in the torrent.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u32,
}

/// The result of a successful [`Op`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpResult {
    /// The result of `Write`, `Flush` and `Save`.
    Unit,
    /// The result of `Hash` and `Check`.
    Digest(PieceDigest),
    /// The result of a `Check` if data are missing.
    Missing,
    /// The result of `Read`. The engine may slice it.
    Bytes(Bytes),
}

/// Why an [`Op`] failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpError {
    /// The operation was cancelled by [`Output::Cancel`].
    #[error("cancelled")]
    Cancelled,
    /// Storage failed. The torrent stops with this message, which says what to do.
    #[error("{message}")]
    Storage {
        /// Whether the cause is lack of space or quota.
        full: bool,
        /// The message for the user.
        message: String,
    },
}

/// What became of pieces that were read again. Those that are wrong or unreadable are no longer
/// complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rechecked {
    /// The number of pieces that were read.
    pub read: u32,
    /// The number of these that were complete before and are wrong now.
    pub wrong: u32,
    /// The number of these that were complete before and that a seed cannot read now. In a download
    /// the torrent fails instead.
    pub unreadable: u32,
    /// Why the first of them cannot be read.
    pub error: Option<OpError>,
}

/// An event for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A magnet's metadata are complete and match its hash. The driver may now open storage and
    /// must then call [`crate::Engine::attach`].
    Metadata(TorrentId, Arc<Info>),
    /// The check of existing data is complete; this many pieces are correct.
    Checked(TorrentId, u32),
    /// Another program changed a file, given by its index in [`Info::files`]. Its pieces are about
    /// to be read again.
    FileChanged(TorrentId, u32, FileChange),
    /// The pieces of changed files were read again.
    Rechecked(TorrentId, Rechecked),
    /// A piece was verified and written; it can be read back.
    Piece(TorrentId, Piece),
    /// All wanted data are complete and durable.
    Finished(TorrentId),
    /// A piece did not match its hash.
    Corrupt(TorrentId, Piece),
    /// A peer was banned because it sent corrupt pieces.
    Banned(TorrentId, PeerAddr),
    /// A dial failed, or a connection ended by the peer's fault or before the peer was useful.
    /// [`crate::PeerFailure::of`] returns the kind of failure.
    PeerFailed(TorrentId, PeerAddr, CloseReason),
    /// A peer was connected, so an earlier failure no longer matters.
    PeerConnected(TorrentId, PeerAddr),
    /// A torrent stopped with an error; [`Command::Resume`] tries again.
    Failed(TorrentId, Failure),
    /// Everything is flushed and saved and all connections are closed: the driver may exit.
    ShutDown,
}

/// How another program changed a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileChange {
    /// The file was removed.
    Missing,
    /// The file was replaced by another one, or has reappeared.
    Replaced,
    /// The length of the file changed.
    Size,
    /// The file was written to, or its modification time changed.
    Written,
}

/// Why a torrent stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A storage operation failed.
    #[error("{0}")]
    Storage(OpError),
    /// A magnet's metadata match its hash, but are not a valid torrent.
    #[error("the torrent's metadata are invalid: {0}")]
    Metadata(String),
}
