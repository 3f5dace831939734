//! Our node in the DHT of one address family (BEP 32): its id, its routing table, other nodes'
//! reports of our address, and the schedule of maintenance.

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

/// The interval of table maintenance.
const INTERVAL: Duration = Duration::from_secs(60);

/// The delay between two refreshes, to avoid bursts.
const NEXT: Duration = Duration::from_secs(5);

/// The delay after a first attempt that found too few nodes, doubled each time.
const RETRY: Duration = Duration::from_secs(5);
const MAX_RETRY: Duration = Duration::from_secs(5 * 60);

/// Our node in one family.
#[derive(Debug)]
pub(super) struct LocalNode {
    pub(super) id: NodeId,
    pub(super) table: Table,
    pub(super) votes: Votes,
    /// The lookup that maintains the table.
    pub(super) upkeep: Option<LookupId>,
    /// When the table is maintained next.
    due: Instant,
    /// The number of consecutive attempts that found too few nodes.
    failures: u32,
}

/// What a table needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing, or maintenance is in progress.
    Nothing,
    /// More nodes. `bootstrap`: the known nodes are too few to find any.
    Nodes { bootstrap: bool },
    /// An answer from a node near this id.
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

    /// Whether so few nodes answer that bootstrap nodes are needed.
    pub(super) fn is_thin(&self) -> bool {
        self.table.good() < SIZE
    }

    /// Whether the table is empty.
    pub(super) fn is_empty(&self) -> bool {
        self.table.contacts().next().is_none()
    }

    /// Records that a host sees us at `ip`, which may require another id (BEP 42).
    pub(super) fn note_vote(&mut self, now: Instant, by: IpAddr, ip: IpAddr, rng: &mut ChaCha8Rng) {
        self.votes.add(by, ip);
        let winner = self.votes.winner();
        if let Some(ip) = winner.filter(|ip| !is_secure(&self.id, *ip)) {
            self.id = secure_id(ip, NodeId::random(rng));
            self.table = self.table.rebuilt(self.id, now);
            self.due = now;
        }
    }

    /// Checks the table now, with bootstrap nodes if it is thin: nodes that it contains did not
    /// answer during an outage.
    pub(super) const fn handle_network_return(&mut self, now: Instant) {
        (self.due, self.failures) = (now, 1);
    }

    /// Checks the table. Returns what it needs, and schedules the next check.
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

    /// Ends the lookup that maintained the table.
    pub(super) fn finish_upkeep(&mut self) {
        self.upkeep = None;
        if !self.is_thin() {
            self.failures = 0;
        }
    }
}

/// Our nodes in both families, as far as there are sockets.
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

    /// Whether there is a node of this family with few contacts in its table.
    pub(super) fn is_thin(&self, family: Family) -> bool {
        self.get(family).is_some_and(LocalNode::is_thin)
    }

    /// Whether a table has room for this contact.
    pub(super) fn has_room_for(&self, contact: &Contact) -> bool {
        self.get(Family::of(&contact.addr))
            .is_some_and(|node| node.table.has_room_for(contact))
    }

    /// The families to request in queries: both while one of our nodes knows few contacts (BEP 32),
    /// otherwise the query's own.
    pub(super) fn wanted_families(&self) -> Option<Want> {
        let thin = self.iter().any(|(_, node)| node.is_thin());
        let both = self.v4.is_some() && self.v6.is_some();
        (thin && both).then_some(Want { v4: true, v6: true })
    }

    /// Whether any node sees us at this address.
    pub(super) fn is_ours(&self, addr: SocketAddr) -> bool {
        self.iter().any(|(_, node)| node.votes.contains(addr.ip()))
    }

    /// The number of good contacts in all tables.
    pub(super) fn count(&self) -> usize {
        self.iter().map(|(_, node)| node.table.good()).sum()
    }

    /// When a table must be maintained.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.iter().map(|(_, node)| node.due).min()
    }

    /// Maintains a table that is due.
    pub(super) fn look_after(
        &mut self,
        now: Instant,
        rng: &mut ChaCha8Rng,
    ) -> Option<(Family, Need)> {
        let due = |family: &Family| self.get(*family).is_some_and(|node| node.due <= now);
        let family = Family::ALL.into_iter().find(due)?;
        Some((family, self.get_mut(family)?.look_after(now, rng)))
    }

    /// The state to save.
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
