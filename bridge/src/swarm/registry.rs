//! Which tab is in which swarm: for peers that dial in, and for tabs that meet inside the bridge.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aqueduct_core::types::{InfoHashV1, PeerAddr, PeerId, TabId};
use aqueduct_core::wire::Handshake;
use tokio::sync::{mpsc, oneshot};

use crate::swarm::dial::Connected;

/// Tabs that one tab is told of at a time: those that came last before it. Everybody is told of
/// some, so that all hang together.
const NEIGHBOURS: usize = 50;

/// A peer that came by itself, handshake done.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) join: u32,
    pub(crate) addr: PeerAddr,
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
    by_hash: BTreeMap<InfoHashV1, Table>,
    next: u64,
}

/// The seats of one swarm by number, which only grows.
#[derive(Debug, Default)]
struct Table {
    seats: BTreeMap<u64, Seat>,
    /// The seat to which a peer that dialled in was sent last.
    turn: u64,
}

/// Where to find one tab for one swarm.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
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
    pub(crate) fn sit(
        self: &Arc<Self>,
        info_hash: InfoHashV1,
        peer_id: PeerId,
        join: u32,
        arrivals: mpsc::Sender<Arrival>,
        meets: bool,
    ) -> Seated {
        let mut seats = self.lock();
        let number = seats.next;
        seats.next += 1;
        seats.by_hash.entry(info_hash).or_default().seats.insert(
            number,
            Seat {
                join,
                peer_id,
                arrivals,
                meets,
            },
        );
        Seated {
            registry: Arc::clone(self),
            info_hash,
            peer_id,
            number,
        }
    }

    /// The tabs of a swarm in turn, but never the one that dials itself.
    pub(crate) fn find(&self, theirs: &Handshake) -> Option<Seat> {
        let mut seats = self.lock();
        let Table { seats, turn } = seats.by_hash.get_mut(&theirs.info_hash)?;
        let round = seats.range(*turn + 1..).chain(seats.range(..=*turn));
        let (number, seat) = round
            .into_iter()
            .find(|(_, seat)| seat.peer_id != theirs.peer_id && seat.arrivals.capacity() > 0)?;
        *turn = *number;
        Some(seat.clone())
    }

    /// Who has this seat and may be met there.
    pub(crate) fn at(&self, info_hash: InfoHashV1, tab: TabId) -> Option<Seat> {
        self.lock()
            .by_hash
            .get(&info_hash)?
            .seats
            .get(&tab.0)
            .filter(|seat| seat.meets)
            .cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seated {
    /// What other tabs see as this one's address.
    pub(crate) const fn tab(&self) -> TabId {
        TabId(self.number)
    }

    /// The registry it is in.
    pub(crate) const fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Whether other tabs may meet it from now on.
    pub(crate) fn set_meets(&self, meets: bool) {
        let mut seats = self.registry.lock();
        if let Some(seat) = seats
            .by_hash
            .get_mut(&self.info_hash)
            .and_then(|table| table.seats.get_mut(&self.number))
        {
            seat.meets = meets;
        }
    }

    /// The tabs that this one may meet: of two the one that came later goes to the other,
    /// or they would meet twice. Never the tab itself, be it in an earlier session.
    pub(crate) fn neighbours(&self) -> Vec<TabId> {
        let seats = self.registry.lock();
        let table = seats.by_hash.get(&self.info_hash);
        let before = table
            .into_iter()
            .flat_map(|table| table.seats.range(..self.number).rev());
        let others = before.filter(|(_, seat)| seat.meets && seat.peer_id != self.peer_id);
        others
            .take(NEIGHBOURS)
            .map(|(number, _)| TabId(*number))
            .collect()
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        let mut seats = self.registry.lock();
        if let Some(table) = seats.by_hash.get_mut(&self.info_hash) {
            table.seats.remove(&self.number);
            if table.seats.is_empty() {
                seats.by_hash.remove(&self.info_hash);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use aqueduct_core::wire::Reserved;

    use super::*;

    const HASH: InfoHashV1 = InfoHashV1([1; 20]);

    fn sit(registry: &Arc<Registry>, id: u8, meets: bool) -> Seated {
        registry.sit(HASH, PeerId([id; 20]), 1, mpsc::channel(1).0, meets)
    }

    #[test]
    fn peers_that_dial_in_are_sent_to_the_tabs_in_turn() {
        let registry = Arc::<Registry>::default();
        let (arrivals, _session) = mpsc::channel(1);
        let _tabs: Vec<Seated> = (1..=3)
            .map(|id| registry.sit(HASH, PeerId([id; 20]), id.into(), arrivals.clone(), true))
            .collect();
        let mut sent_to = |id| {
            registry
                .find(&Handshake {
                    reserved: Reserved::OURS,
                    info_hash: HASH,
                    peer_id: PeerId([id; 20]),
                })
                .unwrap()
                .join
        };
        assert_eq!([9, 9, 9, 9].map(&mut sent_to), [2, 3, 1, 2]);
        assert_eq!(sent_to(3), 1, "never to itself");
    }

    #[test]
    fn the_later_of_two_tabs_goes_to_the_other_and_nobody_to_itself() {
        let registry = Arc::<Registry>::default();
        let (first, private, again, second) = (
            sit(&registry, 1, true),
            sit(&registry, 2, false),
            sit(&registry, 1, true),
            sit(&registry, 3, true),
        );
        assert_eq!(first.neighbours(), []);
        assert_eq!(
            again.neighbours(),
            [],
            "the tab itself, in an earlier session"
        );
        assert_eq!(second.neighbours(), [again.tab(), first.tab()]);
        private.set_meets(true);
        assert_eq!(
            second.neighbours(),
            [again.tab(), private.tab(), first.tab()]
        );
        assert!(
            registry.at(HASH, private.tab()).is_some()
                && registry.at(InfoHashV1([2; 20]), private.tab()).is_none()
        );
        private.set_meets(false);
        assert!(registry.at(HASH, private.tab()).is_none());
        let gone = first.tab();
        drop(first);
        assert!(registry.at(HASH, gone).is_none());
    }
}
