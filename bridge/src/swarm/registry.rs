//! The tabs in each swarm: for dialling peers, and for tabs that connect to each other inside the
//! bridge.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aqueduct_core::connection::obfuscated;
use aqueduct_core::types::{InfoHashV1, PeerAddr, PeerId, TabId};
use aqueduct_core::wire::Handshake;
use tokio::sync::{mpsc, oneshot};

use crate::swarm::connected::Connected;
use crate::sync::lock;

/// The maximum number of tabs that are reported to a tab: those that joined last before it. All
/// tabs are then connected, if indirectly.
const MAX_NEIGHBOURS: usize = 50;

/// A peer that connected to a tab; the handshake is complete.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) join: u32,
    pub(crate) addr: PeerAddr,
    pub(crate) connected: Connected,
    /// For another tab of this bridge, which waits to be accepted. Dropping it declines the
    /// connection.
    pub(crate) answer: Option<oneshot::Sender<()>>,
}

/// All joined swarms of all tabs of a bridge.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    members: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    by_hash: BTreeMap<InfoHashV1, SwarmMembers>,
    /// The info-hash of each swarm by its obfuscated form.
    obfuscated: BTreeMap<[u8; 20], InfoHashV1>,
    next: u64,
}

/// The tabs of one swarm by number, which only grows.
#[derive(Debug, Default)]
struct SwarmMembers {
    tabs: BTreeMap<u64, Member>,
    /// The tab to which the last dialling peer was sent.
    last_chosen: u64,
}

/// A tab in a swarm, and how to reach its session.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) join: u32,
    pub(crate) peer_id: PeerId,
    pub(crate) arrivals: mpsc::Sender<Arrival>,
    /// Whether other tabs may connect to it.
    accepts_tabs: bool,
}

/// A tab's entry in the registry; removed when dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    registry: Arc<Registry>,
    info_hash: InfoHashV1,
    /// The second info-hash by which dialling peers may request the torrent.
    other_hash: Option<InfoHashV1>,
    peer_id: PeerId,
    number: u64,
}

impl Registry {
    /// Adds a tab to a swarm. Peers that dial in find it by either of its torrent's info-hashes,
    /// other tabs by the first.
    pub(crate) fn register(
        self: &Arc<Self>,
        (info_hash, other_hash): (InfoHashV1, Option<InfoHashV1>),
        peer_id: PeerId,
        join: u32,
        arrivals: mpsc::Sender<Arrival>,
        accepts_tabs: bool,
    ) -> Registration {
        let mut members = lock(&self.members);
        let number = members.next;
        members.next += 1;
        let member = Member {
            join,
            peer_id,
            arrivals,
            accepts_tabs,
        };
        let registration = Registration {
            registry: Arc::clone(self),
            info_hash,
            other_hash: other_hash.filter(|other| *other != info_hash),
            peer_id,
            number,
        };
        for hash in registration.hashes() {
            members.add(hash, number, member.clone());
        }
        registration
    }

    /// The info-hash of a swarm that a peer names by its
    /// [`obfuscated`](aqueduct_core::connection::obfuscated) form, if a tab has joined it.
    pub(crate) fn reveal(&self, swarm: &[u8; 20]) -> Option<InfoHashV1> {
        lock(&self.members).obfuscated.get(swarm).copied()
    }

    /// The tab for a peer that dialled in: the tabs of a swarm take turns. A tab that dialled itself
    /// is skipped.
    pub(crate) fn choose(&self, theirs: &Handshake) -> Option<Member> {
        let mut members = lock(&self.members);
        let SwarmMembers { tabs, last_chosen } = members.by_hash.get_mut(&theirs.info_hash)?;
        let round = tabs
            .range(*last_chosen + 1..)
            .chain(tabs.range(..=*last_chosen));
        let (number, tab) = round
            .into_iter()
            .find(|(_, tab)| tab.peer_id != theirs.peer_id && tab.arrivals.capacity() > 0)?;
        *last_chosen = *number;
        Some(tab.clone())
    }

    /// The tab of this number, if other tabs may connect to it.
    pub(crate) fn find_tab(&self, info_hash: InfoHashV1, tab: TabId) -> Option<Member> {
        lock(&self.members)
            .by_hash
            .get(&info_hash)?
            .tabs
            .get(&tab.0)
            .filter(|tab| tab.accepts_tabs)
            .cloned()
    }
}

impl Members {
    fn add(&mut self, hash: InfoHashV1, number: u64, tab: Member) {
        let swarm = self.by_hash.entry(hash).or_default();
        if swarm.tabs.is_empty() {
            self.obfuscated.insert(obfuscated(hash), hash);
        }
        swarm.tabs.insert(number, tab);
    }

    fn remove(&mut self, hash: InfoHashV1, number: u64) {
        let Some(swarm) = self.by_hash.get_mut(&hash) else {
            return;
        };
        swarm.tabs.remove(&number);
        if swarm.tabs.is_empty() {
            self.by_hash.remove(&hash);
            self.obfuscated.remove(&obfuscated(hash));
        }
    }
}

