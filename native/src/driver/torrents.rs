//! What the driver itself knows of torrents: their files, and how many peers were banned.

use std::collections::BTreeMap;
use std::sync::Arc;

use aqueduct_core::TorrentId;

use crate::storage::stored::Stored;

/// One torrent.
#[derive(Debug)]
pub(super) struct Torrent {
    /// `None` until a magnet link's metadata arrived.
    stored: Option<Arc<Stored>>,
    banned: usize,
}

impl Torrent {
    /// Peers that were banned for wrong data.
    pub(super) const fn banned(&self) -> usize {
        self.banned
    }
}

/// All torrents of one driver.
#[derive(Debug, Default)]
pub(super) struct Torrents {
    torrents: BTreeMap<TorrentId, Torrent>,
}

impl Torrents {
    /// The id of the torrent that is added next.
    pub(super) fn next_id(&self) -> TorrentId {
        // None is ever removed.
        TorrentId(u32::try_from(self.torrents.len()).unwrap_or(u32::MAX))
    }

    pub(super) fn add(&mut self, id: TorrentId, stored: Option<Arc<Stored>>) {
        let banned = 0;
        self.torrents.insert(id, Torrent { stored, banned });
    }

    /// Gives a magnet link's torrent its files.
    pub(super) fn attach(&mut self, id: TorrentId, stored: Arc<Stored>) {
        if let Some(torrent) = self.torrents.get_mut(&id) {
            torrent.stored = Some(stored);
        }
    }

    /// Counts a peer that was banned for wrong data.
    pub(super) fn count_banned(&mut self, id: TorrentId) {
        if let Some(torrent) = self.torrents.get_mut(&id) {
            torrent.banned += 1;
        }
    }

    pub(super) fn get(&self, id: TorrentId) -> Option<&Torrent> {
        self.torrents.get(&id)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = TorrentId> {
        self.torrents.keys().copied()
    }

    /// The files of one torrent, with its id for the answer; `None` before a magnet link's metadata
    /// arrived.
    pub(super) fn stored(&self, id: TorrentId) -> Option<(TorrentId, Arc<Stored>)> {
        Some((id, self.get(id)?.stored.clone()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torrents_are_numbered_in_order_and_their_banned_peers_are_counted() {
        let mut torrents = Torrents::default();
        for _ in 0..2 {
            let id = torrents.next_id();
            torrents.add(id, None);
        }
        torrents.count_banned(TorrentId(1));
        assert!(torrents.ids().eq([0, 1].map(TorrentId)));
        assert_eq!(torrents.get(TorrentId(1)).map(Torrent::banned), Some(1));
        assert_eq!(torrents.get(TorrentId(0)).map(Torrent::banned), Some(0));
        assert!(torrents.stored(TorrentId(0)).is_none());
    }
}
