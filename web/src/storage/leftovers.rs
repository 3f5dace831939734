//! Folders that hold something and belong to no torrent: what a removal could not delete because
//! the browser had not let go of it yet, and data whose record is gone.

use aqueduct_core::Resumed;

use crate::storage::layout::{RECORDS, REMOVED};
use crate::storage::opfs::FsError;
use crate::storage::restore::Unclaimed;
use crate::storage::store::Store;

impl Store {
    /// What a start found.
    pub(crate) fn note_unclaimed(&self, found: Vec<Unclaimed>) {
        self.unclaimed()
            .extend(found.into_iter().map(|one| (one.folder, one.unwanted)));
    }

    /// A torrent is added whose folder this is. Says what is known of its data: what was left there
    /// is looked at, but no old record counts.
    pub(crate) fn claim(&self, folder: &str) -> Resumed {
        if self.unclaimed().remove(folder).is_none() {
            return Resumed::Nothing;
        }
        let (store, folder) = (self.clone(), folder.to_owned());
        self.queue(async move {
            let Ok(folder) = store.root().folder(&folder).await else {
                return;
            };
            // What cannot be removed now is written over, or found again at the next start.
            for old in RECORDS.into_iter().chain([REMOVED]) {
                drop(folder.remove(old).await);
            }
        });
        Resumed::Check
    }

    /// Deletes what the user does not want any more, as far as the browser lets go of it by now.
    pub(crate) fn sweep(&self) {
        let unwanted: Vec<String> = self
            .unclaimed()
            .iter()
            .filter(|(_, unwanted)| **unwanted)
            .map(|(folder, _)| folder.clone())
            .collect();
        for folder in unwanted {
            let store = self.clone();
            self.queue(async move {
                // It may have been claimed while this waited.
                if !store.unclaimed().contains_key(&folder) {
                    return;
                }
                if matches!(
                    store.root().remove(&folder).await,
                    Ok(()) | Err(FsError::Missing)
                ) {
                    store.unclaimed().remove(&folder);
                }
            });
        }
    }
}
