//! What the torrents of one program still need of a disk, added up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Room that was promised and is not used yet. One for all torrents that are written to the same
/// disk.
#[derive(Debug, Default)]
pub struct Room(Mutex<Shares>);

#[derive(Debug, Default)]
struct Shares {
    last: u64,
    promised: BTreeMap<u64, u64>,
}

/// One torrent's part of the room; given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    room: Arc<Room>,
    id: u64,
}

/// There is too little room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short {
    /// Bytes promised to other torrents.
    pub(super) promised: u64,
}

impl Share {
    /// A part of `room`, of nothing at first.
    pub(super) fn of(room: Arc<Room>) -> Self {
        let mut shares = room.lock();
        shares.last += 1;
        let id = shares.last;
        drop(shares);
        Self { room, id }
    }

    /// Sets `needed` bytes aside, if of `free` ones so many are left beside what others were
    /// promised.
    ///
    /// # Errors
    /// They are not.
    pub(super) fn promise(&self, needed: u64, free: u64) -> Result<(), Short> {
        let mut shares = self.room.lock();
        let others = shares.promised.iter().filter(|(id, _)| **id != self.id);
        let promised = others.fold(0, |sum: u64, (_, room)| sum.saturating_add(*room));
        if needed > free.saturating_sub(promised) {
            return Err(Short { promised });
        }
        shares.promised.insert(self.id, needed);
        Ok(())
    }

    /// Bytes were written: they are no longer free, and no longer to come.
    pub(super) fn spend(&self, bytes: u64) {
        if let Some(room) = self.room.lock().promised.get_mut(&self.id) {
            *room = room.saturating_sub(bytes);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.lock().promised.remove(&self.id);
    }
}

impl Room {
    fn lock(&self) -> MutexGuard<'_, Shares> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_promised_and_is_not_used_yet_counts_against_others() {
        let room = Arc::new(Room::default());
        let [first, second, third] = [(); 3].map(|()| Share::of(Arc::clone(&room)));
        first.promise(60, 100).unwrap();
        assert_eq!(second.promise(60, 100), Err(Short { promised: 60 }));
        first.promise(70, 100).unwrap();
        first.spend(50);
        second.promise(30, 50).unwrap();
        drop(first);
        third.promise(20, 50).unwrap();
    }

    #[test]
    fn a_torrent_that_needs_nothing_is_never_refused() {
        let room = Arc::new(Room::default());
        let [first, second] = [(); 2].map(|()| Share::of(Arc::clone(&room)));
        first.promise(60, 60).unwrap();
        second.promise(0, 10).unwrap();
    }
}
