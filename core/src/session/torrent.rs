//! A torrent as the session knows it.

use crate::discovery::{Amounts, Membership};
use crate::io::{Resumed, TorrentSnapshot};

/// One torrent.
#[derive(Debug)]
pub(super) struct Torrent {
    pub(super) membership: Membership,
    /// Bytes sent and received in earlier runs, of a magnet link that was announced before its
    /// resume record was found.
    earlier: (u64, u64),
    /// Whether it has data, so that it is known how much is missing.
    attached: bool,
}

impl Torrent {
    /// `attached`: its metadata are known.
    pub(super) const fn new(membership: Membership, attached: bool) -> Self {
        Self {
            membership,
            earlier: (0, 0),
            attached,
        }
    }

    /// A magnet link's torrent has data now.
    pub(super) const fn attach(&mut self, earlier: (u64, u64)) {
        (self.earlier, self.attached) = (earlier, true);
    }

    /// What trackers are told. Earlier runs of a magnet link do not count: this run's first
    /// announce began at zero.
    pub(super) fn amounts(&self, snapshot: &TorrentSnapshot) -> Amounts {
        let (uploaded, downloaded) = self.earlier;
        Amounts {
            uploaded: snapshot.uploaded.saturating_sub(uploaded),
            downloaded: snapshot.downloaded.saturating_sub(downloaded),
            left: self.attached.then_some(snapshot.left),
        }
    }
}

/// What was sent and received in earlier runs.
pub(super) const fn transferred(resumed: &Resumed) -> (u64, u64) {
    match *resumed {
        Resumed::Record {
            uploaded,
            downloaded,
            ..
        } => (uploaded, downloaded),
        Resumed::Nothing | Resumed::Check => (0, 0),
    }
}