impl Registration {
    fn hashes(&self) -> impl Iterator<Item = InfoHashV1> + use<> {
        std::iter::once(self.info_hash).chain(self.other_hash)
    }

    /// Its identification for other tabs.
    pub(crate) const fn tab(&self) -> TabId {
        TabId(self.number)
    }

    /// The registry it is in.
    pub(crate) const fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Sets whether other tabs may connect to it.
    pub(crate) fn set_accepts_tabs(&self, accepts_tabs: bool) {
        let mut members = lock(&self.registry.members);
        if let Some(tab) = members
            .by_hash
            .get_mut(&self.info_hash)
            .and_then(|swarm| swarm.tabs.get_mut(&self.number))
        {
            tab.accepts_tabs = accepts_tabs;
        }
    }

    /// The tabs to which this one may connect. Of two tabs, the one that joined later connects,
    /// since both would do so otherwise. Never the tab itself, even in an earlier session.
    pub(crate) fn neighbours(&self) -> Vec<TabId> {
        let members = lock(&self.registry.members);
        let swarm = members.by_hash.get(&self.info_hash);
        let before = swarm
            .into_iter()
            .flat_map(|swarm| swarm.tabs.range(..self.number).rev());
        let others = before.filter(|(_, tab)| tab.accepts_tabs && tab.peer_id != self.peer_id);
        others
            .take(MAX_NEIGHBOURS)
            .map(|(number, _)| TabId(*number))
            .collect()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut members = lock(&self.registry.members);
        for hash in self.hashes() {
            members.remove(hash, self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use aqueduct_core::wire::Reserved;

    use super::*;

    const HASH: InfoHashV1 = InfoHashV1([1; 20]);
    /// The v2 hash of the same torrent, cut to 20 bytes.
    const OTHER: InfoHashV1 = InfoHashV1([7; 20]);

    fn register(registry: &Arc<Registry>, id: u8, accepts_tabs: bool) -> Registration {
        let arrivals = mpsc::channel(1).0;
        registry.register((HASH, None), PeerId([id; 20]), 1, arrivals, accepts_tabs)
    }

    #[test]
    fn peers_that_dial_in_are_sent_to_the_tabs_in_turn_by_either_info_hash() {
        let registry = Arc::<Registry>::default();
        let (arrivals, _session) = mpsc::channel(1);
        let mut tabs: Vec<Registration> = (1..=3)
            .map(|id| {
                let names = (HASH, Some(OTHER));
                registry.register(names, PeerId([id; 20]), id.into(), arrivals.clone(), true)
            })
            .collect();
        let sent_to = |info_hash, id| {
            let tab = registry.choose(&Handshake {
                reserved: Reserved::OURS,
                info_hash,
                peer_id: PeerId([id; 20]),
            });
            tab.map(|tab| tab.join)
        };
        let in_turn = [9, 9, 9, 9].map(|id| sent_to(HASH, id));
        assert_eq!(in_turn, [2, 3, 1, 2].map(Some));
        assert_eq!(sent_to(HASH, 3), Some(1), "never to itself");
        assert_eq!([9, 9].map(|id| sent_to(OTHER, id)), [2, 3].map(Some));
        let revealed = || [HASH, OTHER].map(|hash| registry.reveal(&obfuscated(hash)));
        assert_eq!(revealed(), [HASH, OTHER].map(Some));
        assert_eq!(registry.reveal(&HASH.0), None);
        tabs.truncate(1);
        assert_eq!(revealed(), [HASH, OTHER].map(Some));
        drop(tabs);
        assert_eq!([HASH, OTHER].map(|hash| sent_to(hash, 9)), [None, None]);
        assert_eq!(revealed(), [None, None]);
    }

    #[test]
    fn the_later_of_two_tabs_connects_to_the_other_and_none_to_itself() {
        let registry = Arc::<Registry>::default();
        let (first, private, again, second) = (
            register(&registry, 1, true),
            register(&registry, 2, false),
            register(&registry, 1, true),
            register(&registry, 3, true),
        );
        assert_eq!(first.neighbours(), []);
        assert_eq!(
            again.neighbours(),
            [],
            "the tab itself, in an earlier session"
        );
        assert_eq!(second.neighbours(), [again.tab(), first.tab()]);
        private.set_accepts_tabs(true);
        assert_eq!(
            second.neighbours(),
            [again.tab(), private.tab(), first.tab()]
        );
        assert!(
            registry.find_tab(HASH, private.tab()).is_some()
                && registry
                    .find_tab(InfoHashV1([2; 20]), private.tab())
                    .is_none()
        );
        private.set_accepts_tabs(false);
        assert!(registry.find_tab(HASH, private.tab()).is_none());
        let gone = first.tab();
        drop(first);
        assert!(registry.find_tab(HASH, gone).is_none());
    }
}
