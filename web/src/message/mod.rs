//! What page and worker say to each other: JSON text, at most a few times a second, so its cost
//! does not matter.
//!
//! The worker says [`ToPage::Ready`] first; what the page wants to say before that waits, because a
//! worker that has not set its handler yet loses messages.

use serde::{Deserialize, Serialize};

/// From the page to the worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToWorker {
    /// Add a magnet link, a bare info-hash, or a .torrent file at a web address, as typed.
    AddLink(String),
    /// Add a .torrent file of this name; its bytes ride along as the message's attachment.
    AddFile(String),
    /// Make a torrent of the user's own files and share it; the files themselves ride along as the
    /// message's attachment, in this order.
    Give {
        /// The name of the one file, or of the folder that they are put into.
        name: String,
        /// What there is.
        files: Vec<Given>,
    },
    /// Pause a torrent.
    Pause(u32),
    /// Go on with a torrent, also after an error.
    Resume(u32),
    /// Forget a torrent and delete its data, unless [`ToWorker::Undo`] comes soon.
    Remove(u32),
    /// Take back a torrent that was removed a moment ago.
    Undo(u32),
    /// What to show to a bridge that wants a token; kept for later visits.
    Token(String),
    /// Whether a file is wanted.
    Want {
        /// The torrent.
        id: u32,
        /// Index of the file.
        file: u32,
        /// Wanted or not.
        wanted: bool,
    },
    /// Whether the torrent's files are on the screen, so that their progress is worth telling.
    ShowFiles {
        /// The torrent.
        id: u32,
        /// On the screen or not.
        shown: bool,
    },
    /// Whether anybody can see the page.
    Visible(bool),
    /// Say something, so that the page knows that you live.
    Ping,
}

/// One of the user's own files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// Components of its path below the torrent's folder; none: the torrent is this one file.
    pub path: Vec<String>,
    /// Bytes.
    pub size: u64,
}

/// From the worker to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToPage {
    /// The worker hears now.
    Ready,
    /// The answer to a ping.
    Pong,
    /// The worker cannot work (or not yet).
    Blocked(Blocked),
    /// It can, after all: another tab has given way.
    Unblocked,
    /// How things stand, at most four times a second.
    State(State),
    /// The files of a torrent whose files are shown, once.
    Files(u32, Vec<FileRow>),
    /// Verified bytes of each file of a torrent whose files are shown, in the torrent's order.
    FilesDone(u32, Vec<u64>),
    /// Another worker leads from now on, and numbers its torrents anew.
    Anew,
    /// What came of a wish to add something.
    Answer {
        /// The link, or the name of the file or of what was given.
        asked: String,
        /// What came of it.
        outcome: Outcome,
    },
    /// What went wrong with a torrent that is there, in one sentence.
    Trouble(String),
}

/// What came of a wish to add something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is in the list now.
    Added,
    /// It is in the list already, under this name.
    Known(String),
    /// It could not be added, and why, in one sentence.
    Rejected(String),
}

/// Why the worker does nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Blocked {
    /// Another tab of this browser runs the engine; this one takes over when that one closes.
    OtherTab,
    /// The page was not loaded over https or from localhost, so the browser withholds storage and
    /// digests.
    Insecure,
    /// The browser refuses its private file system, for this reason.
    NoStorage(String),
}

/// How things stand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The line to the bridge.
    pub bridge: Bridge,
    /// All torrents, oldest first.
    pub torrents: Vec<Torrent>,
    /// Torrents that were removed a moment ago and can be taken back, oldest first.
    pub removed: Vec<Removed>,
}

/// A removed torrent whose data are still there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Its name between page and worker.
    pub id: u32,
    /// As the torrent says, control characters removed.
    pub name: String,
    /// How many of the torrents in the list are older: it stood above these.
    pub older: u32,
}

