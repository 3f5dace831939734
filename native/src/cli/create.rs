//! `aqueduct create`: names and sizes first, then every piece's digest, then the file.

use std::fs::{self, DirEntry};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use aqueduct_core::meta::{Content, Details, Draft, Metainfo, NewFile, system_files};
use aqueduct_core::types::{Sha1Digest, visible};
use aqueduct_native::storage::handles::MAX_OPEN;
use aqueduct_native::storage::{Handles, Storage, shown_path};
use serde_json::json;

use super::flags::CreateFlags;
use super::output::{self, Existing};
use super::place;
use crate::ui;
use crate::ui::failure::{Class, Failure};
use crate::ui::read_progress::ReadProgress;

/// Called with each path that is left out of the torrent, and the reason.
type LeftOut<'a> = &'a dyn Fn(&Path, &str);

/// The message for an --output that exists.
const TAKEN: &str = "is there already; choose another name, or replace it with --force";

pub(crate) fn run(flags: CreateFlags) -> Result<(), Failure> {
    let path = flags
        .path
        .canonicalize()
        .map_err(|error| unreadable(&flags.path, &error))?;
    check_output(&flags, &path)?;
    probe(&flags)?;
    let name = name_of(own_name(&flags.path).unwrap_or(&path))?;
    let leaving_out =
        |path: &Path, why: &str| ui::note(&format!("leaving out {}: {why}", shown_path(path)));
    let found = content(&path, flags.keep_system_files, &leaving_out)?;
    let draft = Draft::new(&name, found.clone(), flags.piece_length)?;
    let metainfo = hash(&draft, &path, details(&flags), flags.json)?;
    if content(&path, flags.keep_system_files, &|_, _| ())? != found {
        return Err(unsteady());
    }
    write(&flags, &metainfo.to_bytes())?;
    report(&flags, &metainfo);
    Ok(())
}

/// Refuses two things on standard output, and to overwrite a folder, or one of the files to share, since the torrent would no longer
/// match its data. Any other file is replaced only with --force.
fn check_output(flags: &CreateFlags, shared: &Path) -> Result<(), Failure> {
    let output = flags.output.as_path();
    let (class, problem) = if flags.json && output.as_os_str() == "-" {
        (
            Class::Usage,
            "writes to standard output, and so does --json; write the .torrent to a file, or leave out --json",
        )
    } else if output.is_dir() {
        (
            Class::Usage,
            "is a folder; name the .torrent file to write in it",
        )
    } else if output
        .canonicalize()
        .is_ok_and(|output| output.is_file() && output.starts_with(shared))
    {
        (
            Class::Usage,
            "is one of the files to share; write the .torrent elsewhere, or remove that file first",
        )
    } else if !flags.force && output.as_os_str() != "-" && output::is_taken(output) {
        (Class::Storage, TAKEN)
    } else {
        return Ok(());
    };
    Err(Failure::new(
        class,
        format!("--output {} {problem}", shown_path(output)),
    ))
}

fn details(flags: &CreateFlags) -> Details {
    Details {
        trackers: flags.tracker.clone(),
        web_seeds: flags.web_seed.clone(),
        private: flags.private,
        comment: flags.comment.clone(),
        source: flags.source.clone(),
        created_by: Some(concat!("Aqueduct/", env!("CARGO_PKG_VERSION")).to_owned()),
        created: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|since| i64::try_from(since.as_secs()).ok()),
    }
}

/// The path as given, if it ends with a name: a link's own name instead of its target's.
fn own_name(typed: &Path) -> Option<&Path> {
    typed.file_name().map(|_| typed)
}

/// Hashes the data. A torrent whose digests are zeros is valid except for these, and provides the
/// layout of the pieces.
fn hash(draft: &Draft, path: &Path, details: Details, quiet: bool) -> Result<Metainfo, Failure> {
    let mut digests = vec![Sha1Digest::default(); draft.lengths().pieces() as usize];
    let blank = draft.finish(&digests, details.clone())?;
    let (root, info) = place::at(&blank.info, path);
    let storage = Storage::existing(&root.folder, root.top, info, Handles::new(MAX_OPEN))?;
    let reading = ReadProgress::new(draft.lengths().total(), quiet);
    let filled = Mutex::new(&mut digests);
    let complete = Mutex::new(true);
    storage.digest_all(&|piece, digest| {
        let digest = digest?;
        reading.add(draft.lengths().size(piece));
        if let (Some(digest), Some(slot)) = (digest, lock(&filled).get_mut(piece.index())) {
            *slot = digest;
        }
        *lock(&complete) &= digest.is_some();
        Ok(digest.is_some())
    })?;
    if !*lock(&complete) {
        return Err(unsteady());
    }
    storage.confirm_all()?;
    Ok(draft.finish(&digests, details)?)
}

