//! Paths of a torrent's files: sanitised components, and no two files at the same path.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::MetainfoError;
use super::name::{MAX_NAME, cut, numbered_name};
use crate::types::is_reordering;

/// The maximum number of path components.
pub(super) const MAX_DEPTH: usize = 100;
/// The maximum number of files with the same path.
const MAX_ALIKE: u32 = 500;

/// Sanitises a path component: the result is never empty, `.` or `..`, has no separators (`\` is
/// one on some systems), control characters or characters that change the text direction, and is at
/// most 255 bytes long. All other names stay unchanged, even if some file systems refuse them;
/// storage handles that.
pub(super) fn sanitise(component: &[u8]) -> String {
    match (component, std::str::from_utf8(component)) {
        (b"" | b"." | b"..", _) => "_".to_owned(),
        // The fast path for most names; a torrent may have a hundred thousand files.
        (_, Ok(text))
            if component.len() <= MAX_NAME && component.iter().all(|&b| PLAIN[usize::from(b)]) =>
        {
            text.to_owned()
        }
        _ => cut(String::from_utf8_lossy(component)
            .chars()
            .map(|c| if is_harmful(c) { '_' } else { c })
            .collect()),
    }
}

/// The ASCII bytes that need no sanitising.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        plain[byte as usize] = !matches!(byte, b'/' | b'\\');
        byte += 1;
    }
    plain
};

fn is_harmful(c: char) -> bool {
    matches!(c, '/' | '\\') || c.is_control() || is_reordering(c)
}

/// A name that is in use in some folder.
#[derive(Clone, Copy)]
struct Taken {
    /// The number of the folder; `None` for a file.
    folder: Option<u32>,
    /// The numeric suffix of the last file with this name.
    copies: u32,
    /// The numeric suffix of the folder that was renamed because of a file with this name; 0 if
    /// there is none.
    folder_copy: u32,
}

/// All paths assigned so far. In a conflict a later file is renamed in favour of an earlier one,
/// and a folder in favour of a file.
#[derive(Default)]
pub(super) struct Places {
    /// Keyed by the folder's number (0 is the download folder) and the name.
    taken: BTreeMap<(u32, String), Taken>,
    folders: u32,
    last: Last,
}

/// The folders of the last file, cached since most files are in the same folder as the previous
/// one.
#[derive(Default)]
struct Last {
    asked: Vec<String>,
    placed: Vec<String>,
    folder: u32,
}

impl Places {
    /// Assigns the path for a file whose components are sanitised.
    pub(super) fn place(&mut self, path: &[String]) -> Result<Vec<String>, MetainfoError> {
        let refused = || MetainfoError::SamePath {
            path: path.join("/"),
            limit: MAX_ALIKE,
        };
        let Some((file, folders)) = path.split_last() else {
            return Ok(Vec::new());
        };
        if folders != self.last.asked {
            self.last = self.enter_all(folders).ok_or_else(refused)?;
        }
        let name = self.claim(self.last.folder, file).ok_or_else(refused)?;
        let mut placed = Vec::with_capacity(path.len());
        placed.extend_from_slice(&self.last.placed);
        placed.push(name);
        Ok(placed)
    }

    fn enter_all(&mut self, folders: &[String]) -> Option<Last> {
        let mut entered = Last {
            asked: folders.to_vec(),
            ..Last::default()
        };
        for name in folders {
            let (name, folder) = self.enter(entered.folder, name)?;
            entered.placed.push(name);
            entered.folder = folder;
        }
        Some(entered)
    }

    /// Finds or creates the folder of this name. It gets another name if a file has this one.
    fn enter(&mut self, parent: u32, name: &str) -> Option<(String, u32)> {
        let key = (parent, name.to_owned());
        match self.taken.get(&key).copied() {
            None => Some((name.to_owned(), self.make_folder(key))),
            Some(Taken {
                folder: Some(number),
                ..
            }) => Some((name.to_owned(), number)),
            Some(Taken { folder_copy, .. }) => self.enter_copy(key, name, folder_copy.max(1)),
        }
    }

    fn enter_copy(&mut self, file: (u32, String), name: &str, from: u32) -> Option<(String, u32)> {
        for copy in from..MAX_ALIKE {
            let other = numbered_name(name, copy);
            let key = (file.0, other.clone());
            let number = match self.taken.get(&key) {
                None => self.make_folder(key),
                Some(Taken {
                    folder: Some(number),
                    ..
                }) => *number,
                Some(_) => continue,
            };
            self.taken.entry(file).and_modify(|t| t.folder_copy = copy);
            return Some((other, number));
        }
        None
    }

