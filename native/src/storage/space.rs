//! The room on a disk that the torrents of one program have reserved and not used yet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Room that was reserved and is not used yet. One for all torrents that are written to the same
/// disk.
#[derive(Debug, Default)]
pub struct DiskSpace(Mutex<Reservations>);

#[derive(Debug, Default)]
struct Reservations {
    last: u64,
    /// Bytes by reservation.
    reserved: BTreeMap<u64, u64>,
}

/// One torrent's part of the room; released when dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    space: Arc<DiskSpace>,
    id: u64,
}

/// The room is too small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoSpace {
    /// Bytes reserved by other torrents.
    pub(super) reserved: u64,
}

impl Reservation {
    /// A part of `space`, of nothing at first.
    pub(super) fn of(space: Arc<DiskSpace>) -> Self {
        let mut all = space.lock();
        all.last += 1;
        let id = all.last;
        drop(all);
        Self { space, id }
    }

    /// Reserves `needed` bytes, if `free` ones are enough for these and for what others reserved. A
    /// torrent that needs nothing is never refused.
    ///
    /// # Errors
    /// They are not enough.
    pub(super) fn reserve(&self, needed: u64, free: u64) -> Result<(), NoSpace> {
        let mut all = self.space.lock();
        let others = all.reserved.iter().filter(|(id, _)| **id != self.id);
        let reserved = others.fold(0, |sum: u64, (_, bytes)| sum.saturating_add(*bytes));
        if needed > free.saturating_sub(reserved) {
            return Err(NoSpace { reserved });
        }
        all.reserved.insert(self.id, needed);
        Ok(())
    }

    /// Bytes were written: they are neither free nor still to come.
    pub(super) fn spend(&self, bytes: u64) {
        if let Some(reserved) = self.space.lock().reserved.get_mut(&self.id) {
            *reserved = reserved.saturating_sub(bytes);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.space.lock().reserved.remove(&self.id);
    }
}

impl DiskSpace {
    fn lock(&self) -> MutexGuard<'_, Reservations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_reserved_and_is_not_used_yet_counts_against_others() {
        let space = Arc::new(DiskSpace::default());
        let [first, second, third] = [(); 3].map(|()| Reservation::of(Arc::clone(&space)));
        first.reserve(60, 100).unwrap();
        assert_eq!(second.reserve(60, 100), Err(NoSpace { reserved: 60 }));
        first.reserve(70, 100).unwrap();
        first.spend(50);
        second.reserve(30, 50).unwrap();
        drop(first);
        third.reserve(20, 50).unwrap();
    }

    #[test]
    fn a_torrent_that_needs_nothing_is_never_refused() {
        let space = Arc::new(DiskSpace::default());
        let [first, second] = [(); 2].map(|()| Reservation::of(Arc::clone(&space)));
        first.reserve(60, 60).unwrap();
        second.reserve(0, 10).unwrap();
    }
}
