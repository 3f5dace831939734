//! Where a torrent's files may go: components made harmless, one way on every system, and no two files in one place.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use unicode_normalization::UnicodeNormalization;

use super::MetainfoError;
use crate::types::is_hidden;

/// Bytes of a component at most. File systems take 255; the rest is for the suffix of a second file of that name.
const MAX_COMPONENT: usize = 240;
/// Longer extensions are cut with the rest of the name.
const MAX_EXTENSION: usize = 16;
/// Components of a path at most.
pub(super) const MAX_DEPTH: usize = 100;
/// Files that may want the same path.
const MAX_ALIKE: u32 = 500;
/// Names that Windows gives to devices, in every folder and with every extension.
const DEVICES: [&str; 30] = [
    "con", "prn", "aux", "nul", "conin$", "conout$", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "com¹", "com²", "com³",
    "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9", "lpt¹", "lpt²", "lpt³",
];

/// One component as it may stand on any file system: never empty, `.` or `..`, without separators, colons (drives and streams of Windows) and hidden characters,
/// no device of Windows, no dot or space at its end, at most 240 bytes. Made from a harmless name it is that name.
pub(super) fn sanitise(component: &[u8]) -> String {
    let mut name = match std::str::from_utf8(component) {
        // Most names by far; a torrent may have a hundred thousand.
        Ok(text) if component.iter().all(|&b| PLAIN[usize::from(b)]) => text.to_owned(),
        _ => String::from_utf8_lossy(component).chars().map(|c| if is_harmful(c) { '_' } else { c }).collect(),
    };
    trim(&mut name);
    if is_device(&name) {
        name.insert(0, '_');
    }
    if name.len() > MAX_COMPONENT {
        name = shorten(&name);
        trim(&mut name);
    }
    name
}

/// Bytes that stand for harmless characters of ASCII.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        plain[byte as usize] = !matches!(byte, b'/' | b'\\' | b':');
        byte += 1;
    }
    plain
};

fn is_harmful(c: char) -> bool {
    matches!(c, '/' | '\\' | ':') || is_hidden(c)
}

/// Windows drops dots and spaces at the end, so that `..` with a space is a way up there.
fn trim(name: &mut String) {
    while name.ends_with(['.', ' ']) {
        name.pop();
    }
    if name.is_empty() {
        name.push('_');
    }
}

fn is_device(name: &str) -> bool {
    // The first letters of all devices: asked first, for the other names there are.
    if !matches!(name.as_bytes().first(), Some(b'c' | b'C' | b'p' | b'P' | b'a' | b'A' | b'n' | b'N' | b'l' | b'L')) {
        return false;
    }
    let stem = name.split('.').next().unwrap_or(name).trim_end_matches(' ');
    DEVICES.iter().any(|device| device.eq_ignore_ascii_case(stem))
}

/// Cuts the stem, keeps the extension: what opens a file is its end.
fn shorten(name: &str) -> String {
    let (stem, extension) = split_extension(name);
    let room = stem.floor_char_boundary(MAX_COMPONENT - extension.len());
    [&stem[..room], extension].concat()
}

/// The extension with its dot, if it is short and something stands before it.
fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= MAX_EXTENSION => name.split_at(dot),
        _ => (name, ""),
    }
}

/// `name (2).ext`
fn with_suffix(name: &str, copy: u32) -> String {
    let (stem, extension) = split_extension(name);
    format!("{stem} ({copy}){extension}")
}

/// Names that are one name on some file system are one text here: Unicode form C, without case. Upper case first: NTFS takes `ς` and `σ` for one.
fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.nfc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfc().collect()
}

/// A name that is taken in some folder.
#[derive(Clone, Copy)]
struct Taken {
    /// The folder's number; `None`: a file.
    folder: Option<u32>,
    /// Suffix of the last file that wanted this name.
    copies: u32,
    /// Suffix of the folder that wanted this file's name; 0: none did.
    folder_copy: u32,
}

/// All names given out so far. A later file yields to an earlier one, a folder to a file.
#[derive(Default)]
pub(super) struct Places {
    /// By the folder's number (0: the download folder) and the folded name.
    taken: BTreeMap<(u32, String), Taken>,
    folders: u32,
    last: Last,
}

/// Where the folders of the last file led: most files lie beside the one before.
#[derive(Default)]
struct Last {
    asked: Vec<String>,
    placed: Vec<String>,
    folder: u32,
}

impl Places {
    /// The place of a file whose components are sanitised.
    pub(super) fn place(&mut self, path: &[String]) -> Result<Vec<String>, MetainfoError> {
        let refused = || MetainfoError::SamePath { path: path.join("/"), limit: MAX_ALIKE };
        let Some((file, folders)) = path.split_last() else { return Ok(Vec::new()) };
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
        let mut entered = Last { asked: folders.to_vec(), ..Last::default() };
        for name in folders {
            let (name, folder) = self.enter(entered.folder, name)?;
            entered.placed.push(name);
            entered.folder = folder;
        }
        Some(entered)
    }

    /// The folder of that name, made if it is not there; under another name if a file has this one.
    fn enter(&mut self, parent: u32, name: &str) -> Option<(String, u32)> {
        let key = (parent, fold(name));
        match self.taken.get(&key).copied() {
            None => Some((name.to_owned(), self.make_folder(key))),
            Some(Taken { folder: Some(number), .. }) => Some((name.to_owned(), number)),
            Some(Taken { folder_copy, .. }) => self.enter_copy(key, name, folder_copy.max(1)),
        }
    }

