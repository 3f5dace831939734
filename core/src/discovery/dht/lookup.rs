//! An iterative lookup of the nodes closest to a target (BEP 5): it queries the closest known nodes
//! until the closest ones have answered.
//!
//! The influence of malicious nodes is bounded. A dead address only costs a short delay, while
//! others are queried. Nodes whose ids do not fit their addresses (BEP 42) take no slots from
//! others: they get a few extra slots, at most half of the pending queries, and a limited total of
//! queries. One network gets one slot.

use std::net::SocketAddr;

use bytes::Bytes;

use super::addr::network;
use super::id::{Contact, Distance, NodeId};
use super::io::{Family, LookupEffort};
use super::secure::is_secure;
use super::table::SIZE;
use crate::types::InfoHashV1;

/// The maximum number of queries per lookup. Honest lookups need 20 to 40.
const MAX_QUERIES: u32 = 160;

/// The maximum number of these to nodes whose ids do not fit their addresses.
const MAX_LOOSE_QUERIES: u32 = 64;

/// The maximum number of candidates, with secure ids and with others.
const MAX_SECURE: usize = 64;
const MAX_LOOSE: usize = 32;

/// The number of slots, in addition to the closest [`SIZE`], for nodes whose ids do not fit their
/// addresses.
const LOOSE_PLACES: usize = SIZE / 2;

/// The purpose of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// Finding nodes for the routing table.
    Nodes,
    /// Finding peers of a swarm, and nodes to announce to.
    Peers(InfoHashV1),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not queried.
    Fresh,
    /// Queried.
    Asked,
    /// Queried and late: others are queried instead, but an answer still counts.
    Slow,
    Answered,
    Failed,
}

#[derive(Clone, Debug)]
struct Candidate {
    distance: Distance,
    /// `None` for a bootstrap node, whose id is unknown.
    id: Option<NodeId>,
    addr: SocketAddr,
    secure: bool,
    state: State,
    hop: u32,
    token: Option<Bytes>,
}

impl Candidate {
    /// Whether it may be one of the closest.
    const fn counts(&self) -> bool {
        matches!(self.state, State::Fresh | State::Asked | State::Answered)
    }
}

/// A lookup in one address family.
#[derive(Clone, Debug)]
pub(super) struct Lookup {
    pub(super) target: NodeId,
    pub(super) family: Family,
    pub(super) goal: Goal,
    pub(super) effort: LookupEffort,
    own: NodeId,
    /// The candidates, closest first.
    candidates: Vec<Candidate>,
    loose_queries: u32,
}

impl Lookup {
    /// A lookup by the node `own` without candidates.
    pub(super) fn new(own: NodeId, target: NodeId, family: Family, goal: Goal) -> Self {
        Self {
            target,
            family,
            goal,
            effort: LookupEffort::default(),
            own,
            candidates: Vec::new(),
            loose_queries: 0,
        }
    }

    /// Adds a candidate. `by` is the node that returned it.
    pub(super) fn offer(&mut self, contact: Contact, by: Option<SocketAddr>) {
        let hop = 1 + by
            .and_then(|by| self.find(by))
            .map_or(0, |place| self.candidates[place].hop);
        self.insert(Some(contact.id), contact.addr, hop);
    }

    /// Adds a candidate of unknown id, which is queried if there is no better one.
    pub(super) fn offer_unnamed(&mut self, addr: SocketAddr) {
        self.insert(None, addr, 1);
    }

    fn insert(&mut self, id: Option<NodeId>, addr: SocketAddr, hop: u32) {
        if Family::of(&addr) != self.family || id == Some(self.own) || self.find(addr).is_some() {
            return;
        }
        let secure = id.is_some_and(|id| is_secure(&id, addr.ip()));
        let distance = id.map_or(Distance::FARTHEST, |id| self.target.distance(&id));
        let place = self
            .candidates
            .partition_point(|candidate| candidate.distance <= distance);
        self.candidates.insert(
            place,
            Candidate {
                distance,
                id,
                addr,
                secure,
                state: State::Fresh,
                hop,
                token: None,
            },
        );
        self.forget_farthest(secure);
    }

    /// Limits the number of candidates. Queried ones stay, since they would be queried again
    /// otherwise.
    fn forget_farthest(&mut self, secure: bool) {
        let alike =
            |candidate: &Candidate| candidate.secure == secure && candidate.state == State::Fresh;
        let limit = if secure { MAX_SECURE } else { MAX_LOOSE };
        if self
            .candidates
            .iter()
            .filter(|candidate| alike(candidate))
            .count()
            > limit
            && let Some(place) = self.candidates.iter().rposition(alike)
        {
            self.candidates.remove(place);
        }
    }

    fn find(&self, addr: SocketAddr) -> Option<usize> {
        self.candidates
            .iter()
            .position(|candidate| candidate.addr == addr)
    }

