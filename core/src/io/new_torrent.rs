//! What a torrent is added with.

use std::sync::Arc;

use crate::meta::{Info, Magnet};
use crate::types::{Bitfield, TorrentId};

/// A torrent to add.
#[derive(Clone, Debug)]
pub struct NewTorrent {
    /// The id, chosen by the driver. It must not have been used before.
    pub torrent: TorrentId,
    /// What is known of the torrent.
    pub source: TorrentSource,
    /// Whether it starts paused.
    pub paused: bool,
}

/// What is known of a torrent when it is added.
#[derive(Clone, Debug)]
pub enum TorrentSource {
    /// The complete `info` dictionary. Nothing is dialled before the data were checked as `resumed`
    /// specifies.
    Info {
        /// The torrent's names, lengths and hashes.
        info: Arc<Info>,
        /// What is known of the data on disk.
        resumed: Resumed,
        /// One flag per file, in the order of [`Info::files`]; `None`: all files are wanted.
        wanted: Option<Vec<bool>>,
    },
    /// A magnet link: the metadata are downloaded from peers (BEP 9). Its `x.pe` peers are dialled;
    /// its trackers are up to the driver.
    Magnet(Magnet),
}

/// What is known of a torrent's data when it is added.
#[derive(Clone, Debug)]
pub enum Resumed {
    /// There are no data: a new download.
    Nothing,
    /// These pieces are complete (from a resume record with matching file stamps), except for
    /// `check`.
    Record {
        /// Pieces that were verified and flushed.
        have: Bitfield,
        /// Pieces to read and hash before anything else, complete or not, because their files
        /// changed.
        check: Vec<u32>,
        /// Pieces to read and hash as a spot check. If one is wrong, all complete pieces of its
        /// files are read too.
        sample: Vec<u32>,
        /// Bytes uploaded in earlier runs.
        uploaded: u64,
        /// Bytes downloaded in earlier runs.
        downloaded: u64,
    },
    /// There may be data: read and hash everything.
    Check,
}

impl Resumed {
    /// The bytes uploaded and downloaded in earlier runs.
    #[must_use]
    pub const fn transferred(&self) -> (u64, u64) {
        match *self {
            Self::Record {
                uploaded,
                downloaded,
                ..
            } => (uploaded, downloaded),
            Self::Nothing | Self::Check => (0, 0),
        }
    }
}
