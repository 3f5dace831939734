//! What a power loss would take.

use std::collections::BTreeSet;
use std::mem;

/// With more files than this to flush, one flush of the whole file system is quicker than one for
/// each of them and of their folders.
const MANY: usize = 128;

/// Files to flush, by their place in the torrent.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Those whose bytes are not durable.
    pub(super) data: BTreeSet<usize>,
    /// Those whose names are not.
    pub(super) names: BTreeSet<usize>,
    /// Whether one flush of the whole file system does it, and is quicker.
    pub(super) at_once: bool,
}

/// What was written and made since the last flush.
#[derive(Debug, Default)]
pub(super) struct Unflushed {
    batch: Batch,
    /// Whether a file lies on another file system than the folder: something is mounted below it.
    scattered: bool,
}

impl Unflushed {
    pub(super) fn written(&mut self, index: usize) {
        self.batch.data.insert(index);
    }

    pub(super) fn named(&mut self, index: usize) {
        self.batch.names.insert(index);
    }

    /// A file lies on another file system than the folder.
    pub(super) const fn set_scattered(&mut self) {
        self.scattered = true;
    }

    /// Everything that is to be flushed.
    pub(super) fn take(&mut self) -> Batch {
        let batch = mem::take(&mut self.batch);
        let many = batch.data.len() + batch.names.len() > MANY;
        Batch {
            at_once: many && !self.scattered,
            ..batch
        }
    }

    /// A flush failed: all of it is to be flushed again.
    pub(super) fn put_back(&mut self, batch: Batch) {
        self.batch.data.extend(batch.data);
        self.batch.names.extend(batch.names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_flushed_is_taken_again_with_what_came_since() {
        let mut unflushed = Unflushed::default();
        unflushed.written(1);
        unflushed.named(1);
        let batch = unflushed.take();
        unflushed.written(2);
        unflushed.put_back(batch);
        let batch = unflushed.take();
        assert_eq!((batch.data.len(), batch.names.len()), (2, 1));
        assert!(!batch.at_once);
        assert!(unflushed.take().data.is_empty());
    }

    #[test]
    fn very_many_files_are_flushed_at_once_unless_they_lie_on_several_file_systems() {
        let mut unflushed = Unflushed::default();
        (0..=MANY).for_each(|index| unflushed.written(index));
        let batch = unflushed.take();
        assert!(batch.at_once);
        unflushed.set_scattered();
        unflushed.put_back(batch);
        assert!(!unflushed.take().at_once);
    }
}
