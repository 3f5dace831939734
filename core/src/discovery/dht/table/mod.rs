//! The routing table: every node in it has answered us, in this run or an earlier one (BEP 5); one
//! of each network in a bucket, secure ids (BEP 42) before others.

mod bucket;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use super::id::{BITS, Contact, NodeId};
use crate::types::Instant;
pub(super) use bucket::SIZE;
use bucket::{Added, Bucket, Node};

/// Buckets that looking for ourselves fills as far as they can be filled.
const NEAR: usize = 3;

/// Buckets by the leading bits that their nodes share with us; the last one has all that share
/// more.
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

    /// Nodes that answered the last question.
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

    /// A node answered. If it finds no room, returns who should be asked whether it is still there.
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

    /// Takes in a node of an earlier run, if there is room.
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

    /// Who answers with a new id at an address is no longer who it was.
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

    /// A node left a question unanswered.
    pub(super) fn failed(&mut self, contact: &Contact) {
        let place = self.place(&contact.id);
        self.buckets[place].fail(contact);
    }

    /// Whether it would be of use to know a node that we never asked.
    pub(super) fn has_room_for(&self, contact: &Contact) -> bool {
        let place = self.place(&contact.id);
        let bucket = &self.buckets[place];
        contact.id != self.own
            && !self.knows(contact.addr)
            && (bucket.has_room_for(contact) || self.splits_for(contact, place))
    }

    /// Whether the last bucket is full now, and would have room for a node once it is split.
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
        // Nodes of the target's own bucket are closer to it than all that are nearer to us, and
        // those than all that are farther from us.
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

    /// A bucket that needs a refresh, as the leading bits that its nodes share with us; it counts
    /// as refreshed from now on.
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

    /// The same nodes around another id.
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
