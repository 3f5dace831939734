//! Finds texts for users that stand in other sources than those of this folder.
//!
//! What it reports is certain to be shown, or reads like a sentence. A single word outside of `view!`
//! could as well be a key or a class, so it is not reported.

use std::fs;
use std::path::{Path, PathBuf};

/// Files and folders below `src` whose texts are all here. What `format.rs` adds to numbers are
/// symbols of units.
const COMPLETE: [&str; 7] = [
    "browser", "engine", "link.rs", "media.rs", "message", "page", "storage",
];

/// Names of attributes and properties of components that users read or hear.
const SHOWN: [&str; 9] = [
    "alt",
    "aria-label",
    "aria-description",
    "heading",
    "hint",
    "label",
    "placeholder",
    "question",
    "title",
];
/// The same in all languages: names of programs, and how a magnet link begins.
const NAMES: [&str; 4] = [
    "Aqueduct",
    "magnet:?xt=urn:btih:…",
    "Free Download Manager",
    r"\u{b5}Torrent for Mac",
];
/// What stands before a literal that has spaces and is not shown: reasons that only the engine or the
/// service worker receives are for developers.
const HIDDEN: [&str; 6] = [
    "class=",
    "class=format!(",
    "reason = ",
    "expect(",
    "CloseReason::Unreachable(",
    ".fail(",
];

/// A string literal, and the source around it.
struct Literal<'a> {
    before: &'a str,
    text: &'a str,
    after: &'a str,
}

impl Literal<'_> {
    /// Whether users read or hear it, or it could not be anything else.
    fn is_text(&self) -> bool {
        let words = without_placeholders(self.text);
        let has_letter = words.chars().any(char::is_alphabetic);
        if !has_letter || NAMES.contains(&self.text) {
            return false;
        }
        let is_hidden = HIDDEN.iter().any(|hidden| self.before.ends_with(hidden));
        self.is_content() || self.is_shown_attribute() || (is_sentence(&words) && !is_hidden)
    }

    /// Whether it is content of an element in `view!`.
    fn is_content(&self) -> bool {
        let begins = self.before.trim_end().ends_with(['>', '}']) && !self.before.ends_with("=> ");
        begins && self.after.trim_start().starts_with(['<', '{'])
    }

    fn is_shown_attribute(&self) -> bool {
        let name = self.before.strip_suffix('=').unwrap_or_default();
        let is_of = |shown: &&str| name.ends_with(&format!(" {shown}"));
        SHOWN.iter().any(is_of)
    }
}

/// What stands for a placeholder.
const PLACEHOLDER: char = '\u{1}';

/// Whether two words follow each other, or a word and a placeholder, as in no key, address, selector
/// or picture.
fn is_sentence(text: &str) -> bool {
    let words: Vec<&str> = text
        .split(' ')
        .map(|word| word.trim_end_matches([',', '.', ';', ':']))
        .collect();
    let is_word = |word: &str| !word.is_empty() && word.chars().all(char::is_alphabetic);
    let is_pair = |pair: &[&str]| {
        let is_placeholder = |word: &str| word.chars().eq([PLACEHOLDER]);
        let fits = |word: &&str| is_word(word) || is_placeholder(word);
        pair.iter().all(fits) && pair.iter().any(|word| is_word(word))
    };
    words.windows(2).any(is_pair) && !text.starts_with('<')
}

/// The text with [`PLACEHOLDER`] instead of each `{…}`.
fn without_placeholders(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some((before, after)) = rest.split_once('{') {
        kept.push_str(before);
        kept.push(PLACEHOLDER);
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    kept + rest
}

/// The string literals of a source. Those in comments and in tests, which stand at its end, are left
/// out.
fn literals(source: &str) -> Vec<Literal<'_>> {
    let end = source.find("#[cfg(test)]").unwrap_or(source.len());
    let source = &source[..end];
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = source[at..].find(['"', '/', '\'']) {
        let start = at + next;
        let rest = &source[start..];
        at = if rest.starts_with("//") {
            start + rest.find('\n').unwrap_or(rest.len())
        } else if let Some(character) = ["'\"'", "'/'", "'\\''"]
            .iter()
            .find(|c| rest.starts_with(**c))
        {
            start + character.len()
        } else if let Some(inside) = rest.strip_prefix('"') {
            let (text, after) = inside.split_at(end_of(inside));
            found.push(Literal {
                before: &source[..start],
                text,
                after: &after[1..],
            });
            start + text.len() + 2
        } else {
            start + 1
        };
    }
    found
}

