//! Names below a folder of the user's: such that every file system accepts them, and no two files
//! get the same one.

use std::collections::{BTreeMap, BTreeSet};

use aqueduct_core::meta::{numbered_name, portable_name};
use js_sys::JsString;

/// The paths given so far.
pub(super) struct Names {
    /// A key that is equal for names that some file system treats as the same.
    fold: fn(&str) -> String,
    /// The name of each component, by the folder in which it is, its name in the torrent, and
    /// whether it is a file.
    given: BTreeMap<(String, String, bool), String>,
    /// Each folder with the names in it, as file systems compare them.
    taken: BTreeSet<(String, String)>,
}

impl Names {
    /// No path. Names are compared as the browser's tables of Unicode say: a copy of such tables would
    /// be a tenth of this page's program.
    pub(super) fn new() -> Self {
        Self::with(folded_by_browser)
    }

    const fn with(fold: fn(&str) -> String) -> Self {
        Self {
            fold,
            given: BTreeMap::new(),
            taken: BTreeSet::new(),
        }
    }

    /// The components for a file of this path in the torrent; each path is passed once.
    pub(super) fn place(&mut self, path: &str) -> Vec<String> {
        let (mut folder, mut placed) = (String::new(), Vec::new());
        let mut components = path.split('/').peekable();
        while let Some(component) = components.next() {
            let is_file = components.peek().is_none();
            let name = self.name(&folder, component, is_file);
            folder = format!("{folder}/{name}");
            placed.push(name);
        }
        placed
    }

    fn name(&mut self, folder: &str, component: &str, is_file: bool) -> String {
        let key = (folder.to_owned(), component.to_owned(), is_file);
        if let Some(given) = self.given.get(&key) {
            return given.clone();
        }
        let name = free_name(component, |name| {
            self.taken.insert((folder.to_owned(), (self.fold)(name)))
        });
        self.given.insert(key, name.clone());
        name
    }
}

/// As `aqueduct_core::meta::folded_name`.
fn folded_by_browser(name: &str) -> String {
    let name = JsString::from(name.trim_end_matches(['.', ' ']));
    let folded = name.normalize("NFC").to_upper_case().to_lower_case();
    folded.normalize("NFC").into()
}

/// The first of `name`, `name (2)`, ... that is free, as a name that file systems accept.
fn free_name(name: &str, mut take: impl FnMut(&str) -> bool) -> String {
    candidates(name).find(|name| take(name)).unwrap_or_default()
}

/// Extensions of files that Chromium does not let pages create: they start programs when they are
/// opened, or when their folder is.
const REFUSED_EXTENSIONS: [&str; 4] = ["lnk", "local", "scf", "url"];
/// Names that it does not let pages create.
const REFUSED_NAMES: [&str; 3] = ["clock$", "desktop.ini", "thumbs.db"];

/// A name that browsers let pages create, for one that every file system accepts.
fn permitted_name(portable: &str) -> String {
    let visible = portable.trim_start().chars();
    let mut name: String = visible
        .map(|c| if is_refused(c) { '_' } else { c })
        .collect();
    if name.starts_with("..") {
        name.replace_range(..1, "_");
    }
    let lower = name.to_ascii_lowercase();
    let extension = lower
        .rsplit_once('.')
        .map_or("", |(_, extension)| extension);
    if REFUSED_EXTENSIONS.contains(&extension) || extension.starts_with('{') {
        name.push('_');
    }
    if name.is_empty() || REFUSED_NAMES.contains(&&*lower) {
        name.insert(0, '_');
    }
    name
}

/// Characters that Chromium refuses and file systems accept: `~`, and those that Unicode calls format
/// characters or no characters.
fn is_refused(c: char) -> bool {
    matches!(
        c,
        '~' | '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}'
    ) || matches!(c, '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}')
        || matches!(c, '\u{1d173}'..='\u{1d17a}' | '\u{fdd0}'..='\u{fdef}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// Names for a file or folder, the best one first.
pub(super) fn candidates(name: &str) -> impl Iterator<Item = String> {
    let name = permitted_name(&portable_name(name));
    let others = (2..).map({
        let name = name.clone();
        move |number| numbered_name(&name, number)
    });
    std::iter::once(name).chain(others)
}

#[cfg(test)]
mod tests {
    use aqueduct_core::meta::folded_name;

    use super::*;

    fn placed(paths: &[&str]) -> Vec<String> {
        let mut names = Names::with(folded_name);
        paths
            .iter()
            .map(|path| names.place(path).join("/"))
            .collect()
    }

    #[test]
    fn names_that_some_file_system_refuses_are_replaced_and_never_lead_out_of_the_folder() {
        let paths = [
            "Ep 1: Pilot.mkv",
            "../x",
            "a/./b",
            "aux.c",
            "end. /b",
            "c:\\d",
        ];
        let names = ["Ep 1_ Pilot.mkv", "_/x", "a/_/b", "_aux.c", "end/b", "c__d"];
        assert_eq!(placed(&paths), names);
    }

    #[test]
    fn names_that_browsers_refuse_are_replaced() {
        let paths = [
            "Site.URL",
            "a/Thumbs.db",
            "desktop.ini",
            "x.{21EC2020-3AEA-1069-A2DD-08002B30309D}",
            " lead~.txt",
            "..hidden",
            ".dot",
            "\u{1d173}a\u{fdd0}\u{1ffff}",
        ];
        let names = [
            "Site.URL_",
            "a/_Thumbs.db",
            "_desktop.ini",
            "x.{21EC2020-3AEA-1069-A2DD-08002B30309D}_",
            "lead_.txt",
            "_.hidden",
            ".dot",
            "_a__",
        ];
        assert_eq!(placed(&paths), names);
    }

    #[test]
    fn files_that_would_have_one_name_get_numbers_and_folders_are_shared() {
        assert_eq!(
            placed(&["a/Makefile", "a/makefile", "a/makefile.txt", "A/x", "a/x"]),
            [
                "a/Makefile",
                "a/makefile (2)",
                "a/makefile.txt",
                "A (2)/x",
                "a/x"
            ]
        );
        assert_eq!(
            placed(&["data", "data?/x", "data_/y"]),
            ["data", "data_/x", "data_ (2)/y"]
        );
    }
}
