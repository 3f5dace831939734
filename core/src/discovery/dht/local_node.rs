//! Our node in the DHT of one address family (BEP 32): an id, a routing table, what others say of
//! our address, and when the table is looked after.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use super::id::{Contact, NodeId};
use super::io::Family;
use super::krpc::Want;
use super::queries::LookupId;
use super::secure::{is_secure, secure_id};
use super::state::{Saved, State};
use super::table::{SIZE, Table};
use super::votes::Votes;
use super::waits::{doubled, spread};
use crate::types::Instant;

/// How often a table is looked at.
const INTERVAL: Duration = Duration::from_secs(60);

/// Between two refreshes: one after another, so that they are no burst.
const NEXT: Duration = Duration::from_secs(5);

/// Wait after a first attempt that left us with few nodes, doubled each time.
const RETRY: Duration = Duration::from_secs(5);
const MAX_RETRY: Duration = Duration::from_secs(5 * 60);

/// One family's.
#[derive(Debug)]
pub(super) struct LocalNode {
    pub(super) id: NodeId,
    pub(super) table: Table,
    pub(super) votes: Votes,
    /// The lookup that looks after the table.
    pub(super) upkeep: Option<LookupId>,
    /// When the table is looked after next.
    due: Instant,
    /// Attempts to find nodes that left us with too few.
    failures: u32,
}

/// What a table needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing, or it is being looked after.
    Nothing,
    /// Nodes. `bootstrap`: those that we know are not enough to find any.
    Nodes { bootstrap: bool },
    /// An answer from a node near this place.
    Refresh(NodeId),
}

impl LocalNode {
    fn new(saved: Saved, now: Instant, rng: &mut ChaCha8Rng) -> Self {
        let id = saved.id.unwrap_or_else(|| NodeId::random(rng));
        let mut table = Table::new(id, now);
        for contact in saved.nodes {
            table.restore(now, contact);
        }
        Self {
            id,
            table,
            votes: Votes::default(),
            upkeep: None,
            due: now,
            failures: 0,
        }
    }

    /// Whether so few nodes answer that bootstrap nodes are of use.
    pub(super) fn is_thin(&self) -> bool {
        self.table.good() < SIZE
    }

    /// Whether nobody is in the table.
    pub(super) fn is_empty(&self) -> bool {
        self.table.contacts().next().is_none()
    }

    /// Somebody sees us at `ip`: that may call for another id (BEP 42).
    pub(super) fn note_vote(&mut self, now: Instant, by: IpAddr, ip: IpAddr, rng: &mut ChaCha8Rng) {
        self.votes.add(by, ip);
        let winner = self.votes.winner();
        if let Some(ip) = winner.filter(|ip| !is_secure(&self.id, *ip)) {
            self.id = secure_id(ip, NodeId::random(rng));
            self.table = self.table.rebuilt(self.id, now);
            self.due = now;
        }
    }

    /// The table is looked at: what it needs, and when it is looked at again.
    fn look_after(&mut self, now: Instant, rng: &mut ChaCha8Rng) -> Need {
        let (need, wait) = if self.upkeep.is_some() {
            (Need::Nothing, NEXT)
        } else if self.is_thin() {
            self.failures = self.failures.saturating_add(1);
            let bootstrap = self.failures > 1 || self.is_empty();
            let wait = doubled(RETRY, self.failures, MAX_RETRY);
            (Need::Nodes { bootstrap }, wait)
        } else if let Some(bits) = self.table.stale(now) {
            (Need::Refresh(self.id.neighbour(bits, rng)), NEXT)
        } else {
            (Need::Nothing, INTERVAL)
        };
        self.due = now + spread(wait, rng);
        need
    }

    /// The lookup that looked after the table is over.
    pub(super) fn finish_upkeep(&mut self) {
        self.upkeep = None;
        if !self.is_thin() {
            self.failures = 0;
        }
    }
}

/// Both families', as far as there are sockets.
#[derive(Debug)]
pub(super) struct LocalNodes {
    v4: Option<LocalNode>,
    v6: Option<LocalNode>,
}

