//! The list of torrents.

mod extra;
mod torrent;

use aqueduct_core::Instant;
use aqueduct_core::types::{InfoHashV1, SortedMap, TorrentId};

pub(crate) use self::torrent::{Amounts, RunState, Torrent};

/// All torrents, including those whose removal can still be undone.
#[derive(Default)]
pub(crate) struct Torrents {
    torrents: SortedMap<TorrentId, Torrent>,
    newest_id: u32,
    /// The latest `added` time of these torrents and of those that are being created.
    newest_added: u64,
}

impl Torrents {
    /// A number for a new torrent, which was never used before.
    pub(crate) fn new_id(&mut self) -> TorrentId {
        self.newest_id += 1;
        TorrentId(self.newest_id)
    }

    /// The `added` time of a new torrent in milliseconds since 1970, based on the clock: later than
    /// that of any other torrent, so that the list keeps its order.
    pub(crate) fn new_added(&mut self, clock: u64) -> u64 {
        self.newest_added = clock.max(self.newest_added.saturating_add(1));
        self.newest_added
    }

    /// Adds a torrent.
    pub(crate) fn insert(&mut self, torrent: Torrent) {
        self.newest_added = self.newest_added.max(torrent.added);
        self.torrents.insert(torrent.id, torrent);
    }

    /// Removes a torrent from the list.
    pub(crate) fn remove(&mut self, id: TorrentId) -> Option<Torrent> {
        self.torrents.remove(&id)
    }

    /// The torrent with this number.
    pub(crate) fn get(&self, id: TorrentId) -> Option<&Torrent> {
        self.torrents.get(&id)
    }

    /// The torrent with this number.
    pub(crate) fn get_mut(&mut self, id: TorrentId) -> Option<&mut Torrent> {
        self.torrents.get_mut(&id)
    }

    /// All torrents.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Torrent> {
        self.torrents.values()
    }

    /// The numbers of all torrents.
    pub(crate) fn ids(&self) -> Vec<TorrentId> {
        self.torrents.keys().copied().collect()
    }

    /// The torrent with this info-hash, of which a hybrid torrent has two (BEP 52).
    pub(crate) fn with_hash(&self, info_hash: InfoHashV1) -> Option<&Torrent> {
        self.iter().find(|torrent| {
            let mut names = torrent.info_hash().wire_names();
            names.any(|name| name == info_hash)
        })
    }

    /// When the data of the next removed torrent must be deleted.
    pub(crate) fn deletion_due(&self) -> Option<Instant> {
        self.iter().filter_map(|torrent| torrent.delete_at).min()
    }

    /// Torrents whose removal can no longer be undone.
    pub(crate) fn to_delete(&self, now: Instant) -> Vec<TorrentId> {
        self.iter()
            .filter(|torrent| torrent.delete_at.is_some_and(|at| at <= now))
            .map(|torrent| torrent.id)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use aqueduct_core::meta::Magnet;

    use super::*;

    fn torrent(torrents: &mut Torrents, digit: char) -> Torrent {
        let link = format!("magnet:?xt=urn:btih:{}", digit.to_string().repeat(40));
        Torrent::from_magnet(torrents.new_id(), Magnet::parse(&link).unwrap())
    }

    #[test]
    fn of_two_torrents_the_one_added_later_has_the_later_date_whatever_the_clock_says() {
        let mut torrents = Torrents::default();
        let mut first = torrent(&mut torrents, 'a');
        first.added = 5000;
        torrents.insert(first);
        assert_eq!(torrents.new_added(3000), 5001);
        assert_eq!(torrents.new_added(3000), 5002);
        assert_eq!(torrents.new_added(9000), 9000);
    }

    #[test]
    fn a_removed_torrent_is_deleted_when_its_time_has_come() {
        let (mut torrents, now) = (Torrents::default(), Instant::from_micros(5));
        let (mut one, two) = (torrent(&mut torrents, 'a'), torrent(&mut torrents, 'b'));
        let (id, hash) = (one.id, two.info_hash().wire());
        one.delete_at = Some(now);
        torrents.insert(one);
        torrents.insert(two);
        assert_eq!(torrents.deletion_due(), Some(now));
        assert!(torrents.to_delete(Instant::ZERO).is_empty());
        assert_eq!(torrents.to_delete(now), [id]);
        assert!(torrents.remove(id).is_some() && torrents.deletion_due().is_none());
        assert_eq!(torrents.ids().len(), 1);
        assert!(torrents.with_hash(hash).is_some());
    }
}
