//! `--save-torrent`: writes the .torrent file for a magnet link.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use aqueduct_core::meta::{Info, Magnet, Metainfo};
use aqueduct_core::types::InfoHash;
use aqueduct_native::storage::shown_path;

use super::output::{self, Existing};
use super::source;
use crate::ui::failure::{Class, Failure};

/// Checks that the file may be written, before anything is downloaded. A file that already contains
/// this torrent is kept, so that a command can be repeated.
///
/// # Errors
/// Another file has this name.
pub(crate) fn check(path: &Path, info_hash: &InfoHash) -> Result<(), Failure> {
    let shown = shown_path(path);
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
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
    output::write(path, &metainfo.to_bytes(), Existing::Keep).map_err(|error| {
        let shown = shown_path(path);
        Failure::new(
            Class::Storage,
            format!("could not write {shown}: {error}; choose another place with --save-torrent"),
        )
    })
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
