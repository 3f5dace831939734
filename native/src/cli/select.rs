//! Which files of a torrent are wanted.

use std::ops::RangeInclusive;

use aqueduct_core::meta::{File, Info};
use aqueduct_core::types::visible;

use crate::ui::failure::{Class, Failure};

/// What the user and the magnet link ask for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice<'a> {
    /// `--select`
    pub(crate) select: &'a [String],
    /// `--exclude`
    pub(crate) exclude: &'a [String],
    /// `so` of a magnet link (BEP 53).
    pub(crate) linked: Option<&'a [u32]>,
}

impl Choice<'_> {
    /// One flag per file, or `None` for all: those that match `--select` or that the link selects
    /// (all, if there is neither), except those that match `--exclude`.
    pub(crate) fn wanted(&self, info: &Info) -> Result<Option<Vec<bool>>, Failure> {
        let Self {
            select,
            exclude,
            linked,
        } = *self;
        if select.is_empty() && exclude.is_empty() && linked.is_none() {
            return Ok(None);
        }
        let selected = Patterns::read("--select", select, info)?;
        let excluded = Patterns::read("--exclude", exclude, info)?;
        let is_open = select.is_empty() && linked.is_none();
        let by_link = by_number(linked.unwrap_or_default(), info.files.len());
        let is_wanted = |(index, file): (usize, &File)| {
            let is_linked = by_link.get(index) == Some(&true);
            (is_open || is_linked || selected.any_match(index, file))
                && !excluded.any_match(index, file)
        };
        let wanted: Vec<bool> = info.files.iter().enumerate().map(is_wanted).collect();
        if info
            .files
            .iter()
            .zip(&wanted)
            .any(|(file, wanted)| *wanted && !file.pad)
        {
            return Ok(Some(wanted));
        }
        let files = info.files.len();
        let message = if by_link.contains(&true) || linked.is_none() || !select.is_empty() {
            format!(
                "of the {files} files of this torrent none is left to download; --list shows them with their numbers"
            )
        } else {
            format!(
                "`so` in the magnet link selects none of the {files} files of this torrent; remove it from the link, or add files with --select"
            )
        };
        Err(Failure::new(Class::Usage, message))
    }
}

/// For each of a torrent's files whether its number is listed. A link may list a million numbers.
fn by_number(listed: &[u32], files: usize) -> Vec<bool> {
    let mut flags = vec![false; files];
    for number in listed {
        let flag = usize::try_from(*number)
            .ok()
            .and_then(|index| flags.get_mut(index));
        if let Some(flag) = flag {
            *flag = true;
        }
    }
    flags
}

/// The patterns of one flag, parsed for one torrent.
struct Patterns<'a>(Vec<Pattern<'a>>);

enum Pattern<'a> {
    /// Files by their numbers, as in BEP 53's `so`.
    Numbers(RangeInclusive<usize>),
    /// Files by their paths.
    Path(&'a str),
}

impl<'a> Patterns<'a> {
    /// Parses them. A number within the torrent's files is that file, not a name.
    fn read(flag: &str, texts: &'a [String], info: &Info) -> Result<Self, Failure> {
        let read = |text: &'a String| {
            let numbers = numbers(text).filter(|numbers| *numbers.end() < info.files.len());
            let pattern = numbers.map_or(Pattern::Path(text), Pattern::Numbers);
            let is_found = info
                .files
                .iter()
                .enumerate()
                .any(|(index, file)| pattern.matches(index, file));
            if is_found {
                Ok(pattern)
            } else {
                Err(not_found(flag, text, info))
            }
        };
        texts.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    fn any_match(&self, index: usize, file: &File) -> bool {
        self.0.iter().any(|pattern| pattern.matches(index, file))
    }
}

impl Pattern<'_> {
    fn matches(&self, index: usize, file: &File) -> bool {
        match self {
            Self::Numbers(numbers) => !file.pad && numbers.contains(&index),
            Self::Path(pattern) => matches(pattern, file),
        }
    }
}

