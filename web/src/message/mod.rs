//! The messages between page and worker, encoded as in `codec.rs`: at most a few times per second, so that its
//! cost does not matter.
//!
//! A message that arrives before the worker has set its handler is lost, so the worker sends the
//! first message:
//!
//! 1. Worker: [`ToPage::Loaded`].
//! 2. Page: [`ToWorker::Start`], with what the engine must know.
//! 3. Worker: [`ToPage::Ready`], as soon as it takes other messages. [`ToPage::Blocked`] says why it
//!    does not work, or not yet.

mod opened;
mod settings;
mod torrent;

use crate::codec::Encoded;
use crate::texts::Language;

pub use self::opened::{
    Details, Encrypted, Facts, Pane, PeerRow, PieceMap, Route, TrackerAnswer, TrackerRow, View,
};
pub use self::settings::{Limits, PEERS, Settings, TorrentOptions, WhenComplete, ratio_base};
pub use self::torrent::{
    DhtSearch, FileRow, Missing, PeerSearch, Peers, Phase, Priority, Progress, Search, Torrent,
    TrackerSearch, Traffic, WaitReason,
};

/// A message from the page to the worker.
#[derive(Clone, Debug, PartialEq, Eq, Encoded)]
pub enum ToWorker {
    /// The first message. Later ones of this kind are ignored.
    Start {
        /// The bridge's address, `https://HOST[:PORT]` or `http://HOST[:PORT]`.
        bridge: String,
        /// The language of the worker's texts.
        language: Language,
    },
    /// Adds a magnet link, an info-hash, or a .torrent file at a web address, as typed.
    AddLink(String),
    /// Adds a .torrent file of this name. Its bytes are the message's attachment.
    AddFile(String),
    /// Creates a torrent of the user's own files and seeds it. The files are the message's
    /// attachment, in the same order.
    ShareFiles {
        /// The name of the single file, or of the folder that contains them.
        name: String,
        /// Paths and sizes.
        files: Vec<SharedFile>,
        /// What else the user chose.
        sharing: Sharing,
    },
    /// Pauses a torrent.
    Pause(u32),
    /// Resumes a torrent, also after an error.
    Resume(u32),
    /// Removes a torrent and its data, unless [`ToWorker::Undo`] follows within some seconds.
    Remove(u32),
    /// Undoes a [`ToWorker::Remove`].
    Undo(u32),
    /// The token for the bridge, which is stored for later visits.
    Token(String),
    /// Sets whether the user wants a file, and how soon.
    SetPriority {
        /// The torrent.
        id: u32,
        /// Index of the file.
        file: u32,
        /// The priority.
        priority: Priority,
    },
    /// Sets the user's choices for a torrent.
    SetOptions {
        /// The torrent.
        id: u32,
        /// The choices.
        options: TorrentOptions,
    },
    /// What the page shows of the opened torrent, if one is opened. Only that is sent.
    Show(Option<View>),
    /// Requests the files of a torrent and their progress once, whether they are shown or not.
    ListFiles(u32),
    /// Sends a file, or a part of it, to a media element. The attachment is the port of a message
    /// channel to the service worker. Only the page of the leading tab sends this.
    Play {
        /// As [`Torrent::folder`].
        folder: String,
        /// Index of the file.
        file: u32,
        /// The request's `Range` field.
        range: Option<String>,
    },
    /// Requests an address of a file for players outside the browser, which [`Players::addresses`]
    /// then contains.
    MakeAddress {
        /// The torrent.
        id: u32,
        /// Index of the file.
        file: u32,
    },
    /// The user's settings, which apply from now on. Sent after each [`ToPage::Ready`], and when
    /// they change.
    Settings(Settings),
    /// Whether the page is visible.
    Visible(bool),
    /// Requests a [`ToPage::Pong`], which shows that the worker is alive.
    Ping,
}

impl ToWorker {
    /// Whether it names a torrent by its number, which only the leader that gave it knows.
    pub(crate) const fn names_torrent(&self) -> bool {
        match self {
            Self::Start { .. }
            | Self::AddLink(_)
            | Self::AddFile(_)
            | Self::ShareFiles { .. }
            | Self::Token(_)
            | Self::Show(None)
            | Self::Play { .. }
            | Self::Settings(_)
            | Self::Visible(_)
            | Self::Ping => false,
            Self::Pause(_)
            | Self::Resume(_)
            | Self::Remove(_)
            | Self::Undo(_)
            | Self::SetPriority { .. }
            | Self::SetOptions { .. }
            | Self::Show(Some(_))
            | Self::ListFiles(_)
            | Self::MakeAddress { .. } => true,
        }
    }
}

/// One of the user's own files.
#[derive(Clone, Debug, PartialEq, Eq, Encoded)]
pub struct SharedFile {
    /// The components of its path below the torrent's folder; empty if the torrent is this single
    /// file.
    pub path: Vec<String>,
    /// The size in bytes.
    pub size: u64,
}

/// The user's choices for a torrent that is created.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encoded)]
pub struct Sharing {
    /// Trackers besides the bridge's own.
    pub trackers: Vec<String>,
    /// Web addresses that have the files, too (BEP 19).
    pub web_seeds: Vec<String>,
    /// The options of the torrent.
    pub options: TorrentOptions,
}

