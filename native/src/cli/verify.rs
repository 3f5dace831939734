//! `aqueduct verify`: reports data that do not match the torrent, by file and piece.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use aqueduct_core::meta::{File, Info, Metainfo};
use aqueduct_core::resume::FileStamp;
use aqueduct_core::types::{InfoHash, Piece, PieceDigest};
use aqueduct_native::net::Outbound;
use aqueduct_native::storage::handles::MAX_OPEN;
use aqueduct_native::storage::{Handles, Storage, StorageError};
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
    let (storage, unopened) = Storage::survey(&folder, top, info, Handles::new(MAX_OPEN))?;
    let problems = Problems::of(unopened);
    let reading = ReadProgress::new(storage.info().lengths.total(), flags.json);
    let problems = read_all(&storage, &reading, problems)?;
    let findings = findings(&storage, &problems);
    findings.iter().for_each(|finding| {
        if flags.json {
            ui::object(&finding.object())
        } else {
            ui::line(&finding.sentence())
        }
    });
    match mismatch(storage.info(), &problems, &findings) {
        Some(failure) => Err(failure),
        None => {
            report_match(flags, storage.info(), &folder);
            Ok(())
        }
    }
}

/// What was found wrong while the data were read.
#[derive(Debug, Default)]
struct Problems {
    /// Pieces that do not match, or of which a file is missing.
    wrong: BTreeSet<u32>,
    /// Pieces that could not be read.
    unread: BTreeSet<u32>,
    /// Files that could not be read.
    files: BTreeMap<PathBuf, Unread>,
}

/// Why a file could not be read.
#[derive(Clone, Debug)]
struct Unread {
    reason: String,
    /// Whether it is no file, so that its data are not there.
    is_obstruction: bool,
}

impl Problems {
    fn of(unopened: Vec<StorageError>) -> Self {
        let mut problems = Self::default();
        unopened.iter().for_each(|error| {
            problems.note(error);
        });
        problems
    }

    /// Notes which file could not be read; `false`: the error is of another kind.
    fn note(&mut self, error: &StorageError) -> bool {
        let Some((path, reason)) = error.failed_call() else {
            return false;
        };
        let is_obstruction = error.is_obstruction();
        self.files.entry(path.to_owned()).or_insert(Unread {
            reason,
            is_obstruction,
        });
        true
    }

    /// A piece cannot be read.
    fn note_piece(&mut self, piece: Piece, error: StorageError) -> Result<(), StorageError> {
        if !self.note(&error) {
            return Err(error);
        }
        let pieces = if error.is_obstruction() {
            &mut self.wrong
        } else {
            &mut self.unread
        };
        pieces.insert(piece.get());
        Ok(())
    }
}

/// Reads all pieces. What cannot be read is a problem among others.
fn read_all(
    storage: &Storage,
    reading: &ReadProgress,
    problems: Problems,
) -> Result<Problems, Failure> {
    let problems = Mutex::new(problems);
    let lock = || problems.lock().unwrap_or_else(PoisonError::into_inner);
    let info = storage.info();
    storage.digest_all(&|piece, digest| {
        reading.add(info.lengths.size(piece));
        match digest {
            Err(error) => lock().note_piece(piece, error)?,
            Ok(digest)
                if digest.is_none() || digest.map(PieceDigest::V1) != info.piece_digest(piece) =>
            {
                lock().wrong.insert(piece.get());
            }
            Ok(_) => {}
        }
        Ok(true)
    })?;
    storage.confirm_all()?;
    Ok(problems
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner))
}

/// What is to be said at the end if anything is wrong. Where nothing but files that cannot be read
/// is, the data may match: that is a failure of the storage.
fn mismatch(info: &Info, problems: &Problems, findings: &[Finding<'_>]) -> Option<Failure> {
    let unread = || findings.iter().filter(|finding| finding.is_unreadable());
    let files = |count| text::count(count, "file", "files");
    let unread_files = files(unread().count());
    if findings.len() > unread().count() || !problems.wrong.is_empty() {
        let and_unread = if unread().next().is_some() {
            format!(", and {unread_files} cannot be read")
        } else {
            String::new()
        };
        let message = format!(
            "the data do not match: {} wrong, in {}{and_unread}; aqueduct get fetches them again",
            text::of_pieces(problems.wrong.len(), info),
            files(findings.len() - unread().count()),
        );
        Some(Failure::new(Class::Mismatch, message))
    } else if unread().next().is_some() {
        let message = format!(
            "{} could not be checked: {unread_files} cannot be read",
            text::of_pieces(problems.unread.len(), info)
        );
        Some(Failure::new(Class::Storage, message))
    } else {
        None
    }
}

fn report_match(flags: &VerifyFlags, info: &Info, root: &Path) {
    let pieces = info.lengths.pieces();
    if flags.json {
        ui::object(
            &json!({ "event": "verified", "info_hash": info.info_hash.to_string(), "pieces": pieces, "path": root.to_string_lossy() }),
        );
    } else {
        ui::line(&all_match(pieces));
    }
}

fn all_match(pieces: u32) -> String {
    match pieces {
        0 => "all files are there, and empty".to_owned(),
        1 => "the only piece matches".to_owned(),
        _ => format!("all {pieces} pieces match"),
    }
}

/// What is wrong with one file.
#[derive(Debug)]
struct Finding<'a> {
    file: &'a File,
    size: u64,
    is_missing: bool,
    unread: Option<Unread>,
    /// Those that are wrong, ascending.
    pieces: Vec<u32>,
}

