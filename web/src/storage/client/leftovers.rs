//! Folders with content that belong to no torrent: removed torrents that could not be deleted
//! because the browser still had their files open, and data whose record is gone.

use aqueduct_core::Resumed;

use super::Storage;
use crate::storage::message::Request;
use crate::storage::restore::Leftover;

impl Storage {
    /// Stores the folders that were found at the start.
    pub(crate) fn note_leftovers(&self, found: Vec<Leftover>) {
        self.0
            .leftovers
            .borrow_mut()
            .extend(found.into_iter().map(|one| (one.folder, one.unwanted)));
    }

    /// Claims a folder for a torrent that is added. Returns what is known of its data: existing
    /// data are checked, and old records are ignored.
    pub(crate) fn claim(&self, folder: &str) -> Resumed {
        if self.0.leftovers.borrow_mut().remove(folder).is_none() {
            return Resumed::Nothing;
        }
        let folder = folder.to_owned();
        self.request(Request::ForgetRecords { folder }, None, drop);
        Resumed::Check
    }

    /// Deletes the folders of removed torrents whose files the browser has closed by now.
    pub(crate) fn delete_leftovers(&self) {
        let unwanted: Vec<String> = self
            .0
            .leftovers
            .borrow()
            .iter()
            .filter(|(_, unwanted)| **unwanted)
            .map(|(folder, _)| folder.clone())
            .collect();
        for folder in unwanted {
            let (storage, name) = (self.clone(), folder.clone());
            self.request(Request::DeleteLeftover { folder }, None, move |deleted| {
                if deleted.is_ok() {
                    storage.0.leftovers.borrow_mut().remove(&name);
                }
            });
        }
    }
}
