//! The torrents as the driver knows them, by their ids and info-hashes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use aqueduct_core::discovery::Amounts;
use aqueduct_core::types::InfoHashV1;
use aqueduct_core::{Resumed, TorrentId, TorrentSnapshot};

use crate::storage::stored::Stored;

/// One torrent.
#[derive(Debug)]
pub(super) struct Torrent {
    pub(super) info_hash: InfoHashV1,
    /// `None` until a magnet link's metadata arrived.
    pub(super) stored: Option<Arc<Stored>>,
    banned: usize,
    /// Bytes sent and received in earlier runs, for a magnet link that was announced before its
    /// resume record was found.
    earlier: (u64, u64),
}

impl Torrent {
    /// Peers that were banned for wrong data.
    pub(super) const fn banned(&self) -> usize {
        self.banned
    }

    /// What is announced to trackers. Earlier runs of a magnet link do not count, as its first
    /// announce in this run began at zero.
    fn amounts(&self, snapshot: &TorrentSnapshot) -> Amounts {
        let (uploaded, downloaded) = self.earlier;
        Amounts {
            uploaded: snapshot.uploaded.saturating_sub(uploaded),
            downloaded: snapshot.downloaded.saturating_sub(downloaded),
            left: self.stored.is_some().then_some(snapshot.left),
        }
    }
}

/// All torrents of one driver.
#[derive(Debug, Default)]
pub(super) struct Torrents {
    torrents: BTreeMap<TorrentId, Torrent>,
    by_info_hash: HashMap<InfoHashV1, TorrentId>,
}

impl Torrents {
    /// The id of the torrent that is added next.
    pub(super) fn next_id(&self) -> TorrentId {
        // None is ever removed.
        TorrentId(u32::try_from(self.torrents.len()).unwrap_or(u32::MAX))
    }

    pub(super) fn add(
        &mut self,
        id: TorrentId,
        info_hash: InfoHashV1,
        stored: Option<Arc<Stored>>,
    ) {
        self.by_info_hash.insert(info_hash, id);
        let torrent = Torrent {
            info_hash,
            stored,
            banned: 0,
            earlier: (0, 0),
        };
        self.torrents.insert(id, torrent);
    }

    /// Gives a magnet link's torrent its files.
    pub(super) fn attach(&mut self, id: TorrentId, stored: Arc<Stored>, resumed: &Resumed) {
        if let Some(torrent) = self.torrents.get_mut(&id) {
            torrent.stored = Some(stored);
            torrent.earlier = transferred(resumed);
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

    /// The torrent with this info-hash.
    pub(super) fn by_info_hash(&self, info_hash: InfoHashV1) -> Option<TorrentId> {
        self.by_info_hash.get(&info_hash).copied()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = TorrentId> {
        self.torrents.keys().copied()
    }

    /// The files of one torrent, with its id for the answer; `None` before a magnet link's metadata
    /// arrived.
    pub(super) fn stored(&self, id: TorrentId) -> Option<(TorrentId, Arc<Stored>)> {
        Some((id, self.get(id)?.stored.clone()?))
    }

    /// What is announced to trackers for a torrent in the state of `snapshot`.
    pub(super) fn amounts(&self, id: TorrentId, snapshot: &TorrentSnapshot) -> Option<Amounts> {
        Some(self.get(id)?.amounts(snapshot))
    }
}

/// The amounts of earlier runs.
const fn transferred(resumed: &Resumed) -> (u64, u64) {
    match *resumed {
        Resumed::Record {
            uploaded,
            downloaded,
            ..
        } => (uploaded, downloaded),
        Resumed::Nothing | Resumed::Check => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torrents_are_numbered_in_order_and_found_by_their_info_hash() {
        let mut torrents = Torrents::default();
        for n in 0..2 {
            let id = torrents.next_id();
            torrents.add(id, InfoHashV1([n; 20]), None);
        }
        torrents.count_banned(TorrentId(1));
        assert_eq!(
            torrents.by_info_hash(InfoHashV1([1; 20])),
            Some(TorrentId(1))
        );
        assert_eq!(torrents.by_info_hash(InfoHashV1([2; 20])), None);
        assert_eq!(torrents.get(TorrentId(1)).map(Torrent::banned), Some(1));
        assert_eq!(torrents.get(TorrentId(0)).map(Torrent::banned), Some(0));
        assert!(torrents.stored(TorrentId(0)).is_none());
    }
}
