//! A torrent's state in the session.

use crate::discovery::{Amounts, Membership};
use crate::io::TorrentSnapshot;

/// A torrent.
#[derive(Debug)]
pub(super) struct Torrent {
    pub(super) membership: Membership,
    /// Bytes uploaded and downloaded in earlier runs, of a magnet link that was announced before
    /// its resume record was found.
    earlier: (u64, u64),
    /// Whether its storage is open, so that the number of missing bytes is known.
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

    /// Records that a magnet link's torrent has storage now.
    pub(super) const fn attach(&mut self, earlier: (u64, u64)) {
        (self.earlier, self.attached) = (earlier, true);
    }

    /// The amounts for trackers. Earlier runs of a magnet link are excluded, since this run's first
    /// announce started at zero.
    pub(super) fn amounts(&self, snapshot: &TorrentSnapshot) -> Amounts {
        let (uploaded, downloaded) = self.earlier;
        Amounts {
            uploaded: snapshot.uploaded.saturating_sub(uploaded),
            downloaded: snapshot.downloaded.saturating_sub(downloaded),
            left: self.attached.then_some(snapshot.left),
        }
    }
}
