//! Names below a folder of the user's: such that every file system accepts them, and no two files
//! get the same one.

use std::collections::{BTreeMap, BTreeSet};

use aqueduct_core::meta::{folded_name, numbered_name, portable_name};

/// The paths given so far.
#[derive(Default)]
pub(super) struct Names {
    /// The name of each component, by the folder in which it is, its name in the torrent, and
    /// whether it is a file.
    given: BTreeMap<(String, String, bool), String>,
    /// Each folder with the names in it, as file systems compare them.
    taken: BTreeSet<(String, String)>,
}

impl Names {
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
            self.taken.insert((folder.to_owned(), folded_name(name)))
        });
        self.given.insert(key, name.clone());
        name
    }
}

/// The first of `name`, `name (2)`, ... that is free, as a name that file systems accept.
fn free_name(name: &str, mut take: impl FnMut(&str) -> bool) -> String {
    candidates(name).find(|name| take(name)).unwrap_or_default()
}

/// Names for a file or folder, the best one first.
pub(super) fn candidates(name: &str) -> impl Iterator<Item = String> {
    let name = portable_name(name);
    let others = (2..).map({
        let name = name.clone();
        move |number| numbered_name(&name, number)
    });
    std::iter::once(name).chain(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(paths: &[&str]) -> Vec<String> {
        let mut names = Names::default();
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
