//! File names that file systems accept: replacements for names that are refused, and detection of
//! names that collide.

use unicode_normalization::UnicodeNormalization;

use crate::types::is_hidden;

/// The maximum length of a name in Linux file systems, in bytes.
pub(super) const MAX_NAME: usize = 255;
/// The length to which longer names are cut, in bytes. It leaves room for a number.
const CUT: usize = 240;
/// The maximum length of a plain name in bytes. Encrypting file systems accept 143 bytes.
const CUT_PLAIN: usize = 120;
/// The maximum length of an extension that is preserved when a name is cut, in bytes.
const MAX_EXTENSION: usize = 16;
/// Device names that Windows reserves, in every folder and with every extension.
const DEVICES: [&str; 30] = [
    "con", "prn", "aux", "nul", "conin$", "conout$", "com1", "com2", "com3", "com4", "com5",
    "com6", "com7", "com8", "com9", "com¹", "com²", "com³", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5",
    "lpt6", "lpt7", "lpt8", "lpt9", "lpt¹", "lpt²", "lpt³",
];

/// A name that FAT, exFAT and NTFS accept: without `<>:"/\|?*` and hidden characters
/// ([`is_hidden`]), not a Windows device name, without trailing dots or spaces, and at most 240
/// bytes long. A valid name is returned unchanged. The result is never empty, `.` or `..`.
#[must_use]
pub fn portable_name(name: &str) -> String {
    let mut portable: String = name
        .chars()
        .map(|c| if is_refused(c) { '_' } else { c })
        .collect();
    trim(&mut portable);
    if is_device(&portable) {
        portable.insert(0, '_');
    }
    if portable.len() > CUT {
        portable = shorten(&portable, CUT);
        trim(&mut portable);
    }
    portable
}

/// A name that every file system accepts: [`portable_name`] in ASCII, at most 120 bytes long.
#[must_use]
pub fn plain_name(name: &str) -> String {
    let ascii: String = portable_name(name)
        .chars()
        .map(|c| if c.is_ascii() { c } else { '_' })
        .collect();
    let mut plain = if ascii.len() > CUT_PLAIN {
        shorten(&ascii, CUT_PLAIN)
    } else {
        ascii
    };
    trim(&mut plain);
    plain
}

/// `name (2).ext`: an alternative name for a second file that would have the same name. At most 255
/// bytes long.
#[must_use]
pub fn numbered_name(name: &str, number: u32) -> String {
    let (stem, extension) = split_extension(name);
    let tail = format!(" ({number}){extension}");
    let room = stem.floor_char_boundary(MAX_NAME.saturating_sub(tail.len()));
    [stem.get(..room).unwrap_or_default(), &tail].concat()
}

/// A key that is equal for names that some file system treats as the same: Unicode NFC,
/// case-folded, without the trailing dots and spaces that Windows drops. It is converted to upper
/// case first, since NTFS treats `ς` and `σ` as equal.
#[must_use]
pub fn folded_name(name: &str) -> String {
    let name = name.trim_end_matches(['.', ' ']);
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.nfc()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .nfc()
        .collect()
}

/// Cuts a name that is too long for file systems.
pub(super) fn cut(name: String) -> String {
    if name.len() > MAX_NAME {
        shorten(&name, CUT)
    } else {
        name
    }
}

fn is_refused(c: char) -> bool {
    matches!(c, '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*') || is_hidden(c)
}

fn trim(name: &mut String) {
    while name.ends_with(['.', ' ']) {
        name.pop();
    }
    if name.is_empty() {
        name.push('_');
    }
}

fn is_device(name: &str) -> bool {
    // A quick check of the first letter rules out most names.
    if !matches!(
        name.as_bytes().first(),
        Some(b'c' | b'C' | b'p' | b'P' | b'a' | b'A' | b'n' | b'N' | b'l' | b'L')
    ) {
        return false;
    }
    let stem = name.split('.').next().unwrap_or(name).trim_end_matches(' ');
    DEVICES
        .iter()
        .any(|device| device.eq_ignore_ascii_case(stem))
}

/// Cuts the stem and keeps the extension, which determines the program that opens the file.
fn shorten(name: &str, length: usize) -> String {
    let (stem, extension) = split_extension(name);
    let room = stem.floor_char_boundary(length.saturating_sub(extension.len()));
    [stem.get(..room).unwrap_or_default(), extension].concat()
}

/// The extension including its dot, if it is short and has a stem.
fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= MAX_EXTENSION => name.split_at(dot),
        _ => (name, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portable_name_is_one_that_windows_and_fat_take() {
        let cases = [
            ("Ep 1: Pilot.mkv", "Ep 1_ Pilot.mkv"),
            ("What happened...", "What happened"),
            ("what? *<>|\"\\", "what_ ______"),
            ("aux.c", "_aux.c"),
            ("NUL", "_NUL"),
            ("Con .tar.gz", "_Con .tar.gz"),
            ("COM³", "_COM³"),
            ("CONIN$", "_CONIN$"),
            ("com10", "com10"),
            ("console", "console"),
            ("...", "_"),
            (".hidden", ".hidden"),
            ("\u{1f468}\u{200d}\u{1f469}", "\u{1f468}_\u{1f469}"),
            ("日本 e\u{301}", "日本 e\u{301}"),
        ];
        for (given, expected) in cases {
            assert_eq!(portable_name(given), expected, "{given}");
            assert_eq!(portable_name(expected), expected, "{expected}");
        }
        assert_eq!(plain_name("日本: \u{e9}.mkv"), "___ _.mkv");
    }

    #[test]
    fn long_names_are_cut_between_characters_and_keep_their_extension() {
        let long = format!("{}.mkv", "é".repeat(200));
        for (name, limit) in [
            (portable_name(&long), 240),
            (plain_name(&long), 120),
            (cut(long), 240),
            (numbered_name(&"é".repeat(127), 12), 255),
        ] {
            assert!(name.len() <= limit, "{name}");
        }
        assert!(portable_name(&format!("{}.mkv", "é".repeat(200))).ends_with("é.mkv"));
        assert_eq!(cut("a".repeat(255)), "a".repeat(255));
        assert_eq!(cut("a".repeat(256)), "a".repeat(240));
        let dots = ["a".repeat(200), ".".repeat(80), "b".to_owned()].concat();
        assert!(
            !portable_name(&dots).ends_with('.'),
            "cutting leaves no dot at the end"
        );
    }

    #[test]
    fn names_that_some_file_system_takes_for_one_fold_to_one() {
        for (one, other) in [
            ("Makefile", "makefile"),
            ("\u{e9}", "E\u{301}"),
            ("ς", "σ"),
            ("done...", "done"),
            ("straße", "STRASSE"),
        ] {
            assert_eq!(folded_name(one), folded_name(other));
        }
        assert_ne!(folded_name("a.b"), folded_name("ab"));
    }
}
