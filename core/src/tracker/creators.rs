//! Counts how many of the current swarms each address has created. The table has a fixed size, so a
//! flood of addresses cannot make it grow.

/// Addresses that share a place are counted as one; since the hash is keyed, they cannot choose with which.
const PLACES: usize = 1 << 16;

/// An address, or an IPv6 site, as it is counted. `None` is the tracker's own host.
pub(super) type Creator = Option<u16>;

#[derive(Debug)]
pub(super) struct Creators(Vec<u32>);

impl Default for Creators {
    fn default() -> Self {
        Self(vec![0; PLACES])
    }
}

impl Creators {
    /// The creator with the address of this hash.
    pub(super) fn of(hash: u64) -> Creator {
        u16::try_from(hash % PLACES as u64).ok()
    }

    /// The number of current swarms of a creator. 0 for the tracker's own host, whose swarms are
    /// never replaced.
    pub(super) fn count(&self, creator: Creator) -> u32 {
        creator.map_or(0, |place| self.0[usize::from(place)])
    }

    pub(super) fn add(&mut self, creator: Creator) {
        self.change(creator, |count| count.saturating_add(1));
    }

    pub(super) fn remove(&mut self, creator: Creator) {
        self.change(creator, |count| count.saturating_sub(1));
    }

    fn change(&mut self, creator: Creator, change: impl FnOnce(u32) -> u32) {
        if let Some(place) = creator {
            let count = &mut self.0[usize::from(place)];
            *count = change(*count);
        }
    }
}