fn not_found(flag: &str, text: &str, info: &Info) -> Failure {
    let message = match numbers(text) {
        Some(_) => format!(
            "no file matches {flag} {text}: the files of this torrent have the numbers 0 to {}",
            info.files.len().saturating_sub(1)
        ),
        None => format!(
            "no file matches {flag} {}; --list shows the files",
            visible(text)
        ),
    };
    Failure::new(Class::Usage, message)
}

/// `3`, `3-7`.
fn numbers(text: &str) -> Option<RangeInclusive<usize>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| {
        text.parse()
            .ok()
            .filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
    };
    let (first, last): (usize, usize) = (number(first)?, number(last)?);
    (first <= last).then_some(first..=last)
}

/// Whether a file's path below the torrent's folder matches. A pattern without `/` may match any
/// single component: `*.txt`, `docs`.
fn matches(pattern: &str, file: &File) -> bool {
    let tokens = tokens(&spelled(pattern));
    let below = file.path.get(1..).unwrap_or_default();
    let is_whole = pattern.contains('/') || tokens.contains(&Token::Across);
    !file.pad
        && if is_whole {
            glob(&tokens, &below.join("/")) || glob(&tokens, &file.path.join("/"))
        } else {
            file.path.iter().any(|component| glob(&tokens, component))
        }
}

/// A slash at the end means everything in a folder, like `**`.
fn spelled(pattern: &str) -> String {
    let below = if pattern.ends_with('/') { "**" } else { "" };
    format!("{}{below}", pattern.trim_start_matches('/'))
}

/// A token of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `?`
    One,
    /// `*`: any number of characters within a component.
    Within,
    /// `**`: any number of characters.
    Across,
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::with_capacity(pattern.len());
    for c in pattern.chars() {
        match (c, tokens.last_mut()) {
            ('*', Some(last @ (Token::Within | Token::Across))) => *last = Token::Across,
            ('*', _) => tokens.push(Token::Within),
            ('?', _) => tokens.push(Token::One),
            (c, _) => tokens.push(Token::Char(c)),
        }
    }
    tokens
}

/// Follows all paths through the pattern at the same time, so the time is at most proportional to
/// the product of both lengths.
fn glob(tokens: &[Token], text: &str) -> bool {
    let mut at = vec![false; tokens.len() + 1];
    reach(tokens, &mut at, 0);
    for c in text.chars() {
        let mut next = vec![false; tokens.len() + 1];
        for (index, token) in tokens
            .iter()
            .enumerate()
            .filter(|(index, _)| at.get(*index) == Some(&true))
        {
            match token {
                Token::Char(own) if *own == c => reach(tokens, &mut next, index + 1),
                Token::One if c != '/' => reach(tokens, &mut next, index + 1),
                Token::Within if c != '/' => reach(tokens, &mut next, index),
                Token::Across => reach(tokens, &mut next, index),
                _ => {}
            }
        }
        at = next;
    }
    at.last() == Some(&true)
}

/// Marks a position in the pattern, and those after stars that may match nothing.
fn reach(tokens: &[Token], at: &mut [bool], mut index: usize) {
    loop {
        if let Some(mark) = at.get_mut(index) {
            *mark = true;
        }
        if !matches!(tokens.get(index), Some(Token::Within | Token::Across)) {
            return;
        }
        index += 1;
    }
}

#[cfg(test)]
mod tests {
    use aqueduct_core::meta::{Content, Details, Draft, NewFile};

    use super::*;

    fn is_match(pattern: &str, path: &str) -> bool {
        let path = path.split('/').map(str::to_owned).collect();
        matches(
            pattern,
            &File {
                path,
                offset: 0,
                size: 1,
                pad: false,
            },
        )
    }

