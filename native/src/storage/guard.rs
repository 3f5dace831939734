//! Which files in the way of a download may be written to.
//!
//! A file is this torrent's if this program made it, if the torrent's record knows data in it, or
//! if a piece in it matches. Anything else with content is somebody else's, and so is whatever
//! another torrent's record knows: it is refused unless the user said that it may be replaced.

use std::collections::BTreeSet;

use aqueduct_core::meta::{File, Info};
use aqueduct_core::resume::{FileStamp, Record};
use aqueduct_core::types::{InfoHash, Piece};

use super::state::Neighbours;

/// Whose a file is that was to be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// Another torrent in the same folder has it in its record.
    Torrent(InfoHash),
    /// Nobody knows.
    Unknown,
}

/// What is known of whose a torrent's files are.
#[derive(Debug)]
pub(super) struct Guard {
    overwrite: bool,
    neighbours: Option<Neighbours>,
    /// Made here, or let pass.
    ours: BTreeSet<usize>,
    /// Data of the torrent were found in them.
    matching: BTreeSet<usize>,
}

/// A file that is in the way.
#[derive(Clone, Copy, Debug)]
pub(super) struct InTheWay<'a> {
    pub(super) index: usize,
    pub(super) file: &'a File,
    pub(super) stamp: FileStamp,
    /// Whether there is anything in it but a hole.
    pub(super) has_data: bool,
}

impl Guard {
    /// `overwrite`: nothing is refused. `neighbours`: records of other torrents.
    pub(super) const fn new(overwrite: bool, neighbours: Option<Neighbours>) -> Self {
        Self {
            overwrite,
            neighbours,
            ours: BTreeSet::new(),
            matching: BTreeSet::new(),
        }
    }

    /// Learns from the torrent's own record. A file that is as the record says is ours; one that
    /// changed is if no other torrent claims it.
    pub(super) fn recall(&mut self, info: &Info, record: &Record, now: &[FileStamp]) {
        for (index, file) in info.files.iter().enumerate().filter(|(_, file)| !file.pad) {
            let Some(then) = record.stamps.get(index) else {
                continue;
            };
            let had = info
                .lengths
                .pieces_of(file.offset, file.size)
                .any(|piece| record.have.has(piece));
            if !had && (file.size > 0 || then.modified == 0) {
                continue;
            }
            self.matching.insert(index);
            if now.get(index) == Some(then) {
                self.ours.insert(index);
            }
        }
    }

    /// A piece was found to be right: so there are data of the torrent in its files.
    pub(super) fn found(&mut self, info: &Info, piece: Piece) {
        let (offset, length) = (info.lengths.offset(piece), info.lengths.size(piece));
        self.matching
            .extend(info.layout(offset, length.into()).map(|span| span.file));
    }

    /// It is another file now.
    pub(super) fn replaced(&mut self, index: usize) {
        self.ours.remove(&index);
        self.matching.remove(&index);
    }

    /// Whether a file may be written to.
    ///
    /// # Errors
    /// It is somebody else's.
    pub(super) fn admit(&mut self, info: &Info, found: InTheWay<'_>) -> Result<(), Holder> {
        if !self.overwrite && !self.ours.contains(&found.index) && found.stamp.size > 0 {
            if let Some(holder) = self
                .neighbours
                .as_ref()
                .and_then(|neighbours| neighbours.holder(found.stamp))
            {
                return Err(Holder::Torrent(holder));
            }
            let likely = self.matching.contains(&found.index)
                || !found.has_data
                || self.may_be_part(info, &found);
            if !likely {
                return Err(Holder::Unknown);
            }
        }
        self.ours.insert(found.index);
        Ok(())
    }

    /// A small file that shares all its pieces with others cannot be told by itself while one of
    /// these lacks. If it has the right length among files that do match, it is taken for one of
    /// them.
    fn may_be_part(&self, info: &Info, found: &InTheWay<'_>) -> bool {
        let end = found.file.offset + found.file.size;
        let is_inside = |piece: Piece| {
            let start = info.lengths.offset(piece);
            start >= found.file.offset && start + u64::from(info.lengths.size(piece)) <= end
        };
        let cannot_tell = !info
            .lengths
            .pieces_of(found.file.offset, found.file.size)
            .any(is_inside);
        cannot_tell && found.stamp.size == found.file.size && !self.matching.is_empty()
    }
}
