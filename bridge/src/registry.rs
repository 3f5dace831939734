//! Which tab is in which swarm: for peers that dial in, and for tabs that meet inside the bridge.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aqueduct_core::types::{InfoHashV1, PeerId, tab_addr};
use aqueduct_core::wire::Handshake;
use tokio::sync::{mpsc, oneshot};

use crate::dial::Connected;

/// Tabs that one tab is told of at a time: those that came last before it. Everybody is told of some, so that all hang together.
const NEIGHBOURS: usize = 50;

/// A peer that came by itself, handshake done.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) join: u32,
    pub(crate) addr: SocketAddr,
    pub(crate) connected: Connected,
    /// Another tab of this bridge, which waits for a word; dropped unsent, it means no.
    pub(crate) answer: Option<oneshot::Sender<()>>,
}

/// All seats of a bridge.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    seats: Mutex<Seats>,
}

#[derive(Debug, Default)]
struct Seats {
    /// Ascending by number within a swarm but for the turn that peers dialling in take.
    by_hash: BTreeMap<InfoHashV1, Vec<Seat>>,
    next: u64,
}

/// Where to find one tab for one swarm.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    number: u64,
    pub(crate) join: u32,
    pub(crate) peer_id: PeerId,
    pub(crate) arrivals: mpsc::Sender<Arrival>,
    /// Whether other tabs may meet it.
    meets: bool,
}

/// A tab's place in a swarm; ends when dropped.
#[derive(Debug)]
pub(crate) struct Seated {
    registry: Arc<Registry>,
    info_hash: InfoHashV1,
    peer_id: PeerId,
    number: u64,
}

impl Registry {
    /// Gives a tab a seat, at which others may meet it or, so far, not.
    pub(crate) fn sit(self: &Arc<Self>, info_hash: InfoHashV1, peer_id: PeerId, join: u32, arrivals: mpsc::Sender<Arrival>, meets: bool) -> Seated {
        let mut seats = self.lock();
        let number = seats.next;
        seats.next += 1;
        seats.by_hash.entry(info_hash).or_default().push(Seat { number, join, peer_id, arrivals, meets });
        Seated { registry: Arc::clone(self), info_hash, peer_id, number }
    }

    /// The tabs of a swarm in turn, but never the one that dials itself.
    pub(crate) fn find(&self, theirs: &Handshake) -> Option<Seat> {
        let mut seats = self.lock();
        let swarm = seats.by_hash.get_mut(&theirs.info_hash)?;
        swarm.rotate_left(1);
        swarm.iter().find(|seat| seat.peer_id != theirs.peer_id && seat.arrivals.capacity() > 0).cloned()
    }

    /// Who sits at this address and may be met there.
    pub(crate) fn at(&self, info_hash: InfoHashV1, addr: SocketAddr) -> Option<Seat> {
        let seats = self.lock();
        seats.by_hash.get(&info_hash)?.iter().find(|seat| seat.meets && seat.addr() == addr).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    const fn addr(&self) -> SocketAddr {
        tab_addr(self.number)
    }
}

impl Seated {
    /// What other tabs see as this one's address.
    pub(crate) const fn addr(&self) -> SocketAddr {
        tab_addr(self.number)
    }

    /// The registry it is in.
    pub(crate) const fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Whether other tabs may meet it from now on.
    pub(crate) fn set_meets(&self, meets: bool) {
        let mut seats = self.registry.lock();
        let swarm = seats.by_hash.get_mut(&self.info_hash);
        swarm.into_iter().flatten().filter(|seat| seat.number == self.number).for_each(|seat| seat.meets = meets);
    }

    /// Addresses of tabs that this one may meet: of two the one that came later goes to the other, or they would meet twice. Never the tab
    /// itself, be it in an earlier session.
    pub(crate) fn neighbours(&self) -> Vec<SocketAddr> {
        let seats = self.registry.lock();
        let swarm = seats.by_hash.get(&self.info_hash).into_iter().flatten();
        let mut before: Vec<u64> = swarm.filter(|s| s.meets && s.number < self.number && s.peer_id != self.peer_id).map(|s| s.number).collect();
        before.sort_unstable_by(|a, b| b.cmp(a));
        before.into_iter().take(NEIGHBOURS).map(tab_addr).collect()
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        let mut seats = self.registry.lock();
        if let Some(swarm) = seats.by_hash.get_mut(&self.info_hash) {
            swarm.retain(|seat| seat.number != self.number);
            if swarm.is_empty() {
                seats.by_hash.remove(&self.info_hash);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: InfoHashV1 = InfoHashV1([1; 20]);

    fn sit(registry: &Arc<Registry>, id: u8, meets: bool) -> Seated {
        registry.sit(HASH, PeerId([id; 20]), 1, mpsc::channel(1).0, meets)
    }

    #[test]
    fn the_later_of_two_tabs_goes_to_the_other_and_nobody_to_itself() {
        let registry = Arc::<Registry>::default();
        let (first, private, again, second) = (sit(&registry, 1, true), sit(&registry, 2, false), sit(&registry, 1, true), sit(&registry, 3, true));
        assert_eq!(first.neighbours(), []);
        assert_eq!(again.neighbours(), [], "the tab itself, in an earlier session");
        assert_eq!(second.neighbours(), [again.addr(), first.addr()]);
        private.set_meets(true);
        assert_eq!(second.neighbours(), [again.addr(), private.addr(), first.addr()]);
        assert!(registry.at(HASH, private.addr()).is_some() && registry.at(InfoHashV1([2; 20]), private.addr()).is_none());
        private.set_meets(false);
        assert!(registry.at(HASH, private.addr()).is_none());
        let gone = first.addr();
        drop(first);
        assert!(registry.at(HASH, gone).is_none());
    }
}
