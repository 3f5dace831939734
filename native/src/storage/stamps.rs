//! Size and time of each file of a torrent, as its resume record states them.

use std::collections::BTreeSet;

use aqueduct_core::resume::FileStamp;

/// The stamps, and which files keep the time that they have.
#[derive(Debug)]
pub(super) struct Stamps {
    stamps: Vec<FileStamp>,
    /// Files that are as the resume record states.
    recorded: BTreeSet<usize>,
    /// Files that were opened for writing since they last changed.
    opened: BTreeSet<usize>,
}

impl Stamps {
    /// Files as they were found; all zero for one that is missing.
    pub(super) const fn new(stamps: Vec<FileStamp>) -> Self {
        Self {
            stamps,
            recorded: BTreeSet::new(),
            opened: BTreeSet::new(),
        }
    }

    pub(super) fn all(&self) -> &[FileStamp] {
        &self.stamps
    }

    /// The time that a file is given back after each write.
    pub(super) fn modified(&self, index: usize) -> u64 {
        self.stamps.get(index).map_or(0, |stamp| stamp.modified)
    }

    /// Learns what the resume record states.
    pub(super) fn apply_record(&mut self, recorded: &[FileStamp]) {
        let fits = |(index, (now, then)): (usize, (&FileStamp, &FileStamp))| {
            (now == then).then_some(index)
        };
        let pairs = self.stamps.iter().zip(recorded).enumerate();
        self.recorded = pairs.filter_map(fits).collect();
    }

    /// The time that a file keeps while it is written; `None`: it is opened for the first time, and
    /// no record states it.
    pub(super) fn kept_time(&self, index: usize) -> Option<u64> {
        let is_kept = self.opened.contains(&index) || self.recorded.contains(&index);
        Some(self.modified(index)).filter(|modified| is_kept && *modified != 0)
    }

    /// A file is open for writing, with this size and time. Returns whether it was not before,
    /// since it last changed.
    pub(super) fn opened(&mut self, index: usize, size: u64, modified: u64) -> bool {
        let is_first = self.opened.insert(index);
        if let Some(stamp) = self.stamps.get_mut(index) {
            // A time kept from an earlier opening stays: what came between was written here.
            *stamp = FileStamp {
                size,
                modified: if is_first { modified } else { stamp.modified },
            };
        }
        is_first
    }

    /// A file was cut to this size.
    pub(super) fn cut(&mut self, index: usize, size: u64) {
        if let Some(stamp) = self.stamps.get_mut(index) {
            stamp.size = size;
        }
    }

    /// A file was found under another name, or is missing.
    pub(super) fn found(&mut self, index: usize, found: Option<FileStamp>) {
        if let Some(stamp) = self.stamps.get_mut(index) {
            *stamp = found.unwrap_or_default();
        }
    }

    /// Another program changed or removed a file. No record states it as it is now, so it gets a
    /// new time when it is next written.
    pub(super) fn changed(&mut self, index: usize, now: Option<FileStamp>) {
        self.found(index, now);
        self.recorded.remove(&index);
        self.opened.remove(&index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn stamp(size: u64, modified: u64) -> FileStamp {
        FileStamp { size, modified }
    }

    #[test]
    fn a_file_keeps_its_time_once_a_record_states_it_or_it_was_opened_until_it_is_changed() {
        let mut stamps = Stamps::new(vec![stamp(5, 50), stamp(6, 60)]);
        assert_eq!(stamps.kept_time(0), None);
        stamps.apply_record(&[stamp(5, 50), stamp(6, 61)]);
        assert_eq!((stamps.kept_time(0), stamps.kept_time(1)), (Some(50), None));
        assert!(stamps.opened(1, 9, 90));
        assert!(!stamps.opened(1, 9, 99));
        assert_eq!(stamps.kept_time(1), Some(90));
        stamps.changed(1, Some(stamp(9, 95)));
        stamps.changed(0, None);
        assert_eq!((stamps.kept_time(0), stamps.kept_time(1)), (None, None));
        assert_eq!(stamps.all(), [stamp(0, 0), stamp(9, 95)]);
    }
}
