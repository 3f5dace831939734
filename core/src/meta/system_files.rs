//! Files that operating systems store in folders for themselves, and that users do not mean to
//! share.

use crate::types::SortedSet;

/// Files, in lower case.
const FILES: [&str; 6] = [
    ".ds_store",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    ".localized",
    "icon\r",
];
/// Folders, with all that is in them, in lower case.
const FOLDERS: [&str; 7] = [
    "__macosx",
    ".spotlight-v100",
    ".trashes",
    ".fseventsd",
    ".temporaryitems",
    "$recycle.bin",
    "system volume information",
];
/// Prefix of the files in which macOS stores, beside a file, what other file systems have no place
/// for.
const COMPANION: &str = "._";

/// Which of these paths are files that operating systems store for themselves (`.DS_Store`,
/// `Thumbs.db`, `desktop.ini` and the like), one flag per path.
#[must_use]
pub fn system_files(paths: &[&[String]]) -> Vec<bool> {
    let all: SortedSet<&[String]> = paths.iter().copied().collect();
    paths
        .iter()
        .map(|path| is_system_file(path, &all))
        .collect()
}

fn is_system_file(path: &[String], all: &SortedSet<&[String]>) -> bool {
    let Some((name, folders)) = path.split_last() else {
        return false;
    };
    let is_one_of = |known: &[&str], name: &str| known.contains(&name.to_lowercase().as_str());
    let is_there = |own: &str| all.contains([folders, &[own.to_owned()]].concat().as_slice());
    is_one_of(&FILES, name)
        || folders.iter().any(|folder| is_one_of(&FOLDERS, folder))
        || name.strip_prefix(COMPANION).is_some_and(is_there)
}

#[cfg(test)]
mod tests {
    use super::system_files;

    fn left_out(paths: &[&str]) -> Vec<String> {
        let paths: Vec<Vec<String>> = paths
            .iter()
            .map(|path| path.split('/').map(str::to_owned).collect())
            .collect();
        let flags = system_files(&paths.iter().map(Vec::as_slice).collect::<Vec<_>>());
        paths
            .iter()
            .zip(flags)
            .filter(|(_, system)| *system)
            .map(|(path, _)| path.join("/"))
            .collect()
    }

    #[test]
    fn files_of_the_system_are_told_from_the_users_own() {
        let system = [
            "a/.DS_Store",
            "a/b/Thumbs.db",
            "a/desktop.ini",
            "__MACOSX/a/x",
            "a/._film.mkv",
        ];
        let own = [
            "a/film.mkv",
            "a/._alone",
            "a/.gitignore",
            "a/thumbs.db.txt",
            "a/DS_Store",
        ];
        assert_eq!(left_out(&[&system[..], &own[..]].concat()), system);
    }
}