fn findings<'a>(storage: &'a Storage, problems: &Problems) -> Vec<Finding<'a>> {
    let info = storage.info();
    let files = info.files.iter().zip(storage.stamps()).enumerate();
    let all = files
        .filter(|(_, (file, _))| !file.pad)
        .map(|(index, (file, stamp))| {
            let pieces = info
                .lengths
                .pieces_of(file.offset, file.size)
                .map(|piece| piece.get())
                .filter(|piece| problems.wrong.contains(piece));
            Finding {
                file,
                size: stamp.size,
                is_missing: stamp == FileStamp::default(),
                unread: problems.files.get(&storage.path_of(index)).cloned(),
                pieces: pieces.collect(),
            }
        });
    all.filter(Finding::is_problem).collect()
}

impl Finding<'_> {
    fn is_problem(&self) -> bool {
        self.unread.is_some()
            || self.is_missing
            || self.size != self.file.size
            || !self.pieces.is_empty()
    }

    /// Whether it is a file that cannot be read, so that it may be right.
    fn is_unreadable(&self) -> bool {
        self.unread
            .as_ref()
            .is_some_and(|unread| !unread.is_obstruction)
    }

    fn problem(&self) -> &'static str {
        match self {
            Self {
                unread: Some(unread),
                ..
            } if unread.is_obstruction => "not_a_file",
            Self {
                unread: Some(_), ..
            } => "unreadable",
            Self {
                is_missing: true, ..
            } => "missing",
            _ if self.size != self.file.size => "size",
            _ => "content",
        }
    }

    fn object(&self) -> Value {
        let mut object = json!({
            "event": "mismatch",
            "path": self.file.path,
            "problem": self.problem(),
            "expected_size": self.file.size,
            "size": if self.is_missing { None } else { Some(self.size) },
            "pieces": self.pieces,
        });
        if let Some(unread) = &self.unread {
            object["reason"] = json!(unread.reason);
        }
        object
    }

    fn sentence(&self) -> String {
        let path = text::path(self.file);
        let pieces = if self.pieces.is_empty() {
            String::new()
        } else {
            format!(": {}", ranges(&self.pieces))
        };
        match (self.problem(), &self.unread) {
            (_, Some(unread)) => format!("{path}: cannot be read: {}", unread.reason),
            ("missing", _) => format!("{path}: missing"),
            ("size", _) => format!(
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
    use std::io;
    use std::sync::Arc;

    use aqueduct_core::meta::{Content, Details, Draft};

    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_may_be_right_and_one_that_is_none_is_wrong() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("f"), "hello").unwrap();
        let draft = Draft::new("f", Content::File(5), None).unwrap();
        let info = draft.finish(&[[0; 20]], Details::default()).unwrap().info;
        let piece = info.lengths.piece(0).unwrap();
        let (storage, unopened) =
            Storage::survey(root.path(), None, Arc::clone(&info), Handles::new(1)).unwrap();
        assert!(unopened.is_empty());
        let cases = [
            (
                io::ErrorKind::PermissionDenied,
                "unreadable",
                Class::Storage,
            ),
            (io::ErrorKind::NotADirectory, "not_a_file", Class::Mismatch),
        ];
        for (kind, problem, class) in cases {
            let error = StorageError::io("read", storage.path_of(0))(kind.into());
            let mut problems = Problems::default();
            problems.note_piece(piece, error).unwrap();
            let findings = findings(&storage, &problems);
            let told = findings.first().unwrap();
            assert_eq!(told.object()["problem"], problem);
            assert!(told.sentence().starts_with("f: cannot be read: "));
            let failure = mismatch(&info, &problems, &findings).unwrap();
            assert_eq!(failure.class, class, "{}", failure.message);
        }
        let changed = StorageError::Changed {
            path: storage.path_of(0),
        };
        assert!(Problems::default().note_piece(piece, changed).is_err());
    }

    #[test]
    fn a_match_is_told_by_the_number_of_pieces() {
        let told = [0, 1, 2].map(all_match);
        let one = "the only piece matches";
        assert_eq!(
            told,
            ["all files are there, and empty", one, "all 2 pieces match"]
        );
    }

    #[test]
    fn neighbouring_pieces_are_told_as_a_range() {
        assert_eq!(super::ranges(&[3]), "piece 3");
        assert_eq!(super::ranges(&[1, 5, 6, 7, 9]), "pieces 1, 5-7, 9");
    }
}
