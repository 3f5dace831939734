//! Folders with content that belong to no torrent: removed torrents that could not be deleted
//! because the browser still had their files open, and data whose record is gone.

use aqueduct_core::Resumed;

use super::error::FsError;
use super::layout::{RECORDS, REMOVED};
use super::restore::Leftover;
use super::store::Store;

impl Store {
    /// Stores the folders that were found at the start.
    pub(crate) fn note_leftovers(&self, found: Vec<Leftover>) {
        self.leftovers()
            .extend(found.into_iter().map(|one| (one.folder, one.unwanted)));
    }

    /// Claims a folder for a torrent that is added. Returns what is known of its data: existing
    /// data are checked, and old records are ignored.
    pub(crate) fn claim(&self, folder: &str) -> Resumed {
        if self.leftovers().remove(folder).is_none() {
            return Resumed::Nothing;
        }
        let folder = folder.to_owned();
        self.queue(async move |store| {
            let Ok(folder) = store.torrents().folder(&folder).await else {
                return;
            };
            // What cannot be removed now is overwritten, or found again at the next start.
            for old in RECORDS.into_iter().chain([REMOVED]) {
                drop(folder.remove(old).await);
            }
        });
        Resumed::Check
    }

    /// Deletes the folders of removed torrents whose files the browser has closed by now.
    pub(crate) fn delete_leftovers(&self) {
        let unwanted: Vec<String> = self
            .leftovers()
            .iter()
            .filter(|(_, unwanted)| **unwanted)
            .map(|(folder, _)| folder.clone())
            .collect();
        for folder in unwanted {
            self.queue(async move |store| {
                // A torrent may have claimed it while this job waited.
                if !store.leftovers().contains_key(&folder) {
                    return;
                }
                if matches!(
                    store.torrents().remove(&folder).await,
                    Ok(()) | Err(FsError::Missing)
                ) {
                    store.leftovers().remove(&folder);
                }
            });
        }
    }
}
