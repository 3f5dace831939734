//! Where a torrent's data lie when the user points at them: the file or folder itself, renamed perhaps, or the folder around it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aqueduct_core::meta::Info;

use super::failure::{Class, Failure};

/// The folder that the torrent's paths are below, and the torrent with the first component of its paths as it is on disk.
pub(crate) fn locate(info: &Arc<Info>, path: &Path) -> Result<(PathBuf, Arc<Info>), Failure> {
    let top = info.files.first().and_then(|file| file.path.first());
    if path.is_dir() && (!info.multi || top.is_some_and(|top| path.join(top).exists())) {
        return Ok((path.to_owned(), Arc::clone(info)));
    }
    let itself = path.canonicalize().map_err(|error| missing(path, &error))?;
    let name = itself.file_name().and_then(|name| name.to_str());
    match (itself.parent(), name) {
        (Some(parent), Some(name)) => Ok((parent.to_owned(), renamed(info, name))),
        _ => Ok((path.to_owned(), Arc::clone(info))),
    }
}

fn renamed(info: &Arc<Info>, name: &str) -> Arc<Info> {
    let mut info = Info::clone(info);
    for top in info.files.iter_mut().filter_map(|file| file.path.first_mut()) {
        name.clone_into(top);
    }
    Arc::new(info)
}

fn missing(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Class::Storage, format!("could not find the data at {}: {error}; name the file or folder that holds them", path.display()))
}
