//! Untrusted text for terminals, logs and file names.

use std::borrow::Cow;

/// Whether a character is a control character or invisible: C0, DEL, C1, line separators,
/// bidirectional controls, and characters without width.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Whether a character changes the direction of the text after it (bidirectional embeddings,
/// overrides and isolates), so that `fdp.exe` looks like `exe.pdf`.
#[must_use]
pub const fn is_reordering(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Makes text from a torrent, a peer or a tracker safe to display: every character of [`is_hidden`]
/// is escaped (`\n`, `\u{202e}`), so that the text can neither move the cursor nor reorder or hide
/// its surroundings.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_hidden(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_act_on_a_terminal_is_spelled_out() {
        assert_eq!(
            visible("a\x1b[2Jb\r\n\tc\u{7f}\u{9b}"),
            "a\\u{1b}[2Jb\\r\\n\\tc\\u{7f}\\u{9b}"
        );
        assert_eq!(visible("evil\u{202e}fdp.exe"), "evil\\u{202e}fdp.exe");
        assert_eq!(
            visible("\u{1f468}\u{200d}\u{1f469}"),
            "\u{1f468}\\u{200d}\u{1f469}"
        );
        assert_eq!(
            visible("zero\u{200b}width\u{feff}"),
            "zero\\u{200b}width\\u{feff}"
        );
    }

    #[test]
    fn ordinary_text_of_any_script_stays_as_it_is() {
        let text = "Žluťoučký kůň 日本語 עברית \u{1f600} a/b\\c";
        assert!(matches!(visible(text), Cow::Borrowed(same) if same == text));
    }
}
