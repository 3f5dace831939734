//! Finds a torrent's data at a path given by the user: the file or folder itself, possibly renamed,
//! or the folder that contains it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aqueduct_core::meta::{File, Info, portable_name};
use aqueduct_core::types::visible;
use aqueduct_native::storage::shown_path;

use crate::ui::failure::{Class, Failure};

/// The folder that a torrent's paths start from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) folder: PathBuf,
    /// The name of the paths' first component on disk, if that is not in UTF-8.
    pub(crate) top: Option<OsString>,
}

impl Root {
    /// A folder in which all names are UTF-8.
    pub(crate) fn plain(folder: PathBuf) -> Self {
        Self { folder, top: None }
    }

    /// Whether a file exists, under its own name or the safe replacement.
    fn holds(&self, file: &File) -> bool {
        let path = |safe: bool| {
            let name = |(depth, name): (usize, &String)| match &self.top {
                Some(top) if depth == 0 => top.clone(),
                _ if safe => portable_name(name).into(),
                _ => name.into(),
            };
            self.folder
                .join(file.path.iter().enumerate().map(name).collect::<PathBuf>())
        };
        path(false).is_file() || path(true).is_file()
    }
}

/// Finds a torrent's data. If the user gave no path, they are searched in the folder `usual` and
/// beside the .torrent file `torrent`.
///
/// # Errors
/// None of the torrent's files exists, which is a failure of class `absent`.
pub(crate) fn find(
    info: &Arc<Info>,
    torrent: &OsStr,
    path: Option<&Path>,
    usual: &Path,
    absent: Class,
) -> Result<(Root, Arc<Info>), Failure> {
    let torrent = Path::new(torrent);
    let places = path.map_or_else(
        || usual_places(torrent, usual),
        |path| vec![path.to_owned()],
    );
    // Padding is in no file.
    let has_files = info.files.iter().any(|file| !file.pad);
    for place in &places {
        let (root, info) = locate(info, place)?;
        let mut files = info.files.iter().filter(|file| !file.pad);
        if !has_files || files.any(|file| root.holds(file)) {
            return Ok((root, info));
        }
    }
    Err(Failure::new(absent, not_there(info, torrent, &places)))
}

fn usual_places(torrent: &Path, usual: &Path) -> Vec<PathBuf> {
    let beside = torrent.is_file().then(|| torrent.parent()).flatten();
    let beside = beside.map(|folder| {
        if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        }
    });
    let is_new = |folder: &&Path| folder.canonicalize().ok() != usual.canonicalize().ok();
    [usual]
        .into_iter()
        .chain(beside.filter(is_new))
        .map(Path::to_owned)
        .collect()
}

fn not_there(info: &Info, torrent: &Path, places: &[PathBuf]) -> String {
    let places: Vec<_> = places.iter().map(|place| shown_path(place)).collect();
    format!(
        "the data of {} are not in {}; say where they are: PATH behind {} may be the {} itself or the folder around it",
        visible(&info.name),
        places.join(" nor in "),
        shown_path(torrent),
        if info.multi { "folder" } else { "file" }
    )
}

/// The folder that the torrent's paths start from, and the torrent with the first component of its
/// paths as it is on disk.
pub(crate) fn locate(info: &Arc<Info>, path: &Path) -> Result<(Root, Arc<Info>), Failure> {
    if path.is_dir() && (!info.multi || has_top(info, path)) {
        return Ok((Root::plain(path.to_owned()), Arc::clone(info)));
    }
    let itself = path.canonicalize().map_err(|error| missing(path, &error))?;
    if info.multi && !itself.is_dir() {
        let message = format!(
            "{} is a file, and the torrent's data are a folder; name the folder",
            shown_path(path)
        );
        return Err(Failure::new(Class::Storage, message));
    }
    Ok(at(info, &itself))
}

/// Whether the torrent's folder is in this one, under its own name or the safe replacement.
fn has_top(info: &Info, path: &Path) -> bool {
    let top = info.files.first().and_then(|file| file.path.first());
    top.is_some_and(|top| path.join(top).exists() || path.join(portable_name(top)).exists())
}

/// As [`locate`], for a path without links that is the data's own.
pub(crate) fn at(info: &Arc<Info>, itself: &Path) -> (Root, Arc<Info>) {
    let (Some(folder), Some(name)) = (itself.parent(), itself.file_name()) else {
        return (Root::plain(itself.to_owned()), Arc::clone(info));
    };
    let top = if name.to_str().is_none() {
        Some(name.to_owned())
    } else {
        None
    };
    (
        Root {
            folder: folder.to_owned(),
            top,
        },
        renamed(info, &name.to_string_lossy()),
    )
}

fn renamed(info: &Arc<Info>, name: &str) -> Arc<Info> {
    let mut info = Info::clone(info);
    for top in info
        .files
        .iter_mut()
        .filter_map(|file| file.path.first_mut())
    {
        name.clone_into(top);
    }
    Arc::new(info)
}

fn missing(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Class::Storage,
        format!(
            "could not find the data at {}: {error}; name the file or folder that holds them",
            shown_path(path)
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use aqueduct_core::meta::{Content, Details, Draft, NewFile};

    use super::*;

    fn torrent(content: Content) -> Arc<Info> {
        Draft::new("name", content, None)
            .unwrap()
            .finish(&[[0; 20]], Details::default())
            .unwrap()
            .info
    }

    fn first_path(located: Result<(Root, Arc<Info>), Failure>) -> PathBuf {
        let (root, info) = located.unwrap();
        root.folder
            .join(info.files[0].path.iter().collect::<PathBuf>())
            .canonicalize()
            .unwrap()
    }

    #[test]
    fn a_folder_is_found_by_its_own_name_by_another_and_from_around_it() {
        let root = tempfile::tempdir().unwrap();
        let info = torrent(Content::Folder(vec![NewFile {
            path: vec!["file".into()],
            size: 1,
        }]));
        let (own, other) = (root.path().join("name"), root.path().join("other"));
        for folder in [&own, &other] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("file"), "x").unwrap();
        }
        assert_eq!(
            first_path(locate(&info, root.path())),
            own.join("file").canonicalize().unwrap()
        );
        for folder in [&own, &other] {
            assert_eq!(
                first_path(locate(&info, folder)),
                folder.join("file").canonicalize().unwrap()
            );
        }
        assert_eq!(
            locate(&info, &root.path().join("nowhere"))
                .unwrap_err()
                .class,
            Class::Storage
        );
        assert!(
            locate(&info, &own.join("file"))
                .unwrap_err()
                .message
                .contains("name the folder")
        );
    }

    #[test]
    fn a_file_is_found_by_any_name() {
        let root = tempfile::tempdir().unwrap();
        let info = torrent(Content::File(1));
        for name in ["name", "other"] {
            let file = root.path().join(name);
            fs::write(&file, "x").unwrap();
            assert_eq!(
                first_path(locate(&info, &file)),
                file.canonicalize().unwrap()
            );
        }
        assert_eq!(
            first_path(locate(&info, root.path())),
            root.path().join("name").canonicalize().unwrap()
        );
    }
}
