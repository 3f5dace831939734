//! Which existing files a download may write to.
//!
//! A file is this torrent's if this program made it, if the torrent's record states data in it, or
//! if a piece in it matches. Any other file with content is not, and neither is one that another
//! torrent's record states: writing to it is refused unless the user allowed it.

use std::collections::BTreeSet;

use aqueduct_core::meta::{File, Info};
use aqueduct_core::resume::{FileStamp, Record};
use aqueduct_core::types::{InfoHash, Piece};

use super::records::OtherRecords;

/// Whose a file is that must not be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// Another torrent in the same folder has it in its record.
    Torrent(InfoHash),
    /// It is not known.
    Unknown,
}

/// What is known of whose each file is.
#[derive(Debug)]
pub(super) struct Ownership {
    overwrite: bool,
    others: Option<OtherRecords>,
    /// Made here, or admitted.
    ours: BTreeSet<usize>,
    /// Files in which data of the torrent were found.
    matching: BTreeSet<usize>,
}

/// A file that exists already.
#[derive(Clone, Copy, Debug)]
pub(super) struct Existing<'a> {
    pub(super) index: usize,
    pub(super) file: &'a File,
    pub(super) stamp: FileStamp,
    /// Whether it holds anything but holes.
    pub(super) has_data: bool,
}

impl Ownership {
    /// `overwrite`: nothing is refused. `others`: the records of other torrents.
    pub(super) const fn new(overwrite: bool, others: Option<OtherRecords>) -> Self {
        Self {
            overwrite,
            others,
            ours: BTreeSet::new(),
            matching: BTreeSet::new(),
        }
    }

    /// Learns from the torrent's own record. A file that is as the record states is ours; so is one
    /// that changed, if no other torrent's record states it.
    pub(super) fn apply_record(&mut self, info: &Info, record: &Record, now: &[FileStamp]) {
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

    /// A piece matches: so there are data of the torrent in its files.
    pub(super) fn matched(&mut self, info: &Info, piece: Piece) {
        let (offset, length) = (info.lengths.offset(piece), info.lengths.size(piece));
        self.matching
            .extend(info.layout(offset, length.into()).map(|span| span.file));
    }

    /// Under its name lies another file now.
    pub(super) fn replaced(&mut self, index: usize) {
        self.ours.remove(&index);
        self.matching.remove(&index);
    }

    /// Whether a file may be written to.
    ///
    /// # Errors
    /// It is not this torrent's.
    pub(super) fn admit(&mut self, info: &Info, found: Existing<'_>) -> Result<(), Holder> {
        if !self.overwrite && !self.ours.contains(&found.index) && found.stamp.size > 0 {
            if let Some(holder) = self
                .others
                .as_ref()
                .and_then(|others| others.holder(found.stamp))
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

    /// A small file that shares all its pieces with others cannot be verified alone while one of
    /// these is missing. If it has the right length, and other files match, it is taken for one of
    /// the torrent's.
    fn may_be_part(&self, info: &Info, found: &Existing<'_>) -> bool {
        let end = found.file.offset + found.file.size;
        let is_inside = |piece: Piece| {
            let start = info.lengths.offset(piece);
            start >= found.file.offset && start + u64::from(info.lengths.size(piece)) <= end
        };
        let is_unverifiable = !info
            .lengths
            .pieces_of(found.file.offset, found.file.size)
            .any(is_inside);
        is_unverifiable && found.stamp.size == found.file.size && !self.matching.is_empty()
    }
}