/// The length of a literal up to the quotation mark that ends it.
fn end_of(rest: &str) -> usize {
    let mut is_escaped = false;
    rest.find(|c| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    })
    .expect("each literal ends")
}

fn rust_files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let inside = fs::read_dir(path).expect("a folder of sources");
    inside
        .flat_map(|entry| rust_files(&entry.expect("a file or folder").path()))
        .collect()
}

/// The texts in these sources, as `file: text`.
fn texts_outside(folders: &[&str]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = folders
        .iter()
        .flat_map(|folder| rust_files(&root.join(folder)));
    let mut found = Vec::new();
    for file in files {
        let source = fs::read_to_string(&file).expect("a source");
        let texts = literals(&source).into_iter().filter(Literal::is_text);
        found.extend(texts.map(|literal| format!("{}: {}", file.display(), literal.text)));
    }
    found
}

#[test]
fn all_texts_for_users_stand_in_this_folder() {
    let found = texts_outside(&COMPLETE);
    assert!(found.is_empty(), "move these into src/texts: {found:#?}");
}

#[test]
fn german_texts_say_the_same_thing_in_the_same_words() {
    // Beside the words of the glossary, which stand in their place.
    const OTHERS: [&str; 6] = [
        "noch einmal",
        "Noch einmal",
        "lässt sich nicht",
        "lassen sich nicht",
        " gewählte",
        "neu herunterladen",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/texts");
    let mut files = rust_files(&root);
    files.retain(|file| !file.ends_with("sources.rs"));
    let mut found = Vec::new();
    for file in files {
        let source = fs::read_to_string(&file).expect("a source");
        // A long text continues on the next line.
        let source: String = source.split("\\\n").map(str::trim_start).collect();
        let is_other = |line: &&str| OTHERS.iter().any(|other| line.contains(other));
        let others = source.lines().filter(is_other).map(str::trim);
        found.extend(others.map(|line| format!("{}: {line}", file.display())));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_style_sheet_has_no_texts() {
    let sheet = include_str!("../../style.css");
    let contents = sheet.split("content: \"").skip(1);
    let texts = contents.filter_map(|rest| rest.split_once('"').map(|(text, _)| text));
    let is_escape = |c: char| c.is_ascii_hexdigit() || c == '\\' || c == ' ';
    let found: Vec<&str> = texts.filter(|text| !text.chars().all(is_escape)).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn texts_are_told_from_keys_classes_and_comments() {
    let source = r##"
        // "A comment"
        #[expect(clippy::cast, reason = "never more than a few")]
        view! { <p class="notice error" id="some-id" title="Why">"Gone"</p> <b>"A" {x} " \u{2013} b"</b> }
        match key { "End" => "ArrowUp", '"' => "it stops now", _ => format!("{a} of {b} files, {c}") }
        <Field label="Rate" hint={x} id="rate"/> <h1>"Aqueduct"</h1> <i>" "</i> "0 0 {WIDTH} {HEIGHT}"
        #[cfg(test)] "Not one of them"
    "##;
    let found = literals(source).into_iter().filter(Literal::is_text);
    let texts: Vec<&str> = found.map(|literal| literal.text).collect();
    let expected = [
        "Why",
        "Gone",
        "A",
        r" \u{2013} b",
        "it stops now",
        "{a} of {b} files, {c}",
        "Rate",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn the_static_page_has_the_texts_and_languages_of_the_program() {
    use super::Language;
    let (page, script) = (
        include_str!("../../index.html"),
        include_str!("../../early.js"),
    );
    let languages = Language::ALL.map(|(language, _)| language);
    let tags = languages.map(Language::tag);
    assert!(script.contains(&format!("const LANGUAGES = {tags:?};")));
    for language in languages {
        let (tag, text) = (language.tag(), language.during(super::add::tagline));
        let line = format!("<span lang=\"{tag}\">{text}</span>");
        assert!(page.contains(&line), "{line}");
        let texts = page.matches(&format!("<p lang=\"{tag}\">")).count();
        assert_eq!(texts, 2, "why the program does not run, in {tag}");
    }
}
