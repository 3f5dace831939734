//! Which existing files a download may write to.
//!
//! A file is this torrent's if
//! - this program made it in this run, or
//! - it is as the torrent's record states, and that states data in it, or
//! - a piece in it matches, or
//! - it has the torrent's length, and the record states that it was [made](MADE) but held no whole
//!   piece yet: that is what an interrupted download leaves.
//!
//! A file that differs from the record is judged by its content, as one that no record states: it
//! may have been put there since. Any other file with content is not this torrent's, and neither is
//! one that another torrent's record states: writing to it is refused unless the user allowed it.

use std::collections::BTreeSet;

use aqueduct_core::meta::{File, Info};
use aqueduct_core::resume::{FileStamp, Record};
use aqueduct_core::types::{Bitfield, InfoHash, Piece};

use super::records::OtherRecords;

/// What a record states of a file that this program made and in which it has no piece yet: no file
/// is like this, so that the next start checks it.
pub(super) const MADE: FileStamp = FileStamp {
    size: u64::MAX,
    modified: 0,
};

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
    /// Files that the record states data in, and that differ from it.
    differing: BTreeSet<usize>,
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
            differing: BTreeSet::new(),
        }
    }

    /// Learns from the torrent's own record.
    pub(super) fn apply_record(&mut self, info: &Info, record: &Record, now: &[FileStamp]) {
        let files = info.files.iter().zip(record.stamps.iter().zip(now));
        for (index, (file, (then, now))) in files.enumerate() {
            let had = has_any_of(info, file, &record.have);
            if had && now == then {
                self.ours.insert(index);
                self.matching.insert(index);
            } else if had {
                self.differing.insert(index);
            } else if *then == MADE && now.size == file.size {
                self.ours.insert(index);
            }
        }
    }

    /// Whether a file was made here, or admitted, and none of its pieces is in `have`.
    pub(super) fn is_made(&self, info: &Info, index: usize, have: &Bitfield) -> bool {
        let file = info.files.get(index).filter(|file| file.size > 0);
        self.ours.contains(&index) && file.is_some_and(|file| !has_any_of(info, file, have))
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
    /// the torrent's; not so one that the record states otherwise.
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
        is_unverifiable
            && found.stamp.size == found.file.size
            && !self.matching.is_empty()
            && !self.differing.contains(&found.index)
    }
}

/// Whether any piece of a file that is no padding is in `have`.
fn has_any_of(info: &Info, file: &File, have: &Bitfield) -> bool {
    let mut pieces = info.lengths.pieces_of(file.offset, file.size);
    !file.pad && pieces.any(|piece| have.has(piece))
}
