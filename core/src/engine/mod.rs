//! The engine: every swarm of one program, driven from outside.

use crate::config::Config;
use crate::io::{Command, CommandError, Input, Output, PeerSnapshot, Reason, Resumed, Snapshot, TorrentSnapshot};
use crate::types::{Instant, PeerId, TorrentId};

/// The engine. See the crate's first page for the loop that drives it.
#[derive(Debug)]
pub struct Engine {
    config: Config,
}

impl Engine {
    /// An engine without torrents. The same `seed` and the same calls give the same outputs.
    #[must_use]
    pub fn new(config: Config, _peer_id: PeerId, _seed: [u8; 32], _now: Instant) -> Self {
        Self { config }
    }

    /// Carries out a wish of the user.
    ///
    /// # Errors
    /// See [`CommandError`]; nothing was changed then.
    pub fn command(&mut self, _now: Instant, _command: Command) -> Result<(), CommandError> {
        Err(CommandError::TooMany(self.config.max_torrents))
    }

    /// Opens a magnet's torrent for data, after [`crate::Event::Metadata`]: says what is known of the data on disk.
    ///
    /// # Errors
    /// The torrent is not there, or its data were attached already.
    pub fn attach(&mut self, _now: Instant, torrent: TorrentId, _resumed: Resumed) -> Result<(), CommandError> {
        Err(CommandError::NoSuchTorrent(torrent))
    }

    /// Takes in what happened.
    pub fn handle(&mut self, _now: Instant, _input: Input) {}

    /// The next thing to do, in order, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    /// When to call [`Engine::handle`] with [`Input::Timeout`] at the latest, and what for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        None
    }

    /// All torrents, for screens: at most a few times a second.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::default()
    }

    /// One torrent.
    #[must_use]
    pub fn snapshot_of(&self, _torrent: TorrentId) -> Option<TorrentSnapshot> {
        None
    }

    /// The peers of one torrent, for screens.
    #[must_use]
    pub fn peers(&self, _torrent: TorrentId) -> Vec<PeerSnapshot> {
        Vec::new()
    }
}
