//! `--save-torrent`: writes the .torrent file for a magnet link.

use std::fs::{self, File};
use std::io;
use std::path::{self, Path};
use std::sync::Arc;

use aqueduct_core::meta::{Info, Magnet, Metainfo};
use aqueduct_core::types::InfoHash;
use aqueduct_native::storage::shown_path;

use super::output::{self, Existing};
use super::source;
use crate::ui::failure::{Class, Failure};

/// Checks that the file can be written, before anything is downloaded, and makes the download folder
/// `output` if the file is to be in it. A file that already contains this torrent is kept, so that a
/// command can be repeated.
///
/// # Errors
/// Another file has this name, or none can be made there.
pub(crate) fn check(path: &Path, output: &Path, info_hash: &InfoHash) -> Result<(), Failure> {
    let shown = shown_path(path);
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_folder(path, output).map_err(|error| unwritten(path, &error))
        }
        Err(error) => Err(Failure::new(
            Class::Storage,
            format!("could not look at {shown}: {error}; choose another place with --save-torrent"),
        )),
        Ok(_) if !output::is_taken(path) || is_saved(path, info_hash) => Ok(()),
        Ok(_) => Err(Failure::new(
            Class::Storage,
            format!(
                "{shown} is there and is not this torrent; move it away, or choose another name with --save-torrent"
            ),
        )),
    }
}

fn make_folder(path: &Path, output: &Path) -> io::Result<()> {
    let is_output = |folder: &Path| matches!((path::absolute(folder), path::absolute(output)), (Ok(a), Ok(b)) if a == b);
    if path.parent().is_some_and(is_output) {
        fs::create_dir_all(output)?;
    }
    output::probe(path)
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    let shown = shown_path(path);
    Failure::new(
        Class::Storage,
        format!("could not write {shown}: {error}; choose another place with --save-torrent"),
    )
}

/// Writes the torrent, with the trackers and web seeds of its link, unless it exists.
///
/// # Errors
/// It cannot be written, or another file has this name by now.
pub(crate) fn save(path: &Path, info: &Arc<Info>, link: &Magnet) -> Result<(), Failure> {
    if is_saved(path, &info.info_hash) {
        return Ok(());
    }
    let metainfo = Metainfo {
        info: Arc::clone(info),
        trackers: link.trackers.iter().map(|url| vec![url.clone()]).collect(),
        web_seeds: link.web_seeds.clone(),
        comment: None,
        created_by: None,
        created: None,
    };
    output::write(path, &metainfo.to_bytes(), Existing::Keep)
        .map_err(|error| unwritten(path, &error))
}

/// Whether a file contains this torrent. Devices and pipes are not read, which could take for ever.
fn is_saved(path: &Path, info_hash: &InfoHash) -> bool {
    if !path.is_file() {
        return false;
    }
    let saved = File::open(path)
        .and_then(source::bounded)
        .ok()
        .and_then(|bytes| Metainfo::parse(&bytes).ok());
    saved.is_some_and(|saved| saved.info.info_hash.wire() == info_hash.wire())
}
