//! The messages between page and worker: JSON text, at most a few times per second, so that its
//! cost does not matter.
//!
//! A message that arrives before the worker has set its handler is lost. So the worker speaks first:
//!
//! 1. Worker: [`ToPage::Loaded`].
//! 2. Page: [`ToWorker::Start`], with what the engine must know.
//! 3. Worker: [`ToPage::Ready`], as soon as it takes other messages. [`ToPage::Blocked`] says why it
//!    does not work, or not yet.

mod torrent;

use serde::{Deserialize, Serialize};

pub use self::torrent::{
    FileRow, PeerSearch, Peers, Phase, Progress, Search, Torrent, TrackerSearch, Traffic,
    WaitReason,
};

/// From the page to the worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToWorker {
    /// The first message. Later ones of this kind are ignored.
    Start {
        /// The bridge's address, `https://HOST[:PORT]` or `http://HOST[:PORT]`.
        bridge: String,
    },
    /// Adds a magnet link, an info-hash, or a .torrent file at a web address, as typed.
    AddLink(String),
    /// Adds a .torrent file of this name. Its bytes are the message's attachment.
    AddFile(String),
    /// Creates a torrent of the user's own files and seeds it. The files are the message's
    /// attachment, in the same order.
    ShareFiles {
        /// The name of the one file, or of the folder that holds them.
        name: String,
        /// Paths and sizes.
        files: Vec<SharedFile>,
    },
    /// Pauses a torrent.
    Pause(u32),
    /// Resumes a torrent, also after an error.
    Resume(u32),
    /// Removes a torrent and its data, unless [`ToWorker::Undo`] follows within some seconds.
    Remove(u32),
    /// Takes back a [`ToWorker::Remove`].
    Undo(u32),
    /// The token to show to the bridge; stored for later visits.
    Token(String),
    /// Whether the user wants a file.
    Want {
        /// The torrent.
        id: u32,
        /// Index of the file.
        file: u32,
        /// Wanted or not.
        wanted: bool,
    },
    /// Whether the page shows the torrent's files, so that it needs their progress.
    ShowFiles {
        /// The torrent.
        id: u32,
        /// Shown or not.
        shown: bool,
    },
    /// Whether the page is visible.
    Visible(bool),
    /// Asks for [`ToPage::Pong`], which shows that the worker is alive.
    Ping,
}

/// One of the user's own files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedFile {
    /// Components of its path below the torrent's folder; empty: the torrent is this one file.
    pub path: Vec<String>,
    /// Bytes.
    pub size: u64,
}

/// From the worker to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToPage {
    /// The worker's program runs and waits for [`ToWorker::Start`].
    Loaded,
    /// The worker takes messages from now on.
    Ready,
    /// The answer to [`ToWorker::Ping`].
    Pong,
    /// The worker cannot work, or not yet.
    Blocked(Blocked),
    /// It works from now on: the tab that led before was closed.
    Unblocked,
    /// The state of everything, at most four times per second and only when it has changed.
    State(State),
    /// The files of a torrent, in answer to [`ToWorker::ShowFiles`].
    Files(u32, Vec<FileRow>),
    /// Verified bytes of each file of a torrent whose files are shown, in the order of
    /// [`ToPage::Files`].
    FilesDone(u32, Vec<u64>),
    /// Another tab's worker leads from now on; its torrents have new numbers.
    LeaderChanged,
    /// The result of a message that adds a torrent.
    AddResult {
        /// The link, or the name of the file or of what is shared.
        asked: String,
        /// The result.
        outcome: Outcome,
    },
    /// What went wrong with a torrent of the list, in one sentence.
    Error(String),
}

/// The result of a message that adds a torrent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is in the list now.
    Added,
    /// It was in the list before, under this name.
    AlreadyListed(String),
    /// It could not be added, and why, in one sentence.
    Rejected(String),
}

/// Why the worker does nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Blocked {
    /// Another tab of this browser runs the engine; this one takes over when that one is closed.
    OtherTab,
    /// The page was not loaded over https or from localhost, so the browser withholds storage and
    /// digests.
    Insecure,
    /// The browser refuses its private file system, for this reason.
    NoStorage(String),
    /// The bridge's address is invalid, for this reason, as a sentence.
    InvalidBridge(String),
}

/// The state of everything the page shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The session with the bridge.
    pub bridge: BridgeStatus,
    /// All torrents, oldest first.
    pub torrents: Vec<Torrent>,
    /// Torrents whose removal can still be taken back, oldest first.
    pub removed: Vec<Removed>,
}

/// A removed torrent whose data are still there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// As in [`Torrent::id`].
    pub id: u32,
    /// As in [`Torrent::name`].
    pub name: String,
    /// How many torrents of the list are older: it stood above these.
    pub older: u32,
}

/// The session with the bridge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
        /// A token was shown, and the bridge does not know it.
        shown: bool,
    },
    /// The bridge refuses this tab, for this reason, as a sentence.
    Refused(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_the_way_between_page_and_worker() {
        let sent = ToWorker::Want {
            id: 3,
            file: 7,
            wanted: false,
        };
        let text = serde_json::to_string(&sent).unwrap();
        assert_eq!(serde_json::from_str::<ToWorker>(&text).unwrap(), sent);
    }

    #[test]
    fn sizes_beyond_the_exact_range_of_javascript_numbers_survive() {
        let sent = ToPage::FilesDone(1, vec![u64::MAX, (1 << 53) + 1]);
        let text = serde_json::to_string(&sent).unwrap();
        assert_eq!(serde_json::from_str::<ToPage>(&text).unwrap(), sent);
    }
}
