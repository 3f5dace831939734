//! Making durable what was written.

use std::collections::BTreeSet;
use std::mem;
use std::path::PathBuf;

use super::{Disk, Storage, StorageError};

/// With more files than this to flush, one flush of the whole file system is quicker than one for
/// each of them and of their folders.
const MANY: usize = 128;

impl<D: Disk> Storage<D> {
    /// Makes everything that was written before this call durable, and looks whether it is still
    /// there.
    ///
    /// # Errors
    /// A file or folder cannot be synced; all of them are tried again by the next call.
    pub fn flush(&self) -> Result<(), StorageError> {
        let (data, names) = {
            let mut state = self.lock();
            (
                mem::take(&mut state.unsynced),
                mem::take(&mut state.unnamed),
            )
        };
        let looked = data.iter().try_for_each(|&index| self.look_at(index));
        let result = looked.and_then(|()| self.sync(&data, &names));
        if result.is_err() {
            let mut state = self.lock();
            state.unsynced.extend(data);
            state.unnamed.extend(names);
        }
        result
    }

    fn sync(&self, data: &BTreeSet<usize>, names: &BTreeSet<usize>) -> Result<(), StorageError> {
        if data.len() + names.len() > MANY && !self.lock().scattered {
            return self
                .disk
                .sync_all()
                .map_err(StorageError::io("flush the disk of", &self.folder));
        }
        for index in data.iter().copied() {
            // Of a file that is gone nothing can be kept; its pieces are doubted.
            match self.readable(index) {
                Err(error) if error.is_missing() => {}
                Err(error) => return Err(error),
                Ok(open) => self.disk.sync(&open).map_err(self.failed("flush", index))?,
            }
        }
        for folder in self.folders_of(names) {
            let shown = || self.folder.join(folder.iter().collect::<PathBuf>());
            match self
                .disk
                .sync_folder(&folder)
                .map_err(|error| StorageError::io("flush the folder", shown())(error))
            {
                Err(error) if error.is_missing() => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// The folders on the way to these files, each once however many files it holds.
    fn folders_of(&self, indices: &BTreeSet<usize>) -> BTreeSet<Vec<String>> {
        let names = self.names();
        let mut folders = BTreeSet::new();
        for mut path in indices.iter().map(|&index| names.path(index)) {
            while path.pop().is_some() && folders.insert(path.clone()) {}
        }
        folders
    }
}
