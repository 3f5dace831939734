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
    if info.multi && !itself.is_dir() {
        let message = format!("{} is a file, and the torrent's data are a folder; name the folder", path.display());
        return Err(Failure::new(Class::Storage, message));
    }
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

#[cfg(test)]
mod tests {
    use std::fs;

    use aqueduct_core::meta::{Content, Details, Draft, NewFile};

    use super::*;

    fn torrent(content: Content) -> Arc<Info> {
        Draft::new("name", content, None).unwrap().finish(&[[0; 20]], Details::default()).unwrap().info
    }

    fn first_path(located: Result<(PathBuf, Arc<Info>), Failure>) -> PathBuf {
        let (root, info) = located.unwrap();
        root.join(info.files[0].path.iter().collect::<PathBuf>()).canonicalize().unwrap()
    }

    #[test]
    fn a_folder_is_found_by_its_own_name_by_another_and_from_around_it() {
        let root = tempfile::tempdir().unwrap();
        let info = torrent(Content::Folder(vec![NewFile { path: vec!["file".into()], size: 1 }]));
        let (own, other) = (root.path().join("name"), root.path().join("other"));
        for folder in [&own, &other] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("file"), "x").unwrap();
        }
        assert_eq!(first_path(locate(&info, root.path())), own.join("file").canonicalize().unwrap());
        for folder in [&own, &other] {
            assert_eq!(first_path(locate(&info, folder)), folder.join("file").canonicalize().unwrap());
        }
        assert_eq!(locate(&info, &root.path().join("nowhere")).unwrap_err().class, Class::Storage);
        assert!(locate(&info, &own.join("file")).unwrap_err().message.contains("name the folder"));
    }

    #[test]
    fn a_file_is_found_by_any_name() {
        let root = tempfile::tempdir().unwrap();
        let info = torrent(Content::File(1));
        for name in ["name", "other"] {
            let file = root.path().join(name);
            fs::write(&file, "x").unwrap();
            assert_eq!(first_path(locate(&info, &file)), file.canonicalize().unwrap());
        }
        assert_eq!(first_path(locate(&info, root.path())), root.path().join("name").canonicalize().unwrap());
    }
}
