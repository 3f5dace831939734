//! The routing table. Every node in it has answered, in this run or an earlier one (BEP 5). A
//! bucket has at most one node per network, and prefers secure ids (BEP 42).

mod bucket;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use super::id::{BITS, Contact, NodeId};
use crate::types::Instant;
pub(super) use bucket::SIZE;
use bucket::{Added, Bucket, Node};

/// The number of buckets that a lookup of our own id fills as far as possible.
const NEAR: usize = 3;

/// Buckets by the number of leading bits that their nodes share with our id; the last one contains
/// all that share more.
#[derive(Clone, Debug)]
pub(super) struct Table {
    own: NodeId,
    buckets: Vec<Bucket>,
}

impl Table {
    pub(super) fn new(own: NodeId, now: Instant) -> Self {
        Self {
            own,
            buckets: vec![Bucket::new(now)],
        }
    }

    /// The number of nodes that answered their last query.
    pub(super) fn good(&self) -> usize {
        self.buckets
            .iter()
            .flat_map(|bucket| &bucket.nodes)
            .filter(|node| node.is_good())
            .count()
    }

    pub(super) fn contacts(&self) -> impl Iterator<Item = Contact> {
        self.buckets
            .iter()
            .flat_map(|bucket| &bucket.nodes)
            .map(|node| node.contact)
    }

    fn place(&self, id: &NodeId) -> usize {
        self.own.shared_bits(id).min(self.buckets.len() - 1)
    }

    /// Adds a node that answered. If there is no room, returns the node to ping.
    pub(super) fn answered(&mut self, now: Instant, contact: Contact) -> Option<Contact> {
        if contact.id == self.own {
            return None;
        }
        self.forget_others_at(&contact);
        let node = Node::new(contact, now);
        loop {
            let place = self.place(&contact.id);
            match self.buckets[place].add(node) {
                Added::Full if place + 1 == self.buckets.len() && place + 1 < BITS => {
                    self.split(now)
                }
                Added::Full => {
                    self.buckets[place].keep(node);
                    return self.buckets[place].questionable(now);
                }
                Added::In | Added::Out => return None,
            }
        }
    }

    /// Adds a node of an earlier run, if there is room.
    pub(super) fn restore(&mut self, now: Instant, contact: Contact) {
        let node = Node::restored(contact, now);
        if contact.id == self.own || self.knows(contact.addr) {
            return;
        }
        loop {
            let place = self.place(&contact.id);
            match self.buckets[place].restore(node) {
                Added::Full if place + 1 == self.buckets.len() && place + 1 < BITS => {
                    self.split(now)
                }
                Added::In | Added::Out | Added::Full => return,
            }
        }
    }

    /// Removes nodes with other ids at an address that answered with a new id.
    fn forget_others_at(&mut self, contact: &Contact) {
        for bucket in &mut self.buckets {
            bucket
                .nodes
                .retain(|node| node.contact.addr != contact.addr || node.contact.id == contact.id);
        }
    }

    fn split(&mut self, now: Instant) {
        let (own, bits) = (self.own, self.buckets.len() - 1);
        let nearer = self
            .buckets
            .last_mut()
            .map(|last| last.split(|id| own.shared_bits(id) == bits));
        self.buckets
            .push(nearer.unwrap_or_else(|| Bucket::new(now)));
    }

    /// Records an unanswered query.
    pub(super) fn failed(&mut self, contact: &Contact) {
        let place = self.place(&contact.id);
        self.buckets[place].fail(contact);
    }

    /// Whether a node that was never queried would be useful.
    pub(super) fn has_room_for(&self, contact: &Contact) -> bool {
        let place = self.place(&contact.id);
        let bucket = &self.buckets[place];
        contact.id != self.own
            && !self.knows(contact.addr)
            && (bucket.has_room_for(contact) || self.splits_for(contact, place))
    }

    /// Whether the last bucket is full, and has room for a node after a split.
    fn splits_for(&self, contact: &Contact, place: usize) -> bool {
        let bits = |id: &NodeId| self.own.shared_bits(id) > place;
        let alike = self.buckets[place]
            .nodes
            .iter()
            .filter(|node| bits(&node.contact.id) == bits(&contact.id))
            .count();
        place + 1 == self.buckets.len() && self.buckets[place].nodes.len() == SIZE && alike < SIZE
    }

    pub(super) fn knows(&self, addr: SocketAddr) -> bool {
        self.contacts().any(|contact| contact.addr == addr)
    }

    /// The nodes closest to `target`, closest first.
    pub(super) fn closest(&self, target: &NodeId, count: usize) -> Vec<Contact> {
        let place = self.place(target);
        // Nodes of the target's own bucket are closer to it than all nodes that are nearer to us,
        // which are closer than all that are farther from us.
        let farther = (0..place).rev().map(|place| place..place + 1);
        let rings = [place..place + 1, place + 1..self.buckets.len()]
            .into_iter()
            .chain(farther);
        let mut found = Vec::with_capacity(count + SIZE);
        for ring in rings {
            if found.len() >= count {
                break;
            }
            let start = found.len();
            found.extend(
                self.buckets[ring]
                    .iter()
                    .flat_map(|bucket| &bucket.nodes)
                    .map(|node| node.contact),
            );
            found[start..].sort_unstable_by_key(|contact: &Contact| target.distance(&contact.id));
        }
        found.truncate(count);
        found
    }

    /// A bucket that must be refreshed, as the number of leading bits that its nodes share with us.
    /// It counts as refreshed from now on.
    pub(super) fn stale(&mut self, now: Instant) -> Option<usize> {
        let far = self.buckets.len().saturating_sub(NEAR);
        let neglected = |place: usize, bucket: &Bucket| place < far && bucket.is_neglected();
        let place = self
            .buckets
            .iter()
            .enumerate()
            .position(|(place, bucket)| bucket.is_stale(now) || neglected(place, bucket))?;
        let bucket = &mut self.buckets[place];
        (bucket.changed, bucket.refreshed) = (now, true);
        Some(place)
    }

    /// The same nodes in a table for another id.
    pub(super) fn rebuilt(&self, own: NodeId, now: Instant) -> Self {
        let mut table = Self::new(own, now);
        for bucket in &self.buckets {
            for node in &bucket.nodes {
                table.restore(node.seen, node.contact);
                if node.is_good() {
                    table.answered(node.seen, node.contact);
                }
            }
        }
        table
    }
}
