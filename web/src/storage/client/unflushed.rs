//! Which torrents lose data when the storage worker ends.

use aqueduct_core::types::{SortedSet, TorrentId};

/// Torrents with writes that no flush has followed.
#[derive(Default)]
pub(super) struct Unflushed {
    written: SortedSet<TorrentId>,
    /// Those whose writes an earlier storage worker carried out.
    lost: SortedSet<TorrentId>,
}

/// Writes before this flush may be lost.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lost;

impl Unflushed {
    /// Records a write, successful or not.
    pub(super) fn write(&mut self, torrent: TorrentId) {
        self.written.insert(torrent);
    }

    /// Called before a flush, which covers all earlier writes, since requests are carried out in
    /// order. An error: it would not cover all of them, and must fail.
    pub(super) fn flush(&mut self, torrent: TorrentId) -> Result<(), Lost> {
        if self.lost.remove(&torrent) {
            return Err(Lost);
        }
        self.written.remove(&torrent);
        Ok(())
    }

    /// Records that the storage worker ended.
    pub(super) fn lose(&mut self) {
        self.lost.extend(std::mem::take(&mut self.written));
    }

    /// Forgets a torrent that is deleted.
    pub(super) fn forget(&mut self, torrent: TorrentId) {
        self.written.remove(&torrent);
        self.lost.remove(&torrent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_fails_once_if_the_writes_before_it_were_those_of_an_ended_worker() {
        let (one, other) = (TorrentId(1), TorrentId(2));
        let mut unflushed = Unflushed::default();
        unflushed.write(one);
        assert_eq!(unflushed.flush(one), Ok(()));
        unflushed.write(other);
        unflushed.lose();
        assert_eq!(unflushed.flush(one), Ok(()), "it was flushed before");
        assert_eq!(unflushed.flush(other), Err(Lost));
        assert_eq!(unflushed.flush(other), Ok(()));
    }
}
