//! How much of a resume record still holds, given the files as they are now.

use std::collections::BTreeSet;

use aqueduct_core::Resumed;
use aqueduct_core::meta::Info;
use aqueduct_core::resume::{FileStamp, Record};

/// Pieces that are read and hashed at every start although their files are unchanged by size and
/// time: an edit that kept both is found with some luck.
pub(crate) const SAMPLE: usize = 4;

/// Compares `record` with the files' present stamps. Files of another size or time are checked
/// again, and so is a sample chosen by `random`. Without a record that fits the torrent everything
/// is checked, or nothing if no file has a byte.
#[must_use]
pub fn judge(info: &Info, now: &[FileStamp], record: Option<Record>, random: u64) -> Resumed {
    let fits = |record: &Record| {
        record.have.len() == info.lengths.pieces() && record.stamps.len() == now.len()
    };
    let Some(record) = record.filter(fits) else {
        return if now.iter().any(|stamp| stamp.size > 0) {
            Resumed::Check
        } else {
            Resumed::Nothing
        };
    };
    let check = changed(info, now, &record.stamps).into_iter().collect();
    let sample = sample(&record, random).collect();
    Resumed::Record {
        check,
        sample,
        have: record.have,
        uploaded: record.uploaded,
        downloaded: record.downloaded,
    }
}

/// The pieces that reach into files that changed.
fn changed(info: &Info, now: &[FileStamp], then: &[FileStamp]) -> BTreeSet<u32> {
    let stamps = now.iter().zip(then);
    let files = info
        .files
        .iter()
        .zip(stamps)
        .filter(|(_, (now, then))| now != then);
    files
        .flat_map(|(file, _)| info.lengths.pieces_of(file.offset, file.size))
        .map(aqueduct_core::types::Piece::get)
        .collect()
}

/// Pieces spread evenly over those had, from a random one on.
fn sample(record: &Record, random: u64) -> impl Iterator<Item = u32> {
    let had: Vec<u32> = record.have.ones().collect();
    let stride = (had.len() / SAMPLE).max(1);
    let start = usize::try_from(random % stride as u64).unwrap_or(0);
    had.into_iter().skip(start).step_by(stride).take(SAMPLE)
}
