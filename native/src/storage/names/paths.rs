//! What may become of a path: which paths may be one on some file system, and which are tried when
//! one is refused.

use std::collections::BTreeMap;

use aqueduct_core::meta::{File, folded_name, numbered_name, plain_name, portable_name};

/// Numbers that a name may get.
const MAX_NUMBER: u32 = 500;

/// Whether a name from a resume record leads nowhere else. The torrent's parser made its own names
/// harmless; a record could have been tampered with.
pub(super) fn is_harmless(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0'])
}

/// Paths that differ from this one in the case of one letter of the name.
pub(super) fn spellings(path: &[String]) -> impl Iterator<Item = Vec<String>> {
    let (name, folders) = path
        .split_last()
        .map_or(("", path), |(name, folders)| (name.as_str(), folders));
    let toggled = |c: char| {
        if c.is_ascii_uppercase() {
            c.to_ascii_lowercase()
        } else {
            c.to_ascii_uppercase()
        }
    };
    let letters = name.char_indices().filter(|(_, c)| c.is_ascii_alphabetic());
    letters.filter_map(move |(at, c)| {
        let spelling = [
            name.get(..at)?,
            &toggled(c).to_string(),
            name.get(at + 1..)?,
        ]
        .concat();
        Some(folders.iter().cloned().chain([spelling]).collect())
    })
}

/// One text for all paths that may be one: as they are or under safe names, on any file system.
pub(super) fn folded(path: &[String]) -> String {
    path.iter()
        .map(|name| folded_name(&portable_name(name)) + "/")
        .collect()
}

/// For each file whose path some file system takes for another's: these others.
pub(super) fn rivals(files: &[File]) -> BTreeMap<usize, Vec<usize>> {
    let mut alike: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, file) in files.iter().enumerate().filter(|(_, file)| !file.pad) {
        alike.entry(folded(&file.path)).or_default().push(index);
    }
    let groups = alike.into_values().filter(|group| group.len() > 1);
    groups
        .flat_map(|group| {
            group
                .clone()
                .into_iter()
                .map(move |index| (index, others(&group, index)))
        })
        .collect()
}

fn others(group: &[usize], index: usize) -> Vec<usize> {
    group
        .iter()
        .copied()
        .filter(|&other| other != index)
        .collect()
}

/// Paths for one that was refused, the most similar first: safe names from the last component up,
/// at last in ASCII alone. `path` is `own` with its folders where they lie.
pub(super) fn safe_paths(own: &[String], path: &[String]) -> Vec<Vec<String>> {
    if own.iter().all(|name| plain_name(name) == *name) {
        return Vec::new();
    }
    let from = |depth: usize| {
        let safe = own
            .get(depth..)
            .unwrap_or_default()
            .iter()
            .map(|name| portable_name(name));
        path.get(..depth)
            .unwrap_or_default()
            .iter()
            .cloned()
            .chain(safe)
            .collect::<Vec<_>>()
    };
    let plain = own.iter().map(|name| plain_name(name)).collect();
    let mut paths: Vec<Vec<String>> = Vec::new();
    for candidate in (0..own.len()).rev().map(from).chain([plain]) {
        if candidate != path && !paths.contains(&candidate) {
            paths.push(candidate);
        }
    }
    paths
}

/// `a (1)`, `a (2)` and so on.
pub(super) fn numbered(path: &[String]) -> impl Iterator<Item = Vec<String>> + use<> {
    let path = path.to_vec();
    (1..MAX_NUMBER).map(move |number| {
        let mut path = path.clone();
        if let Some(name) = path.last_mut() {
            *name = numbered_name(name, number);
        }
        path
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn paths_that_differ_in_case_or_in_refused_characters_may_be_one() {
        let one = folded(&path(&["A: B", "c?"]));
        assert_eq!(one, folded(&path(&["a_ b", "C_"])));
        assert_ne!(one, folded(&path(&["a", "c"])));
    }

    #[test]
    fn safe_paths_change_as_little_as_possible_first() {
        let own = path(&["a:", "b?"]);
        assert_eq!(
            safe_paths(&own, &own)[..2],
            [path(&["a:", "b_"]), path(&["a_", "b_"])]
        );
        assert!(safe_paths(&path(&["a", "b"]), &path(&["a", "b"])).is_empty());
    }

    #[test]
    fn numbers_stand_before_the_extension_and_spellings_differ_in_one_letter() {
        let numbered: Vec<_> = numbered(&path(&["f", "a.txt"])).take(2).collect();
        assert_eq!(
            numbered,
            [path(&["f", "a (1).txt"]), path(&["f", "a (2).txt"])]
        );
        let spellings: Vec<_> = spellings(&path(&["f", "a1B"])).collect();
        assert_eq!(spellings, [path(&["f", "A1B"]), path(&["f", "a1b"])]);
    }
}