    fn enter_copy(&mut self, file: (u32, String), name: &str, from: u32) -> Option<(String, u32)> {
        for copy in from..MAX_ALIKE {
            let other = with_suffix(name, copy);
            let key = (file.0, fold(&other));
            let number = match self.taken.get(&key) {
                None => self.make_folder(key),
                Some(Taken { folder: Some(number), .. }) => *number,
                Some(_) => continue,
            };
            self.taken.entry(file).and_modify(|t| t.folder_copy = copy);
            return Some((other, number));
        }
        None
    }

    fn make_folder(&mut self, key: (u32, String)) -> u32 {
        self.folders += 1;
        self.taken.insert(key, Taken { folder: Some(self.folders), copies: 0, folder_copy: 0 });
        self.folders
    }

    /// That name for a file, or the next free one with a suffix.
    fn claim(&mut self, parent: u32, name: &str) -> Option<String> {
        const FILE: Taken = Taken { folder: None, copies: 0, folder_copy: 0 };
        let key = (parent, fold(name));
        let Some(copies) = self.taken.get(&key).map(|t| t.copies) else {
            self.taken.insert(key, FILE);
            return Some(name.to_owned());
        };
        for copy in copies + 1..MAX_ALIKE {
            let other = with_suffix(name, copy);
            if let Entry::Vacant(free) = self.taken.entry((parent, fold(&other))) {
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
        let split = |p: &str| p.split('/').map(|c| sanitise(c.as_bytes())).collect::<Vec<_>>();
        paths.iter().map(|p| places.place(&split(p)).unwrap().join("/")).collect()
    }

    #[test]
    fn harmful_components_become_harmless() {
        let cases: [(&[u8], &str); 30] = [
            (b"", "_"),
            (b".", "_"),
            (b"..", "_"),
            (b".. ", "_"),
            (b"...", "_"),
            (b"/etc/passwd", "_etc_passwd"),
            (b"..\\..\\evil", ".._.._evil"),
            (b"C:", "C_"),
            (b"c:\\windows", "c__windows"),
            (b"file:stream", "file_stream"),
            (b"nul", "_nul"),
            (b"NUL.txt", "_NUL.txt"),
            (b"Con .tar.gz", "_Con .tar.gz"),
            (b"lpt9", "_lpt9"),
            ("COM³".as_bytes(), "_COM³"),
            ("lpt²".as_bytes(), "_lpt²"),
            (b"CONIN$", "_CONIN$"),
            (b"com10", "com10"),
            (b"console", "console"),
            (b"name. . ", "name"),
            (b" leading", " leading"),
            (b".hidden", ".hidden"),
            (b"a\0b", "a_b"),
            (b"a\nb\x1b[2J\x7f", "a_b_[2J_"),
            ("a\u{85}b".as_bytes(), "a_b"),
            ("gpj.\u{202e}exe".as_bytes(), "gpj._exe"),
            ("\u{61c}\u{200b}\u{200f}\u{2060}\u{2069}\u{feff}".as_bytes(), "______"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            ("日本 e\u{301}".as_bytes(), "日本 e\u{301}"),
            (b"what? *<>|\"", "what? *<>|\""),
        ];
        for (given, expected) in cases {
            assert_eq!(sanitise(given), expected, "{}", given.escape_ascii());
        }
    }

    #[test]
    fn long_components_are_cut_between_characters_and_keep_their_extension() {
        let name = sanitise(format!("{}.mkv", "é".repeat(200)).as_bytes());
        assert!(name.len() <= 240 && name.ends_with("é.mkv"), "{name}");
        assert_eq!(sanitise(&[b'a'; 241]), "a".repeat(240));
        assert_eq!(sanitise(&[b'a'; 240]), "a".repeat(240));
        let dots = [&[b'a'; 200][..], &[b'.'; 80], b"b"].concat();
        assert!(!sanitise(&dots).ends_with('.'), "cutting leaves no dot at the end");
    }

    #[test]
    fn names_that_are_one_on_some_file_system_get_suffixes() {
        assert_eq!(place_all(&["t/a.txt", "t/A.TXT", "t/a.txt"]), ["t/a.txt", "t/A (1).TXT", "t/a (2).txt"]);
        assert_eq!(place_all(&["t/\u{e9}", "t/e\u{301}"]), ["t/\u{e9}", "t/e\u{301} (1)"]);
        assert_eq!(place_all(&["t/\u{3c3}", "t/\u{3c2}"]), ["t/\u{3c3}", "t/\u{3c2} (1)"]);
        assert_eq!(place_all(&["t/a", "t/a (1)", "t/a"]), ["t/a", "t/a (1)", "t/a (2)"]);
        assert_eq!(place_all(&["t/x/..", "t/x/."]), ["t/x/_", "t/x/_ (1)"]);
        assert_eq!(place_all(&["t/D/a", "t/d/a", "t/d/b"]), ["t/D/a", "t/d/a (1)", "t/d/b"]);
    }

    #[test]
    fn a_file_and_a_folder_of_one_name_part_ways() {
        assert_eq!(place_all(&["t/a", "t/a/b", "t/a/c", "t/a/b"]), ["t/a", "t/a (1)/b", "t/a (1)/c", "t/a (1)/b (1)"]);
        assert_eq!(place_all(&["t/a/b", "t/a"]), ["t/a/b", "t/a (1)"]);
        assert_eq!(place_all(&["t/a", "t/a (1)", "t/a/b"]), ["t/a", "t/a (1)", "t/a (2)/b"]);
    }

    #[test]
    fn five_hundred_files_may_want_one_path() {
        let mut places = Places::default();
        let path = ["t".to_owned(), "same".to_owned()];
        for _ in 0..500 {
            places.place(&path).unwrap();
        }
        assert_eq!(places.place(&path), Err(MetainfoError::SamePath { path: "t/same".to_owned(), limit: 500 }));
    }
}
