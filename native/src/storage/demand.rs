//! Which files of a torrent are wanted, and whether there is room for them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::space::{DiskSpace, NoSpace, Reservation};

/// The wanted files, and the room that was reserved for them.
#[derive(Debug)]
pub(super) struct Demand {
    reservation: Reservation,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    wanted: Vec<bool>,
    /// Whether there was room for everything wanted.
    is_met: bool,
}

impl Demand {
    /// All files are wanted; no other torrent uses the disk.
    pub(super) fn all(files: usize) -> Self {
        Self {
            reservation: Reservation::of(Arc::default()),
            inner: Mutex::new(Inner {
                wanted: vec![true; files],
                is_met: false,
            }),
        }
    }

    /// Shares the room of the disk with other torrents.
    pub(super) fn share(&mut self, space: Arc<DiskSpace>) {
        self.reservation = Reservation::of(space);
    }

    pub(super) fn want(&self, wanted: Vec<bool>) {
        self.lock().wanted = wanted;
    }

    /// One flag per file.
    pub(super) fn wanted(&self) -> Vec<bool> {
        self.lock().wanted.clone()
    }

    pub(super) fn is_met(&self) -> bool {
        self.lock().is_met
    }

    /// Once: reserves the room that wanted files still need. `measure` gives the bytes that these
    /// files need, and the bytes that are free.
    ///
    /// # Errors
    /// `measure` failed, or the room is too small, which `refuse` turns into an error.
    pub(super) fn reserve_once<E>(
        &self,
        measure: impl FnOnce(&[bool]) -> Result<(u64, u64), E>,
        refuse: impl FnOnce(u64, u64, NoSpace) -> E,
    ) -> Result<(), E> {
        let mut inner = self.lock();
        if inner.is_met {
            return Ok(());
        }
        let (needed, free) = measure(&inner.wanted)?;
        self.reservation
            .reserve(needed, free)
            .map_err(|short| refuse(needed, free, short))?;
        inner.is_met = true;
        Ok(())
    }

    /// Bytes were written that room was reserved for.
    pub(super) fn spend(&self, bytes: u64) {
        self.reservation.spend(bytes);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_measured_until_there_is_enough_and_never_after() {
        let demand = Demand::all(2);
        let refuse = |needed, free, _| (needed, free);
        let reserve =
            |free| demand.reserve_once(|wanted| Ok((10 * wanted.len() as u64, free)), refuse);
        assert_eq!(reserve(19), Err((20, 19)));
        assert!(!demand.is_met());
        demand.want(vec![true]);
        assert_eq!(reserve(19), Ok(()));
        assert!(demand.is_met());
        assert_eq!(reserve(0), Ok(()));
    }
}
