//! What operating systems leave in folders for themselves, and nobody means to share.

use std::collections::BTreeSet;

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
/// macOS keeps what other file systems have no place for in a second file beside the first, called
/// so and then like it.
const COMPANION: &str = "._";

/// Which of these paths are nobody's own files, as one flag each.
pub(crate) fn litter(paths: &[&[String]]) -> Vec<bool> {
    let all: BTreeSet<&[String]> = paths.iter().copied().collect();
    paths.iter().map(|path| is_litter(path, &all)).collect()
}

fn is_litter(path: &[String], all: &BTreeSet<&[String]>) -> bool {
    let Some((name, folders)) = path.split_last() else {
        return false;
    };
    let is_one_of = |known: &[&str], name: &str| known.contains(&name.to_lowercase().as_str());
    let accompanies = |own: &str| all.contains([folders, &[own.to_owned()]].concat().as_slice());
    is_one_of(&FILES, name)
        || folders.iter().any(|folder| is_one_of(&FOLDERS, folder))
        || name.strip_prefix(COMPANION).is_some_and(accompanies)
}

#[cfg(test)]
mod tests {
    use crate::page::offer::junk;

    fn left_out(paths: &[&str]) -> Vec<String> {
        let paths: Vec<Vec<String>> = paths
            .iter()
            .map(|path| path.split('/').map(str::to_owned).collect())
            .collect();
        let flags = litter(&paths.iter().map(Vec::as_slice).collect::<Vec<_>>());
        paths
            .iter()
            .zip(flags)
            .filter(|(_, litter)| *litter)
            .map(|(path, _)| path.join("/"))
            .collect()
    }

    #[test]
    fn what_the_system_keeps_for_itself_is_told_from_what_people_keep() {
        let litter = [
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
        assert_eq!(left_out(&[&litter[..], &own[..]].concat()), litter);
    }
}