    #[test]
    fn a_pattern_without_a_slash_is_about_any_component() {
        assert!(is_match("*.txt", "t/docs/read.txt"));
        assert!(is_match("docs", "t/docs/read.txt"));
        assert!(is_match("r??d.*", "t/docs/read.txt"));
        assert!(!is_match("read", "t/docs/read.txt"));
        assert!(is_match("\u{e9}?", "t/\u{e9}\u{e8}"));
    }

    #[test]
    fn a_pattern_with_a_slash_is_about_the_path() {
        assert!(is_match("docs/*.txt", "t/docs/read.txt"));
        assert!(is_match("t/docs/*", "t/docs/read.txt"));
        assert!(!is_match("docs/*", "t/docs/a/b"));
        assert!(is_match("docs/**", "t/docs/a/b"));
        assert!(is_match("**/b", "t/docs/a/b"));
        assert!(is_match("**", "t/docs/a/b"));
        assert!(is_match("docs/", "t/docs/a/b"));
        assert!(!is_match("doc/", "t/docs/a/b"));
    }

    fn torrent(names: &[&str]) -> Info {
        let file = |name: &&str| NewFile {
            path: name.split('/').map(str::to_owned).collect(),
            size: 1,
        };
        let content = Content::Folder(names.iter().map(file).collect());
        let made = Draft::new("t", content, None)
            .unwrap()
            .finish(&[[0; 20]], Details::default())
            .unwrap();
        Info::clone(&made.info)
    }

    fn wanted(
        info: &Info,
        select: &[&str],
        exclude: &[&str],
        linked: Option<&[u32]>,
    ) -> Result<Vec<usize>, String> {
        let [select, exclude] = [select, exclude].map(|texts| {
            texts
                .iter()
                .map(|&text| text.to_owned())
                .collect::<Vec<_>>()
        });
        let flags = Choice {
            select: &select,
            exclude: &exclude,
            linked,
        }
        .wanted(info)
        .map_err(|failure| failure.message)?;
        let flags = flags.unwrap_or_else(|| vec![true; info.files.len()]);
        Ok(flags
            .iter()
            .enumerate()
            .filter_map(|(index, &wanted)| wanted.then_some(index))
            .collect())
    }

    #[test]
    fn files_are_selected_and_excluded_by_number_range_and_pattern() {
        let info = torrent(&["a.txt", "b.txt", "c.iso", "7", "d/e.txt"]);
        assert_eq!(wanted(&info, &["1", "3-4"], &[], None), Ok(vec![1, 3, 4]));
        assert_eq!(wanted(&info, &["*.txt"], &["d/"], None), Ok(vec![0, 1]));
        assert_eq!(wanted(&info, &[], &["2", "*.txt"], None), Ok(vec![3]));
        assert_eq!(wanted(&info, &["0"], &["0-3"], Some(&[4, 99])), Ok(vec![4]));
        assert_eq!(
            wanted(&info, &["7"], &[], None),
            Ok(vec![3]),
            "a number beyond the files is a name"
        );
        assert_eq!(wanted(&info, &[], &[], None), Ok(vec![0, 1, 2, 3, 4]));
    }

    #[test]
    fn what_selects_nothing_is_told() {
        let info = torrent(&["a.txt", "b.txt"]);
        assert!(
            wanted(&info, &["2"], &[], None)
                .unwrap_err()
                .contains("--select 2: the files of this torrent have the numbers 0 to 1")
        );
        assert!(
            wanted(&info, &[], &["*.iso"], None)
                .unwrap_err()
                .contains("no file matches --exclude *.iso")
        );
        assert!(
            wanted(&info, &[], &["*"], None)
                .unwrap_err()
                .contains("none is left to download")
        );
        assert!(
            wanted(&info, &[], &[], Some(&[9, u32::MAX]))
                .unwrap_err()
                .contains("`so` in the magnet link selects none")
        );
    }

    #[test]
    fn many_stars_take_no_longer_than_their_product() {
        assert!(!is_match(&"*a".repeat(200), &"a".repeat(199)));
        assert!(!is_match(
            &format!("{}b", "**a".repeat(60)),
            &"a".repeat(4000)
        ));
    }
}