/// The line to the bridge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bridge {
    /// A WebSocket is being opened.
    #[default]
    Connecting,
    /// It is open and greeted.
    Connected,
    /// It could not be opened, or broke.
    Waiting {
        /// Seconds until it is tried again.
        seconds: u32,
    },
    /// The bridge wants a token.
    WantsToken {
        /// One was shown, and the bridge does not know it.
        shown: bool,
    },
    /// The bridge does not want us, for this reason.
    Refused(String),
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
    /// Reading the user's own files into storage, to be shared.
    Copying,
    /// Fetching pieces.
    Downloading,
    /// Complete, and serving others.
    Seeding,
    /// All that is wanted is there, though not all of the torrent.
    Finished,
    /// Paused by the user.
    Paused,
    /// Stopped by a failure.
    Error,
}

/// One torrent, in numbers. Sizes in bytes, rates in payload bytes per second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Torrent {
    /// Its name between page and worker.
    pub id: u32,
    /// The folder of its data: 40 hex digits.
    pub folder: String,
    /// As the torrent says, control characters removed.
    pub name: String,
    /// When the user added it, milliseconds since 1970: the order of the list. No two are alike,
    /// unless it is not known (0).
    pub added: u64,
    /// Its magnet link; `None` while it is being made of the user's own files.
    pub magnet: Option<String>,
    /// What it is doing.
    pub phase: Phase,
    /// What went wrong and what to do about it, with [`Phase::Error`].
    pub failure: Option<String>,
    /// Size of all files; `None` until the metadata are there.
    pub total: Option<u64>,
    /// Number of files, pads aside.
    pub files: u32,
    /// Verified bytes of what is wanted.
    pub done: u64,
    /// Bytes of what is wanted.
    pub wanted: u64,
    /// Bytes checked so far, with [`Phase::Checking`], or copied, with [`Phase::Copying`].
    pub checked: u64,
    /// Download rate.
    pub down: u64,
    /// Upload rate.
    pub up: u64,
    /// Bytes sent, all runs.
    pub uploaded: u64,
    /// Bytes received and thrown away.
    pub wasted: u64,
    /// Connected peers.
    pub peers: u32,
    /// Of these, complete ones.
    pub seeds: u32,
    /// Peers that let us request.
    pub unchoking: u32,
    /// Peers that have something we want.
    pub interesting: u32,
    /// Seconds to completion.
    pub eta: Option<u64>,
    /// What asking for peers has brought.
    pub search: Search,
}

impl Torrent {
    /// Whether all that is wanted is there, and anything is.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.total.is_some() && self.wanted > 0 && self.done >= self.wanted
    }
}

/// What a torrent waits for that the bridge does not look for peers of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Waiting {
    /// As many torrents as the bridge serves at a time are in use.
    InUse(u32),
    /// Too many were begun within a short time.
    TooFast,
}

/// What the bridge found out about who is in the swarm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// It has not begun: the torrent waits for a place.
    pub waiting: Option<Waiting>,
    /// Trackers the torrent names.
    pub trackers: u32,
    /// Of these, how many are being asked and have never answered.
    pub asking: u32,
    /// Of these, how many failed when last asked.
    pub failed: u32,
    /// Of these, how many answered without a peer.
    pub empty: u32,
    /// Of these, how many answered with peers.
    pub answered: u32,
    /// How one of those that failed did, as a clause.
    pub failure: Option<String>,
    /// What the DHT knows, as a clause; `None`: it is not asked.
    pub dht: Option<String>,
    /// Addresses of peers found so far.
    pub found: u32,
    /// Of these, how many are being dialled now.
    pub dialling: u32,
    /// Dials that failed.
    pub unreachable: u32,
    /// Of the addresses, how many the bridge does not dial: its filter refuses them.
    pub refused: u32,
    /// Peers that sent wrong data and were shut out.
    pub banned: u32,
    /// Peers that closed the connection soon after the handshake.
    pub hung_up: u32,
    /// Peers that broke the protocol.
    pub misbehaved: u32,
    /// Seconds until the next tracker is asked.
    pub again: Option<u32>,
}

/// One file of a torrent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRow {
    /// Its index in the torrent.
    pub index: u32,
    /// Path below the torrent's folder, with invisible characters made visible.
    pub path: String,
    /// What a saved copy is called: the last component of the path, as it is. The browser replaces
    /// what its system does not take.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Where it is when it lies in one stored file with others: the first of these, and where it
    /// begins. Only an earlier version's copy does not.
    pub shared: Option<(u32, u64)>,
    /// Whether the user wants it.
    pub wanted: bool,
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
