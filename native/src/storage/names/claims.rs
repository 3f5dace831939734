//! Which file of a torrent each path belongs to, in use or intended.

use std::collections::BTreeMap;

use aqueduct_core::meta::folded_name;

use super::paths::folded;

/// Files by path, so that none gets a name that another has or wants.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// `None`: several files claim the path.
    owners: BTreeMap<String, Option<usize>>,
}

impl Claims {
    /// The file `index` has or wants this path.
    pub(super) fn add(&mut self, index: usize, path: &[String]) {
        let owner = self.owners.entry(place(path)).or_insert(Some(index));
        if *owner != Some(index) {
            *owner = None;
        }
    }

    /// Whether no other file claims the path.
    pub(super) fn is_free(&self, index: usize, path: &[String]) -> bool {
        self.owners
            .get(&place(path))
            .is_none_or(|owner| *owner == Some(index))
    }
}

/// One text for all paths that may be one. The folders may get other names before the path is used;
/// the last component is meant as it is.
fn place(path: &[String]) -> String {
    let (name, folders) = path
        .split_last()
        .map_or(("", path), |(name, folders)| (name, folders));
    format!("{}{}", folded(folders), folded_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_free_for_the_file_that_alone_claims_it() {
        let path = |name: &str| ["t".to_owned(), name.to_owned()];
        let mut claims = Claims::default();
        claims.add(1, &path("Makefile"));
        assert!(claims.is_free(1, &path("makefile")));
        assert!(!claims.is_free(2, &path("makefile")));
        claims.add(2, &path("makefile"));
        assert!(!claims.is_free(1, &path("Makefile")));
        assert!(claims.is_free(1, &path("other")));
    }
}
