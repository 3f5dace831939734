//! Links that users paste, drop, share and open.

/// The separator between the page's address and the magnet link in a shared link.
const MARK: char = '#';
const MAGNET: &str = "magnet:";

/// A link that opens `page` with this magnet link in its form.
pub(crate) fn to_share(page: &str, magnet: &str) -> String {
    format!("{page}{MARK}{magnet}")
}

/// The magnet link in a text that may be a shared link; other text unchanged.
pub(crate) fn magnet_in(text: &str) -> &str {
    let text = text.trim();
    let after = text.split_once(MARK).map(|(_, after)| after);
    after
        .filter(|after| after.starts_with(MAGNET))
        .unwrap_or(text)
}

/// The links and info-hashes in a text: quoted, separated by commas, or directly adjacent. For a
/// shared link, the magnet link is returned. Other words are returned unchanged, so that they are
/// rejected.
pub(crate) fn links_in(text: &str) -> Vec<String> {
    let mut links: Vec<String> = Vec::new();
    let mut ended = true;
    for written in text.split_whitespace().flat_map(apart) {
        let word = bare(written);
        match links.last_mut() {
            _ if word.is_empty() => {}
            // An unescaped space, for instance in the name.
            Some(last)
                if !ended && !begins_link(word) && begins_link(last) && last.contains('?') =>
            {
                *last = format!("{last} {word}")
            }
            _ => links.push(word.to_owned()),
        }
        ended = ends_quote(written);
    }
    let mut links: Vec<String> = links
        .iter()
        .map(|link| magnet_in(link).to_owned())
        .collect();
    let all = links.clone();
    let mut at = 0;
    links.retain(|link| {
        at += 1;
        all.iter().take(at - 1).all(|earlier| earlier != link)
    });
    links
}

/// Splits magnet links that follow each other without a space, as when several lines are pasted
/// into a single-line field.
fn apart(word: &str) -> Vec<&str> {
    let lower = word.to_ascii_lowercase();
    let follows = |at: usize| {
        at.checked_sub(1)
            .and_then(|before| lower.as_bytes().get(before))
            .is_some_and(|before| !b"#-=".contains(before))
    };
    let (mut parts, mut from) = (Vec::new(), 0);
    // Part of a web address.
    for (at, _) in lower
        .match_indices(MAGNET)
        .filter(|(at, _)| follows(*at) && !lower.starts_with("http"))
    {
        parts.extend(word.get(from..at));
        from = at;
    }
    parts.extend(word.get(from..));
    parts
}

/// Whether a quotation ends with this word.
fn ends_quote(word: &str) -> bool {
    word.trim_end_matches([',', ';']).ends_with([
        '"', '\'', '`', '>', '\u{201d}', '\u{201c}', '\u{2019}', '\u{2018}', '\u{bb}', '\u{ab}',
    ])
}

/// Strips quotes, brackets, commas and the like around a link.
fn bare(word: &str) -> &str {
    const AROUND: &[char] = &[
        '"', '\'', '`', '<', '>', ',', ';', '\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}',
        '\u{2019}', '\u{ab}', '\u{bb}',
    ];
    word.trim_matches(AROUND)
}

/// Whether a text is a web address, possibly of a .torrent file.
pub(crate) fn is_web_address(text: &str) -> bool {
    let scheme = text
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    scheme.is_some_and(|scheme| scheme == "http" || scheme == "https")
}

/// Whether a text begins like a link or is as long as an info-hash.
pub(crate) fn begins_link(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let is_hash =
        matches!(word.len(), 32 | 40 | 64) && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_hash
        || [MAGNET, "http://", "https://", "stream-magnet:", "magnet%3a"]
            .iter()
            .any(|start| lower.starts_with(start))
}

/// Whether the fragment of the page's address is a magnet link that a browser has escaped, as it
/// does for a page that handles magnet links.
pub(crate) fn is_escaped(hash: &str) -> bool {
    let escaped = b"#magnet%3a";
    hash.as_bytes()
        .get(..escaped.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(escaped))
}

/// The magnet link in the fragment of the page's address, if there is one.
pub(crate) fn magnet_of_hash(hash: &str) -> Option<&str> {
    hash.strip_prefix(MARK)
        .filter(|text| text.starts_with(MAGNET))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_link_can_be_opened_or_pasted_and_means_the_same() {
        let link = to_share("https://bridge.example/", "magnet:?xt=urn:btih:00&dn=a#b");
        assert_eq!(
            magnet_in(&format!(" {link}\n")),
            "magnet:?xt=urn:btih:00&dn=a#b"
        );
        assert_eq!(
            magnet_of_hash("#magnet:?xt=urn:btih:00"),
            Some("magnet:?xt=urn:btih:00")
        );
    }

    #[test]
    fn a_link_that_the_browser_hands_over_is_escaped_as_a_whole() {
        assert!(is_escaped("#magnet%3A%3Fxt%3Durn") && is_escaped("#magnet%3a"));
        assert!(!is_escaped("#magnet:?xt=urn") && !is_escaped("#magnet") && !is_escaped(""));
    }

    #[test]
    fn several_links_are_split_and_stripped_of_quotes_and_commas() {
        let [a, b] = [
            "magnet:?xt=urn:btih:00&tr=http://t.example/a",
            "magnet:?xt=urn:btih:11",
        ];
        let web = "https://site.example/x.torrent";
        for text in [
            format!("{a} {b}"),
            format!("{a}\n\n{b}\n{a}"),
            format!("\"{a}\", \"{b}\""),
            format!("<{a}>;'{b}'"),
            format!("{a}{b}"),
        ] {
            assert_eq!(links_in(&text), [a, b], "{text}");
        }
        assert_eq!(
            links_in(&format!("{web} https://bridge.example/#{b}")),
            [web, b]
        );
        let hash = "0123456789abcdef0123456789abcdef01234567";
        for text in [format!("{hash},{a}"), format!("{hash}, {a}")] {
            assert_eq!(links_in(&text), [hash, a], "{text}");
        }
    }

    #[test]
    fn a_blank_within_a_link_does_not_end_it_and_other_words_are_kept_to_be_refused() {
        assert_eq!(
            links_in(" magnet:?xt=urn:btih:00&dn=My own film&tr=x "),
            ["magnet:?xt=urn:btih:00&dn=My own film&tr=x"]
        );
        assert_eq!(
            links_in("'magnet:?xt=urn:btih:00&dn=My own', film"),
            ["magnet:?xt=urn:btih:00&dn=My own", "film"]
        );
        assert_eq!(links_in("hello"), ["hello"]);
        assert!(links_in(" \"\" ").is_empty());
    }

    #[test]
    fn an_address_of_the_web_is_told_from_a_magnet_link() {
        assert!(
            is_web_address("https://example.org/a.torrent") && is_web_address("HTTP://example.org")
        );
        for other in [
            "magnet:?xt=urn:btih:00&tr=http://t.example",
            "ftp://example.org/a.torrent",
            "",
            "00ff",
        ] {
            assert!(!is_web_address(other), "{other}");
        }
    }

    #[test]
    fn a_text_without_a_magnet_link_is_left_unchanged() {
        for text in [
            "",
            "00ff",
            "magnet:?xt=urn:btih:00#x",
            "https://bridge.example/#top",
        ] {
            assert_eq!(magnet_in(text), text);
        }
        assert_eq!((magnet_of_hash(""), magnet_of_hash("#top")), (None, None));
    }
}