    /// The next node to query, if `parallel` permits. It counts as queried.
    pub(super) fn next(&mut self, parallel: usize) -> Option<(SocketAddr, Option<NodeId>)> {
        let asked = |candidate: &&Candidate| candidate.state == State::Asked;
        if self.candidates.iter().filter(asked).count() >= parallel
            || self.effort.queries >= MAX_QUERIES
        {
            return None;
        }
        let loose = self
            .candidates
            .iter()
            .filter(asked)
            .filter(|candidate| !candidate.secure)
            .count();
        let fresh: Vec<usize> = self
            .closest()
            .into_iter()
            .filter(|place| self.candidates[*place].state == State::Fresh)
            .collect();
        let patient = loose >= parallel.div_ceil(2);
        let secure = fresh
            .iter()
            .copied()
            .find(|place| self.candidates[*place].secure);
        let place = if patient {
            secure.or(fresh.first().copied())
        } else {
            fresh.first().copied()
        }?;
        let candidate = &mut self.candidates[place];
        candidate.state = State::Asked;
        self.effort.queries += 1;
        self.loose_queries += u32::from(!candidate.secure);
        Some((candidate.addr, candidate.id))
    }

    /// Whether the lookup has ended.
    pub(super) fn is_over(&self) -> bool {
        let in_flight = self
            .candidates
            .iter()
            .any(|candidate| candidate.state == State::Asked);
        let spent = self.effort.queries >= MAX_QUERIES && !in_flight;
        let closest = self.closest();
        let all_answered = closest
            .iter()
            .all(|place| self.candidates[*place].state == State::Answered);
        spent || (all_answered && (!closest.is_empty() || !in_flight))
    }

    /// Records an answer with the expected id (or from a node of unknown id). `token` is for
    /// announcing.
    pub(super) fn answered(&mut self, contact: &Contact, token: Option<&[u8]>) {
        let Some(place) = self.find(contact.addr) else {
            return;
        };
        let mut candidate = self.candidates.remove(place);
        candidate.id = Some(contact.id);
        candidate.distance = self.target.distance(&contact.id);
        candidate.secure = is_secure(&contact.id, contact.addr.ip());
        candidate.state = State::Answered;
        candidate.token = token.map(Bytes::copy_from_slice);
        let place = self
            .candidates
            .partition_point(|other| other.distance <= candidate.distance);
        self.candidates.insert(place, candidate);
        self.effort.answers += 1;
    }

    /// Records that a node is late.
    pub(super) fn slow(&mut self, addr: SocketAddr) {
        self.change(addr, State::Slow);
    }

    /// Records that a node did not answer, or answered with another id.
    pub(super) fn failed(&mut self, addr: SocketAddr) {
        self.change(addr, State::Failed);
    }

    fn change(&mut self, addr: SocketAddr, state: State) {
        if let Some(place) = self
            .find(addr)
            .filter(|place| self.candidates[*place].state != State::Answered)
        {
            self.candidates[place].state = state;
        }
    }

    /// The indices of the closest candidates that did not fail: [`SIZE`] with secure ids, and a few
    /// closer ones with other ids; at most one per network. If slots remain, they are filled by
    /// distance.
    fn closest(&self) -> Vec<usize> {
        let (mut secure, mut loose, mut left, mut networks) = (
            Vec::with_capacity(SIZE),
            Vec::new(),
            Vec::new(),
            Vec::with_capacity(SIZE),
        );
        for (place, candidate) in self
            .candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| self.is_eligible(candidate))
        {
            let network = network(candidate.addr.ip());
            let chosen = if candidate.secure {
                &mut secure
            } else {
                &mut loose
            };
            let limit = if candidate.secure { SIZE } else { LOOSE_PLACES };
            if chosen.len() < limit && !(network.is_some() && networks.contains(&network)) {
                networks.push(network);
                chosen.push(place);
            } else {
                left.push(place);
            }
            if secure.len() == SIZE {
                break;
            }
        }
        left.truncate(SIZE.saturating_sub(secure.len() + loose.len()));
        let mut all = [secure, loose, left].concat();
        all.sort_unstable();
        all
    }

    fn is_eligible(&self, candidate: &Candidate) -> bool {
        let affordable = candidate.secure
            || candidate.state != State::Fresh
            || self.loose_queries < MAX_LOOSE_QUERIES;
        candidate.counts() && affordable
    }

    /// The closest nodes that answered with a token, for announcing.
    pub(super) fn stores(&self) -> Vec<(Contact, Bytes)> {
        let closest = self
            .closest()
            .into_iter()
            .map(|place| &self.candidates[place]);
        closest
            .filter_map(|node| {
                Some((
                    Contact {
                        id: node.id?,
                        addr: node.addr,
                    },
                    node.token.clone()?,
                ))
            })
            .collect()
    }

    /// The longest chain to one of the closest nodes.
    pub(super) fn hops(&self) -> u32 {
        self.closest()
            .into_iter()
            .map(|place| &self.candidates[place])
            .filter(|node| node.state == State::Answered)
            .map(|node| node.hop)
            .max()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
