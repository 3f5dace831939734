//! The torrents of a session.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_core::meta::{File, Info, Magnet};
use aqueduct_core::types::visible;
use aqueduct_core::{Rechecked, TorrentId};
use aqueduct_native::storage::stored::Stored;

/// A torrent of a session.
#[derive(Debug)]
pub(crate) struct Job {
    /// The name, escaped for display.
    pub(crate) name: String,
    /// `None` until a magnet link's metadata arrived, like `stored`.
    pub(crate) info: Option<Arc<Info>>,
    pub(crate) stored: Option<Arc<Stored>>,
    /// The magnet link that it came from.
    pub(crate) link: Option<Magnet>,
    /// Whether the torrent or its link names web seeds.
    pub(crate) has_web_seeds: bool,
    started: Instant,
    completed: Option<Instant>,
    has_failed: bool,
    /// Whether a change of a file was told, and not yet what became of its pieces.
    awaits_recheck: bool,
}

impl Job {
    fn new(name: String, link: Option<Magnet>) -> Self {
        let has_web_seeds = link.as_ref().is_some_and(|link| !link.web_seeds.is_empty());
        Self {
            name,
            info: None,
            stored: None,
            link,
            has_web_seeds,
            started: Instant::now(),
            completed: None,
            has_failed: false,
            awaits_recheck: false,
        }
    }

    /// A torrent whose metadata and files are open.
    pub(crate) fn opened(info: Arc<Info>, stored: Arc<Stored>) -> Self {
        let mut job = Self::new(String::new(), None);
        job.open(info, stored);
        job
    }

    /// A magnet link whose metadata must be downloaded.
    pub(crate) fn of_link(link: Magnet) -> Self {
        let hash = || link.info_hash.to_string();
        let name = link.name.as_deref();
        let name = name.map_or_else(hash, |name| visible(name).into_owned());
        Self::new(name, Some(link))
    }

    /// Records that a magnet link's metadata arrived and that its files are open.
    pub(crate) fn open(&mut self, info: Arc<Info>, stored: Arc<Stored>) {
        self.name = visible(&info.name).into_owned();
        self.info = Some(info);
        self.stored = Some(stored);
    }

    pub(crate) const fn fail(&mut self) {
        self.has_failed = true;
    }

    pub(crate) const fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Records that a change of a file is told.
    pub(crate) const fn tell_change(&mut self) {
        self.awaits_recheck = true;
    }

    /// Whether the result of a recheck is to be told. One change may lead to several rechecks, since
    /// a piece that a peer waits for is checked at once: that nothing is wrong is told once.
    pub(crate) const fn tells_recheck(&mut self, outcome: &Rechecked) -> bool {
        let was_awaited = std::mem::replace(&mut self.awaits_recheck, false);
        was_awaited || outcome.wrong > 0 || outcome.unreadable > 0
    }

    /// Records that everything wanted is complete. Returns how long that took, the first time.
    pub(crate) fn complete(&mut self) -> Option<Duration> {
        if self.is_complete() {
            return None;
        }
        self.completed = Some(Instant::now());
        Some(self.started.elapsed())
    }

    pub(crate) const fn is_complete(&self) -> bool {
        self.completed.is_some()
    }

    /// The time since completion; `None` if it is not complete.
    pub(crate) fn served(&self) -> Option<Duration> {
        self.completed.map(|since| since.elapsed())
    }

    pub(crate) fn is_private(&self) -> bool {
        self.info.as_ref().is_some_and(|info| info.private)
    }

    /// The files that a magnet link selects (BEP 53).
    pub(crate) fn linked(&self) -> Option<&[u32]> {
        self.link.as_ref()?.select.as_deref()
    }

    /// A file that is not empty.
    pub(crate) fn file(&self, index: u32) -> Option<(&Info, &File)> {
        let info = self.info.as_ref()?;
        let file = info.files.get(index as usize)?;
        (file.size > 0).then_some((info, file))
    }

    /// The file or folder that it is saved to.
    pub(crate) fn path(&self) -> PathBuf {
        self.stored
            .as_ref()
            .map(|stored| stored.storage.top())
            .unwrap_or_default()
    }
}

/// By the engine's ids.
pub(crate) type Jobs = BTreeMap<TorrentId, Job>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_nothing_is_wrong_is_told_once_per_change() {
        let link = Magnet::from_hash_text("0123456789abcdef0123456789abcdef01234567").unwrap();
        let mut job = Job::of_link(link);
        let right = Rechecked::default();
        assert!(!job.tells_recheck(&right));
        job.tell_change();
        assert!(job.tells_recheck(&right) && !job.tells_recheck(&right));
        let (wrong, unreadable) = (
            Rechecked {
                wrong: 1,
                ..right.clone()
            },
            Rechecked {
                unreadable: 1,
                ..right
            },
        );
        assert!(job.tells_recheck(&wrong) && job.tells_recheck(&unreadable));
    }

    #[test]
    fn a_torrent_is_completed_once() {
        let link = Magnet::from_hash_text("0123456789abcdef0123456789abcdef01234567").unwrap();
        let mut job = Job::of_link(link);
        assert_eq!(job.name, "0123456789abcdef0123456789abcdef01234567");
        assert_eq!((job.served(), job.linked()), (None, None));
        assert!(job.complete().is_some());
        assert!(job.complete().is_none());
        assert!(job.is_complete() && job.served().is_some());
        job.fail();
        assert!(job.has_failed());
    }
}