impl LocalNodes {
    pub(super) fn new(
        mut state: State,
        has: impl Fn(Family) -> bool,
        now: Instant,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let mut node = |family| has(family).then(|| LocalNode::new(state.take(family), now, rng));
        Self {
            v4: node(Family::V4),
            v6: node(Family::V6),
        }
    }

    pub(super) const fn get(&self, family: Family) -> Option<&LocalNode> {
        match family {
            Family::V4 => self.v4.as_ref(),
            Family::V6 => self.v6.as_ref(),
        }
    }

    pub(super) const fn get_mut(&mut self, family: Family) -> Option<&mut LocalNode> {
        match family {
            Family::V4 => self.v4.as_mut(),
            Family::V6 => self.v6.as_mut(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Family, &LocalNode)> {
        Family::ALL
            .into_iter()
            .filter_map(|family| Some((family, self.get(family)?)))
    }

    /// Whether there is one of this family, and few nodes in its table.
    pub(super) fn is_thin(&self, family: Family) -> bool {
        self.get(family).is_some_and(LocalNode::is_thin)
    }

    /// Whether a table could take this node in.
    pub(super) fn has_room_for(&self, contact: &Contact) -> bool {
        self.get(Family::of(&contact.addr))
            .is_some_and(|node| node.table.has_room_for(contact))
    }

    /// Nodes of both families as long as one of ours knows few (BEP 32); else each stays among
    /// itself.
    pub(super) fn wanted_families(&self) -> Option<Want> {
        let thin = self.iter().any(|(_, node)| node.is_thin());
        let both = self.v4.is_some() && self.v6.is_some();
        (thin && both).then_some(Want { v4: true, v6: true })
    }

    /// Whether anybody sees us at this address.
    pub(super) fn is_ours(&self, addr: SocketAddr) -> bool {
        self.iter().any(|(_, node)| node.votes.contains(addr.ip()))
    }

    /// Nodes in all tables that answer.
    pub(super) fn count(&self) -> usize {
        self.iter().map(|(_, node)| node.table.good()).sum()
    }

    /// When a table is to be looked after.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.iter().map(|(_, node)| node.due).min()
    }

    /// Looks at a table whose time has come.
    pub(super) fn look_after(
        &mut self,
        now: Instant,
        rng: &mut ChaCha8Rng,
    ) -> Option<(Family, Need)> {
        let due = |family: &Family| self.get(*family).is_some_and(|node| node.due <= now);
        let family = Family::ALL.into_iter().find(due)?;
        Some((family, self.get_mut(family)?.look_after(now, rng)))
    }

    /// What is to outlive us.
    pub(super) fn state(&self) -> State {
        let nodes = self.iter().flat_map(|(_, node)| node.table.contacts());
        State::new(self.iter().map(|(family, node)| (family, node.id)), nodes)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000)
    }

    #[test]
    fn an_empty_table_asks_for_bootstrap_nodes_ever_more_rarely_and_not_while_it_is_looked_after() {
        let mut rng = ChaCha8Rng::from_seed([1; 32]);
        let only_v4 = |family| family == Family::V4;
        let mut nodes = LocalNodes::new(State::default(), only_v4, at(0), &mut rng);
        let wanted = Need::Nodes { bootstrap: true };
        assert_eq!(
            nodes.look_after(at(0), &mut rng),
            Some((Family::V4, wanted))
        );
        assert_eq!(nodes.look_after(at(1), &mut rng), None);
        nodes.get_mut(Family::V4).unwrap().upkeep = Some(1);
        let next = nodes.poll_timeout().unwrap();
        assert!(next > at(4) && next < at(6));
        assert_eq!(
            nodes.look_after(next, &mut rng),
            Some((Family::V4, Need::Nothing))
        );
        nodes.get_mut(Family::V4).unwrap().finish_upkeep();
        let next = nodes.poll_timeout().unwrap();
        assert_eq!(nodes.look_after(next, &mut rng), Some((Family::V4, wanted)));
        assert!(nodes.poll_timeout().unwrap() > next + Duration::from_secs(8));
    }
}
