//! One torrent on disk: its files, its resume record, and the engine's requests carried out on
//! them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use aqueduct_core::resume::Record;
use aqueduct_core::types::{Bitfield, PieceDigest, Sha1Digest};
use aqueduct_core::{CheckRange, Op, OpError, OpResult};

use super::disk::{Disk, FolderDisk};
use super::error::StorageError;
use super::records::RecordFiles;
use super::torrent::Storage;
use crate::hash::{self, Buffers};

/// Carries out the engine's request for a torrent that has no files yet: a digest needs none, and
/// there is nothing to flush or save.
fn perform_without_files(op: Op) -> Result<OpResult, OpError> {
    match op {
        Op::Hash(data) => Ok(digested(hash::of_rope(&data))),
        Op::Flush | Op::Save { .. } => Ok(OpResult::Unit),
        Op::Write { .. } | Op::Read { .. } | Op::Check(_) => Err(OpError::Storage {
            full: false,
            message: "the torrent has no files yet".to_owned(),
        }),
    }
}

/// Carries out the engine's request for a torrent, which may have no files yet.
pub(super) fn perform<D: Disk>(
    stored: Option<&Stored<D>>,
    op: Op,
    buffers: &mut Buffers,
) -> Result<OpResult, OpError> {
    match stored {
        Some(stored) => stored.perform(op, buffers),
        None => perform_without_files(op),
    }
}

/// Carries out two requests: two digests at the same time, others one after the other.
pub(super) fn perform_pair<D: Disk>(
    requests: [(Option<&Stored<D>>, Op); 2],
    buffers: &mut Buffers,
) -> [Result<OpResult, OpError>; 2] {
    match requests {
        [(_, Op::Hash(a)), (_, Op::Hash(b))] => {
            hash::digest_pair(&a, &b).map(|digest| Ok(digested(digest)))
        }
        [(Some(a), Op::Check(a_range)), (Some(b), Op::Check(b_range))] => {
            check_pair([(a, a_range), (b, b_range)], buffers)
        }
        others => others.map(|(stored, op)| perform(stored, op, buffers)),
    }
}

/// The digests of two pieces as they are now. One whose files change meanwhile is read again alone.
fn check_pair<D: Disk>(
    [(a, a_range), (b, b_range)]: [(&Stored<D>, CheckRange); 2],
    buffers: &mut Buffers,
) -> [Result<OpResult, OpError>; 2] {
    let noticed = [a.storage.noticed(), b.storage.noticed()];
    let ranges = [a_range, b_range].map(|range| (range.offset, range.length));
    let [a_digest, b_digest] = Storage::digest_pair([&a.storage, &b.storage], ranges, buffers);
    let [buffer, _] = buffers;
    [
        (a, a_range, noticed[0], a_digest),
        (b, b_range, noticed[1], b_digest),
    ]
    .map(|(stored, range, noticed, digest)| {
        let checked = stored.conclude(range, noticed, digest);
        Ok(checked.unwrap_or_else(|| stored.check(range, buffer))?)
    })
}

const fn digested(digest: Sha1Digest) -> OpResult {
    OpResult::Digest(PieceDigest::V1(digest))
}

/// How often a piece is read that changes while it is read; then it counts as missing.
const MAX_TRIES: usize = 3;

/// A torrent's files and its resume record.
#[derive(Debug)]
pub struct Stored<D: Disk = FolderDisk> {
    /// The files.
    pub storage: Storage<D>,
    records: Mutex<RecordFiles>,
    /// What every record states besides pieces, amounts, stamps and names.
    template: Record,
    /// Whether files that turn out longer than the torrent says are cut.
    trims: bool,
    checked: AtomicU64,
    /// Whether everything wanted was there when the record was last saved.
    was_complete: AtomicBool,
}