fn unsteady() -> Failure {
    Failure::new(
        Class::Failure,
        "files came, went or changed while they were read; start again when nothing writes to them",
    )
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn name_of(path: &Path) -> Result<String, Failure> {
    let name = path.file_name().ok_or_else(|| {
        Failure::new(
            Class::Usage,
            "the root folder has no name to share it under; name a folder in it",
        )
    })?;
    name.to_str().map(str::to_owned).ok_or_else(|| {
        let shown = shown_path(path);
        let advice =
            "torrents hold names in UTF-8, and this one is in another encoding; rename it (`convmv` renames many), or share a link with another name";
        Failure::new(Class::Failure, format!("{shown}: {advice}"))
    })
}

/// The files at `path`. `left_out` is called for files that are not shared.
fn content(
    path: &Path,
    keep_system_files: bool,
    left_out: LeftOut<'_>,
) -> Result<Content, Failure> {
    let meta = fs::symlink_metadata(path).map_err(|error| unreadable(path, &error))?;
    if meta.is_file() {
        return Ok(Content::File(meta.len()));
    }
    if !meta.is_dir() {
        let shown = shown_path(path);
        return Err(Failure::new(
            Class::Storage,
            format!(
                "{shown} is neither a file nor a folder, so it cannot be shared; name one that is"
            ),
        ));
    }
    let files = walk(path, left_out)?;
    Ok(Content::Folder(if keep_system_files {
        files
    } else {
        without_system_files(path, files, left_out)
    }))
}

/// All files below a folder, sorted by path. Links, sockets, pipes and devices are not shared.
fn walk(root: &Path, left_out: LeftOut<'_>) -> Result<Vec<NewFile>, Failure> {
    let mut files = Vec::new();
    let mut folders: Vec<(PathBuf, Vec<String>)> = vec![(root.to_owned(), Vec::new())];
    while let Some((folder, components)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| unreadable(&folder, &error))? {
            let entry = entry.map_err(|error| unreadable(&folder, &error))?;
            let path: Vec<String> = components
                .iter()
                .cloned()
                .chain([name_of(&entry.path())?])
                .collect();
            match kind(&entry)? {
                Kind::Folder => folders.push((entry.path(), path)),
                Kind::File(size) => files.push(NewFile { path, size }),
                Kind::Other => left_out(&entry.path(), "not a regular file"),
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Leaves out files that operating systems store in folders.
fn without_system_files(root: &Path, files: Vec<NewFile>, left_out: LeftOut<'_>) -> Vec<NewFile> {
    let paths: Vec<&[String]> = files.iter().map(|file| file.path.as_slice()).collect();
    let flags = system_files(&paths);
    let mut kept = Vec::new();
    for (file, is_system) in files.into_iter().zip(flags) {
        if is_system {
            let path = file
                .path
                .iter()
                .fold(root.to_owned(), |path, name| path.join(name));
            left_out(
                &path,
                "the system stores it for itself; --keep-system-files shares it",
            );
        } else {
            kept.push(file);
        }
    }
    kept
}

enum Kind {
    Folder,
    File(u64),
    Other,
}

fn kind(entry: &DirEntry) -> Result<Kind, Failure> {
    // The metadata of the entry itself: links are not followed.
    let meta = entry
        .metadata()
        .map_err(|error| unreadable(&entry.path(), &error))?;
    Ok(match meta.file_type() {
        kind if kind.is_dir() => Kind::Folder,
        kind if kind.is_file() => Kind::File(meta.len()),
        _ => Kind::Other,
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "; name a file or folder that is there",
        io::ErrorKind::PermissionDenied => {
            "; ask its owner for the right to read it, or share another folder"
        }
        _ => "",
    };
    Failure::new(
        Class::Storage,
        format!("could not read {}: {error}{advice}", shown_path(path)),
    )
}

/// Whether the .torrent can be written, before the data are read for it.
fn probe(flags: &CreateFlags) -> Result<(), Failure> {
    if flags.output.as_os_str() == "-" {
        return Ok(());
    }
    output::probe(&flags.output).map_err(|error| unwritten(flags, &error))
}

fn write(flags: &CreateFlags, bytes: &[u8]) -> Result<(), Failure> {
    let existing = if flags.force {
        Existing::Replace
    } else {
        Existing::Keep
    };
    let written = if flags.output.as_os_str() == "-" {
        io::stdout().lock().write_all(bytes)
    } else {
        output::write(&flags.output, bytes, existing)
    };
    written.map_err(|error| unwritten(flags, &error))
}

fn unwritten(flags: &CreateFlags, error: &io::Error) -> Failure {
    let shown = if flags.output.as_os_str() == "-" {
        "standard output".into()
    } else {
        flags.output.to_string_lossy()
    };
    let message = match error.kind() {
        io::ErrorKind::AlreadyExists => format!("--output {} {TAKEN}", visible(&shown)),
        _ => format!(
            "could not write {}: {error}; choose another place with --output",
            visible(&shown)
        ),
    };
    Failure::new(Class::Storage, message)
}

/// Prints the magnet link on standard output, unless the torrent itself was written there.
fn report(flags: &CreateFlags, metainfo: &Metainfo) {
    let magnet = metainfo.magnet().to_string();
    if flags.output.as_os_str() == "-" {
        ui::note(&magnet);
    } else if flags.json {
        let info = &metainfo.info;
        ui::object(&json!({
            "event": "created",
            "info_hash": info.info_hash.to_string(),
            "path": flags.output.to_string_lossy(),
            "pieces": info.lengths.pieces(),
            "piece_length": info.lengths.piece_length(),
            "total_size": info.size(),
            "magnet": magnet,
        }));
    } else {
        ui::line(&magnet);
    }
}