/// A message from the worker to the page.
#[derive(Clone, Debug, PartialEq, Encoded)]
pub enum ToPage {
    /// The worker is running and waits for [`ToWorker::Start`].
    Loaded,
    /// The worker accepts messages from now on.
    Ready,
    /// The answer to [`ToWorker::Ping`].
    Pong,
    /// The worker cannot run, or not yet.
    Blocked(Blocked),
    /// It runs from now on, because the leading tab was closed.
    Unblocked,
    /// The complete state, at most four times per second and only if it has changed.
    State(State),
    /// The files of a torrent, in answer to a [`ToWorker::Show`] of them or to
    /// [`ToWorker::ListFiles`], and when a priority changes while they are shown.
    Files(u32, Vec<FileRow>),
    /// Verified bytes of each file of a torrent whose files are shown, in the order of
    /// [`ToPage::Files`].
    FilesDone(u32, Vec<u64>),
    /// The connected peers of a torrent whose peers are shown.
    Peers(u32, Vec<PeerRow>),
    /// The complete pieces of a torrent whose pieces are shown.
    Pieces(u32, PieceMap),
    /// The tiers of trackers of a torrent whose trackers are shown.
    Trackers(u32, Vec<Vec<TrackerRow>>),
    /// The details of a torrent whose details are shown.
    Details(u32, Details),
    /// Another tab's worker leads from now on; its torrents have new numbers.
    LeaderChanged,
    /// The result of a message that adds a torrent.
    AddResult {
        /// The link, or the name of the file or of the shared files.
        asked: String,
        /// The result.
        outcome: Outcome,
    },
    /// The worker was suspended, with the page or with the whole computer, and goes on now.
    Suspended {
        /// For how long.
        seconds: u32,
    },
    /// An error of a torrent in the list, as a sentence.
    Error(String),
}

/// The result of a message that adds a torrent.
#[derive(Clone, Debug, PartialEq, Eq, Encoded)]
pub enum Outcome {
    /// It is in the list now.
    Added,
    /// It was in the list already, under this name.
    AlreadyListed(String),
    /// It could not be added, with the reason as a sentence.
    Rejected(String),
}

/// Why the worker is not running.
#[derive(Clone, Debug, PartialEq, Eq, Encoded)]
pub enum Blocked {
    /// Another tab of this browser runs the engine; this one takes over when that one is closed.
    OtherTab,
    /// As [`Blocked::OtherTab`], and that tab does not answer, as if it showed another version of the
    /// page.
    SilentTab,
    /// The page was not loaded over https or from localhost, so the browser withholds storage and
    /// digests.
    Insecure,
    /// The browser has no private file system, or none that a worker can write to.
    NoFileSystem,
    /// The browser refuses its private file system, with the reason.
    NoStorage(String),
    /// The bridge's address is invalid, with the reason as a sentence.
    InvalidBridge(String),
}

/// The complete state that the page shows.
#[derive(Clone, Debug, Default, PartialEq, Encoded)]
pub struct State {
    /// The session with the bridge.
    pub bridge: BridgeStatus,
    /// What passes through it.
    pub link: BridgeLink,
    /// Players outside the browser.
    pub players: Players,
    /// All torrents, oldest first.
    pub torrents: Vec<Torrent>,
    /// Torrents whose removal can still be undone, oldest first.
    pub removed: Vec<Removed>,
}

/// Players outside the browser, which read files through a bridge on the same machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encoded)]
pub struct Players {
    /// Whether the bridge gives addresses to this tab.
    pub are_possible: bool,
    /// The addresses. They are valid as long as they are listed.
    pub addresses: Vec<PlayerAddress>,
    /// Whether anything is read at present.
    pub are_reading: bool,
}

/// An address of a file for players.
#[derive(Clone, Debug, PartialEq, Eq, Encoded)]
pub struct PlayerAddress {
    /// The torrent.
    pub torrent: u32,
    /// Index of the file.
    pub file: u32,
    /// The URL.
    pub url: String,
}

/// A removed torrent whose data still exist.
#[derive(Clone, Debug, PartialEq, Eq, Encoded)]
pub struct Removed {
    /// As in [`Torrent::id`].
    pub id: u32,
    /// As in [`Torrent::name`].
    pub name: String,
    /// The number of older torrents in the list, which determines its position.
    pub older: u32,
}

/// The session with the bridge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encoded)]
pub enum BridgeStatus {
    /// Its WebSocket is being opened.
    #[default]
    Connecting,
    /// The bridge has accepted it.
    Connected,
    /// It could not be opened, or broke.
    Waiting {
        /// Seconds until the next attempt.
        seconds: u32,
    },
    /// The bridge requires a token.
    WantsToken {
        /// Whether a token was sent that the bridge does not know.
        shown: bool,
    },
    /// The bridge refuses this tab, with the reason as a sentence.
    Refused(String),
}

/// What passes through the bridge. All data from and to peers do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encoded)]
pub struct BridgeLink {
    /// How long a message to the bridge and its answer take, in milliseconds, while the bridge
    /// accepts the tab.
    pub round_trip: Option<u32>,
    /// Bytes received from it since the page was opened.
    pub received: u64,
    /// Bytes sent to it since the page was opened.
    pub sent: u64,
}