impl<D: Disk> Stored<D> {
    /// `template` holds what does not change while the torrent is open.
    #[must_use]
    pub fn new(storage: Storage<D>, records: RecordFiles, template: Record) -> Self {
        Self {
            storage,
            records: Mutex::new(records),
            template,
            trims: false,
            checked: AtomicU64::new(0),
            was_complete: AtomicBool::new(false),
        }
    }

    /// Cuts files that are longer than the torrent says, once every piece of theirs is verified: for
    /// a download, which ends with what the torrent says. A seed leaves them as they are.
    #[must_use]
    pub fn trimming(self) -> Self {
        Self {
            trims: true,
            ..self
        }
    }

    /// Carries out the engine's request. Blocks. `buffers` are reused between calls.
    ///
    /// # Errors
    /// Storage failed; the message says what to do.
    pub fn perform(&self, op: Op, [buffer, _]: &mut Buffers) -> Result<OpResult, OpError> {
        Ok(match op {
            Op::Hash(data) => digested(hash::of_rope(&data)),
            Op::Write { offset, data } => {
                self.storage.write(offset, &data).map(|()| OpResult::Unit)?
            }
            Op::Read { offset, length } => {
                self.storage.read(offset, length).map(OpResult::Bytes)?
            }
            Op::Check(range) => self.check(range, buffer)?,
            Op::Flush => self.storage.flush().map(|()| OpResult::Unit)?,
            Op::Save {
                have,
                uploaded,
                downloaded,
            } => self
                .save(have, uploaded, downloaded)
                .map(|()| OpResult::Unit)?,
        })
    }

    /// Bytes of pieces that existed and were read to be checked.
    #[must_use]
    pub fn checked_bytes(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }

    /// The digest of a piece as it is now. One that matches is no longer doubted.
    fn check(&self, range: CheckRange, buffer: &mut Vec<u8>) -> Result<OpResult, StorageError> {
        for _ in 0..MAX_TRIES {
            let noticed = self.storage.noticed();
            let digest = self.storage.digest(range.offset, range.length, buffer);
            if let Some(checked) = self.conclude(range, noticed, digest) {
                return checked;
            }
        }
        Ok(OpResult::Missing)
    }

    /// What a piece's digest tells, if `noticed` was [`Storage::noticed`] before it was read; `None`:
    /// its files changed meanwhile.
    fn conclude(
        &self,
        range: CheckRange,
        noticed: u64,
        digest: Result<Option<Sha1Digest>, StorageError>,
    ) -> Option<Result<OpResult, StorageError>> {
        let digest = match digest {
            Err(StorageError::Changed { .. }) => return None,
            Err(error) => return Some(Err(error)),
            Ok(digest) => digest.map(PieceDigest::V1),
        };
        if self.storage.noticed() != noticed {
            return None;
        }
        if digest.is_some() {
            self.checked
                .fetch_add(range.length.into(), Ordering::Relaxed);
        }
        if digest.is_some() && digest == self.storage.info().piece_digest(range.piece) {
            self.storage.verified(range.piece, noticed);
        }
        Some(Ok(digest.map_or(OpResult::Missing, OpResult::Digest)))
    }

    fn save(&self, have: Bitfield, uploaded: u64, downloaded: u64) -> Result<(), StorageError> {
        if self.trims {
            self.storage.trim(&have)?;
        }
        let is_complete = self.storage.is_complete(&have);
        let was_complete = self.was_complete.swap(is_complete, Ordering::Relaxed);
        if is_complete {
            self.storage.look_at_all()?;
            if self.trims {
                self.storage.make_empty_files()?;
            }
        }
        // After this record the download is reported as finished, so that no change may be kept
        // back.
        if is_complete && !was_complete {
            self.storage.report_all_changes();
        }
        let stamps = self.storage.verified_stamps(&have);
        let names = self.storage.renamed_files();
        let record = Record {
            have,
            uploaded,
            downloaded,
            stamps,
            names,
            ..self.template.clone()
        };
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .save(&record)
    }
}