    fn make_folder(&mut self, key: (u32, String)) -> u32 {
        self.folders += 1;
        self.taken.insert(
            key,
            Taken {
                folder: Some(self.folders),
                copies: 0,
                folder_copy: 0,
            },
        );
        self.folders
    }

    /// Reserves this name for a file, or the next free one with a numeric suffix.
    fn claim(&mut self, parent: u32, name: &str) -> Option<String> {
        const FILE: Taken = Taken {
            folder: None,
            copies: 0,
            folder_copy: 0,
        };
        let key = (parent, name.to_owned());
        let Some(copies) = self.taken.get(&key).map(|t| t.copies) else {
            self.taken.insert(key, FILE);
            return Some(name.to_owned());
        };
        for copy in copies + 1..MAX_ALIKE {
            let other = numbered_name(name, copy);
            if let Entry::Vacant(free) = self.taken.entry((parent, other.clone())) {
                free.insert(FILE);
                self.taken.entry(key).and_modify(|t| t.copies = copy);
                return Some(other);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place_all(paths: &[&str]) -> Vec<String> {
        let mut places = Places::default();
        let split = |p: &str| {
            p.split('/')
                .map(|c| sanitise(c.as_bytes()))
                .collect::<Vec<_>>()
        };
        paths
            .iter()
            .map(|p| places.place(&split(p)).unwrap().join("/"))
            .collect()
    }

    #[test]
    fn harmful_components_become_harmless() {
        let cases: [(&[u8], &str); 12] = [
            (b"", "_"),
            (b".", "_"),
            (b"..", "_"),
            (b"/etc/passwd", "_etc_passwd"),
            (b"..\\..\\evil", ".._.._evil"),
            (b"a\0b", "a_b"),
            (b"a\nb\x1b[2J\x7f", "a_b_[2J_"),
            ("a\u{85}b".as_bytes(), "a_b"),
            ("gpj.\u{202e}exe".as_bytes(), "gpj._exe"),
            ("\u{202a}\u{202d}\u{2066}\u{2069}".as_bytes(), "____"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            (b"caf\xe9", "caf\u{fffd}"),
        ];
        for (given, expected) in cases {
            assert_eq!(sanitise(given), expected, "{}", given.escape_ascii());
        }
    }

    #[test]
    fn names_that_linux_takes_stay_the_torrents_own() {
        let names = [
            "Ep 1: Pilot.mkv",
            "What happened...",
            ".. ",
            "...",
            "aux.c",
            "nul",
            "C:",
            "name. . ",
            " leading",
            ".hidden",
            "what? *<>|\"",
        ];
        let families = [
            "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
            "\u{200f}\u{5d0}",
            "\u{ad}\u{200b}\u{2060}\u{feff}",
            "日本 e\u{301}",
        ];
        for name in names.into_iter().chain(families) {
            assert_eq!(sanitise(name.as_bytes()), name);
        }
        assert_eq!(sanitise(&[b'a'; 255]), "a".repeat(255));
        assert_eq!(
            sanitise(&[b'a'; 256]),
            "a".repeat(240),
            "nothing takes that"
        );
    }

    #[test]
    fn files_of_one_path_get_numbers_and_names_that_only_look_alike_do_not() {
        assert_eq!(
            place_all(&["t/a.txt", "t/A.TXT", "t/a.txt"]),
            ["t/a.txt", "t/A.TXT", "t/a (1).txt"]
        );
        assert_eq!(
            place_all(&["t/\u{e9}", "t/e\u{301}", "t/Makefile", "t/makefile"]),
            ["t/\u{e9}", "t/e\u{301}", "t/Makefile", "t/makefile"]
        );
    }

    #[test]
    fn a_file_and_a_folder_of_one_name_part_ways() {
        assert_eq!(
            place_all(&["t/a", "t/a/b", "t/a/c", "t/a/b"]),
            ["t/a", "t/a (1)/b", "t/a (1)/c", "t/a (1)/b (1)"]
        );
        assert_eq!(place_all(&["t/a/b", "t/a"]), ["t/a/b", "t/a (1)"]);
        assert_eq!(
            place_all(&["t/a", "t/a (1)", "t/a/b"]),
            ["t/a", "t/a (1)", "t/a (2)/b"]
        );
    }

    #[test]
    fn five_hundred_files_may_want_one_path() {
        let mut places = Places::default();
        let path = ["t".to_owned(), "same".to_owned()];
        for _ in 0..500 {
            places.place(&path).unwrap();
        }
        assert_eq!(
            places.place(&path),
            Err(MetainfoError::SamePath {
                path: "t/same".to_owned(),
                limit: 500
            })
        );
    }
}
