//! The torrents whose files are saved by themselves when they are complete.

use crate::page::local_storage;

/// The key in the origin's local storage.
const KEY: &str = "aqueduct.save-when-finished";

/// The folders of these torrents. In a browser that stores nothing for the page, the choice ends
/// with the page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::page) struct SaveList(Vec<String>);

impl SaveList {
    /// The list as it was written last.
    pub(in crate::page) fn read() -> Self {
        Self(local_storage::read(KEY))
    }

    /// Whether this torrent is saved when it is complete.
    pub(in crate::page) fn contains(&self, folder: &str) -> bool {
        self.0.iter().any(|listed| listed == folder)
    }

    /// Keeps only these torrents.
    pub(in crate::page) fn keep(&mut self, folders: &[&str]) {
        let before = self.0.len();
        self.0.retain(|listed| folders.contains(&listed.as_str()));
        if self.0.len() != before {
            local_storage::write(KEY, &self.0);
        }
    }

    /// Adds or removes a torrent.
    pub(in crate::page) fn set(&mut self, folder: &str, listed: bool) {
        self.0.retain(|other| other != folder);
        if listed {
            self.0.push(folder.to_owned());
        }
        local_storage::write(KEY, &self.0);
    }
}
