//! Our place in the DHT of one address family (BEP 32): an id, a routing table, and what others say
//! of our address.

use rand_chacha::ChaCha8Rng;

use super::id::NodeId;
use super::io::Family;
use super::queries::LookupId;
use super::secure::{is_secure, secure_id};
use super::state::{Saved, State};
use super::table::{SIZE, Table};
use super::votes::Votes;
use crate::types::Instant;

/// One family's.
#[derive(Debug)]
pub(super) struct Home {
    pub(super) id: NodeId,
    pub(super) table: Table,
    pub(super) votes: Votes,
    /// The lookup that looks after the table.
    pub(super) upkeep: Option<LookupId>,
    /// Attempts to find nodes that left us with too few.
    pub(super) failures: u32,
}

impl Home {
    fn new(saved: Saved, now: Instant, rng: &mut ChaCha8Rng) -> Self {
        let id = saved.id.unwrap_or_else(|| NodeId::random(rng));
        let mut table = Table::new(id, now);
        saved
            .nodes
            .into_iter()
            .for_each(|contact| table.restore(now, contact));
        Self {
            id,
            table,
            votes: Votes::default(),
            upkeep: None,
            failures: 0,
        }
    }

    /// Whether so few nodes answer that bootstrap nodes are of use.
    pub(super) fn is_thin(&self) -> bool {
        self.table.good() < SIZE
    }

    /// Takes an id that our address may have (BEP 42), once others agree on the address. Says
    /// whether the id changed.
    pub(super) fn follow_votes(&mut self, now: Instant, rng: &mut ChaCha8Rng) -> bool {
        let Some(ip) = self.votes.winner().filter(|ip| !is_secure(&self.id, *ip)) else {
            return false;
        };
        self.id = secure_id(ip, NodeId::random(rng));
        self.table = self.table.rebuilt(self.id, now);
        true
    }
}

/// Both families', as far as there are sockets.
#[derive(Debug)]
pub(super) struct Homes {
    v4: Option<Home>,
    v6: Option<Home>,
}

impl Homes {
    pub(super) fn new(
        mut state: State,
        has: impl Fn(Family) -> bool,
        now: Instant,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let mut home = |family| has(family).then(|| Home::new(state.take(family), now, rng));
        Self {
            v4: home(Family::V4),
            v6: home(Family::V6),
        }
    }

    pub(super) const fn get(&self, family: Family) -> Option<&Home> {
        match family {
            Family::V4 => self.v4.as_ref(),
            Family::V6 => self.v6.as_ref(),
        }
    }

    pub(super) const fn get_mut(&mut self, family: Family) -> Option<&mut Home> {
        match family {
            Family::V4 => self.v4.as_mut(),
            Family::V6 => self.v6.as_mut(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Family, &Home)> {
        Family::ALL
            .into_iter()
            .filter_map(|family| Some((family, self.get(family)?)))
    }

    /// Nodes in all tables that answer.
    pub(super) fn nodes(&self) -> usize {
        self.iter().map(|(_, home)| home.table.good()).sum()
    }

    /// What is to outlive us.
    pub(super) fn state(&self) -> State {
        let nodes = self.iter().flat_map(|(_, home)| home.table.contacts());
        State::new(self.iter().map(|(family, home)| (family, home.id)), nodes)
    }
}
