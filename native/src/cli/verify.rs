//! `aqueduct verify`: reports data that do not match the torrent, by file and piece.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use aqueduct_core::meta::{File, Info, Metainfo};
use aqueduct_core::resume::FileStamp;
use aqueduct_core::types::{InfoHash, PieceDigest};
use aqueduct_native::net::Outbound;
use aqueduct_native::storage::handles::MAX_OPEN;
use aqueduct_native::storage::{Handles, Storage};
use serde_json::{Value, json};

use super::flags::VerifyFlags;
use super::place::{self, Root};
use super::signals::on_a_thread;
use super::source;
use crate::ui::failure::{Class, Failure};
use crate::ui::read_progress::ReadProgress;
use crate::ui::{self, text};

pub(crate) async fn run(flags: VerifyFlags) -> Result<(), Failure> {
    let metainfo = source::load_torrent(&flags.torrent, &Outbound::default()).await?;
    on_a_thread(move || verify(&flags, &metainfo)).await
}

fn verify(flags: &VerifyFlags, metainfo: &Metainfo) -> Result<(), Failure> {
    if let InfoHash::V2(_) = metainfo.info.info_hash {
        return Err(Failure::new(
            Class::InvalidTorrent,
            "this torrent is version 2 only, which cannot be verified yet; use a v1 or hybrid torrent",
        ));
    }
    let (root, info) = place::find(
        &metainfo.info,
        &flags.torrent,
        flags.path.as_deref(),
        Path::new("."),
        Class::Mismatch,
    )?;
    let Root { folder, top } = root;
    let storage = Storage::existing(&folder, top, info, Handles::new(MAX_OPEN))?;
    let wrong = wrong_pieces(
        &storage,
        &ReadProgress::new(storage.info().lengths.total(), flags.json),
    )?;
    let findings = findings(storage.info(), &storage.stamps(), &wrong);
    findings.iter().for_each(|finding| {
        if flags.json {
            ui::object(&finding.object())
        } else {
            ui::line(&finding.sentence())
        }
    });
    conclude(flags, storage.info(), &folder, &wrong, findings.len())
}

fn wrong_pieces(storage: &Storage, reading: &ReadProgress) -> Result<BTreeSet<u32>, Failure> {
    let wrong = Mutex::new(BTreeSet::new());
    storage.digest_all(&|piece, digest| {
        reading.add(storage.info().lengths.size(piece));
        if digest.is_none() || digest.map(PieceDigest::V1) != storage.info().piece_digest(piece) {
            wrong
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(piece.get());
        }
        true
    })?;
    storage.confirm_all()?;
    Ok(wrong.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn conclude(
    flags: &VerifyFlags,
    info: &Info,
    root: &Path,
    wrong: &BTreeSet<u32>,
    files: usize,
) -> Result<(), Failure> {
    let pieces = info.lengths.pieces();
    if files > 0 || !wrong.is_empty() {
        let files = text::count(files, "file", "files");
        let message = format!(
            "the data do not match: {} of {pieces} pieces wrong, in {files}; aqueduct get fetches them again",
            wrong.len()
        );
        return Err(Failure::new(Class::Mismatch, message));
    }
    if flags.json {
        ui::object(
            &json!({ "event": "verified", "info_hash": info.info_hash.to_string(), "pieces": pieces, "path": root.to_string_lossy() }),
        );
    } else {
        ui::line(&format!("all {pieces} pieces match"));
    }
    Ok(())
}

/// The mismatch of one file.
struct Finding<'a> {
    file: &'a File,
    size: u64,
    is_missing: bool,
    /// Ascending.
    pieces: Vec<u32>,
}

fn findings<'a>(info: &'a Info, stamps: &[FileStamp], wrong: &BTreeSet<u32>) -> Vec<Finding<'a>> {
    let files = info.files.iter().zip(stamps).filter(|(file, _)| !file.pad);
    let all = files.map(|(file, stamp)| {
        let pieces = info
            .lengths
            .pieces_of(file.offset, file.size)
            .map(|piece| piece.get())
            .filter(|piece| wrong.contains(piece));
        Finding {
            file,
            size: stamp.size,
            is_missing: *stamp == FileStamp::default(),
            pieces: pieces.collect(),
        }
    });
    all.filter(|finding| {
        finding.is_missing || finding.size != finding.file.size || !finding.pieces.is_empty()
    })
    .collect()
}

impl Finding<'_> {
    fn problem(&self) -> &'static str {
        match self {
            Self {
                is_missing: true, ..
            } => "missing",
            _ if self.size != self.file.size => "size",
            _ => "content",
        }
    }

    fn object(&self) -> Value {
        json!({
            "event": "mismatch",
            "path": self.file.path,
            "problem": self.problem(),
            "expected_size": self.file.size,
            "size": if self.is_missing { None } else { Some(self.size) },
            "pieces": self.pieces,
        })
    }

    fn sentence(&self) -> String {
        let path = text::path(self.file);
        let pieces = if self.pieces.is_empty() {
            String::new()
        } else {
            format!(": {}", ranges(&self.pieces))
        };
        match self.problem() {
            "missing" => format!("{path}: missing"),
            "size" => format!(
                "{path}: {} bytes, {} expected{pieces}",
                self.size, self.file.size
            ),
            _ => format!("{path}: wrong{pieces}"),
        }
    }
}

/// `piece 3`, `pieces 1, 5-7`.
fn ranges(pieces: &[u32]) -> String {
    let mut parts: Vec<(u32, u32)> = Vec::new();
    for &piece in pieces {
        match parts.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(piece) => *last = piece,
            _ => parts.push((piece, piece)),
        }
    }
    let parts: Vec<_> = parts
        .iter()
        .map(|(a, b)| {
            if a == b {
                a.to_string()
            } else {
                format!("{a}-{b}")
            }
        })
        .collect();
    format!(
        "{} {}",
        if pieces.len() == 1 { "piece" } else { "pieces" },
        parts.join(", ")
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn neighbouring_pieces_are_told_as_a_range() {
        assert_eq!(super::ranges(&[3]), "piece 3");
        assert_eq!(super::ranges(&[1, 5, 6, 7, 9]), "pieces 1, 5-7, 9");
    }
}
