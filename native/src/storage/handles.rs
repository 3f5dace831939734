//! A bounded number of open files, shared by all torrents of one program.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::Access;

/// Files that are kept open at a time, of all torrents: with the sockets, less than the usual limit
/// of 1,024 descriptors.
pub const MAX_OPEN: usize = 256;

/// Open files by owner and index; the one that was not used for longest is closed first.
#[derive(Debug)]
pub struct Handles<F> {
    limit: usize,
    inner: Mutex<Inner<F>>,
}

#[derive(Debug)]
struct Inner<F> {
    open: BTreeMap<(u32, usize), Entry<F>>,
    uses: u64,
    owners: u32,
}

#[derive(Debug)]
struct Entry<F> {
    file: Arc<F>,
    access: Access,
    used: u64,
}

impl<F> Handles<F> {
    /// Keeps at most `limit` files open, at least one. Files in use by a running call stay open
    /// beyond it until the call ends.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        let inner = Inner {
            open: BTreeMap::new(),
            uses: 0,
            owners: 0,
        };
        Arc::new(Self {
            limit: limit.max(1),
            inner: Mutex::new(inner),
        })
    }

    /// A number for one torrent's files.
    pub fn owner(&self) -> u32 {
        let mut inner = self.lock();
        inner.owners += 1;
        inner.owners
    }

    /// The open file, or the one that `open` opens. No lock is held while it does.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn get<E>(
        &self,
        owner: u32,
        index: usize,
        access: Access,
        open: impl FnOnce() -> Result<F, E>,
    ) -> Result<Arc<F>, E> {
        if let Some(file) = self.find(owner, index, access) {
            return Ok(file);
        }
        let file = Arc::new(open()?);
        self.lock().keep((owner, index), access, &file, self.limit);
        Ok(file)
    }

    /// The file, if it is open with this access.
    pub fn find(&self, owner: u32, index: usize, access: Access) -> Option<Arc<F>> {
        self.lock().find((owner, index), access)
    }

    /// Closes one file.
    pub fn close(&self, owner: u32, index: usize) {
        self.lock().open.remove(&(owner, index));
    }

    /// Closes all files of one owner.
    pub fn forget(&self, owner: u32) {
        self.lock().open.retain(|key, _| key.0 != owner);
    }

    fn lock(&self) -> MutexGuard<'_, Inner<F>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F> Inner<F> {
    fn find(&mut self, key: (u32, usize), access: Access) -> Option<Arc<F>> {
        self.uses += 1;
        let entry = self
            .open
            .get_mut(&key)
            .filter(|entry| entry.access >= access)?;
        entry.used = self.uses;
        Some(Arc::clone(&entry.file))
    }

    fn keep(&mut self, key: (u32, usize), access: Access, file: &Arc<F>, limit: usize) {
        self.open.insert(
            key,
            Entry {
                file: Arc::clone(file),
                access,
                used: self.uses,
            },
        );
        while self.open.len() > limit {
            let oldest = self
                .open
                .iter()
                .min_by_key(|(_, entry)| entry.used)
                .map(|(key, _)| *key);
            let Some(oldest) = oldest else { return };
            self.open.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(handles: &Handles<usize>, index: usize, access: Access) -> bool {
        let mut news = false;
        handles
            .get(1, index, access, || {
                news = true;
                Ok::<_, ()>(index)
            })
            .unwrap();
        news
    }

    #[test]
    fn the_one_unused_for_longest_is_closed() {
        let handles = Handles::new(2);
        assert!(opened(&handles, 1, Access::Read));
        assert!(opened(&handles, 2, Access::Read));
        assert!(!opened(&handles, 1, Access::Read));
        assert!(opened(&handles, 3, Access::Read));
        assert!(!opened(&handles, 1, Access::Read));
        assert!(opened(&handles, 2, Access::Read));
    }

    #[test]
    fn a_file_open_for_reading_is_opened_anew_for_writing() {
        let handles = Handles::new(2);
        assert!(opened(&handles, 1, Access::Read));
        assert!(opened(&handles, 1, Access::Write));
        assert!(!opened(&handles, 1, Access::Read));
        handles.forget(1);
        assert!(opened(&handles, 1, Access::Read));
    }
}
