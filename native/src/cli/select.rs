//! Which files of a torrent are wanted.

use aqueduct_core::meta::{File, Info};
use aqueduct_core::types::visible;

use super::failure::{Class, Failure};

/// One flag a file, or `None` for all: those that match any of `patterns`, or whose index stands in `indices` (BEP 53).
pub(crate) fn wanted(info: &Info, patterns: &[String], indices: Option<&[u32]>) -> Result<Option<Vec<bool>>, Failure> {
    if patterns.is_empty() && indices.is_none() {
        return Ok(None);
    }
    for pattern in patterns {
        if !info.files.iter().any(|file| matches(pattern, file)) {
            let message = format!("no file matches --select {}; --list shows the files", visible(pattern));
            return Err(Failure::new(Class::Usage, message));
        }
    }
    let named = |index: usize| indices.is_some_and(|indices| u32::try_from(index).is_ok_and(|index| indices.contains(&index)));
    let flag = |(index, file): (usize, &File)| named(index) || patterns.iter().any(|pattern| matches(pattern, file));
    Ok(Some(info.files.iter().enumerate().map(flag).collect()))
}

/// Whether a file's path below the torrent's folder matches. A pattern without `/` is about any one component: `*.txt`, `docs`.
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

/// A slash at the end asks for all that is in a folder, as `**` does.
fn spelled(pattern: &str) -> String {
    let below = if pattern.ends_with('/') { "**" } else { "" };
    format!("{}{below}", pattern.trim_start_matches('/'))
}

/// A piece of a pattern.
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

/// Follows all ways through the pattern at once, so that no pattern takes more than its length times the text's.
fn glob(tokens: &[Token], text: &str) -> bool {
    let mut at = vec![false; tokens.len() + 1];
    reach(tokens, &mut at, 0);
    for c in text.chars() {
        let mut next = vec![false; tokens.len() + 1];
        for (index, token) in tokens.iter().enumerate().filter(|(index, _)| at.get(*index) == Some(&true)) {
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

/// Marks a place in the pattern, and those behind the stars that may stand for nothing.
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
    use super::*;

    fn is_match(pattern: &str, path: &str) -> bool {
        let path = path.split('/').map(str::to_owned).collect();
        matches(pattern, &File { path, offset: 0, size: 1, pad: false })
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

    #[test]
    fn many_stars_take_no_longer_than_their_product() {
        assert!(!is_match(&"*a".repeat(200), &"a".repeat(199)));
        assert!(!is_match(&format!("{}b", "**a".repeat(60)), &"a".repeat(4000)));
    }
}
