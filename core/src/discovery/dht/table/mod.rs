//! The routing table: every node in it has answered us (BEP 5), one of each network in a bucket, secure ids (BEP 42) before others.

mod bucket;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

use super::id::{BITS, Contact, NodeId};
use crate::types::Instant;
pub(super) use bucket::SIZE;
use bucket::{Added, Bucket, Node};

/// A bucket that did not change for so long is refreshed (BEP 5).
const STALE: Duration = Duration::from_secs(15 * 60);

/// Buckets by the leading bits that their nodes share with us; the last one has all that share more.
#[derive(Clone, Debug)]
pub(super) struct Table {
    own: NodeId,
    buckets: Vec<Bucket>,
}

impl Table {
    pub(super) fn new(own: NodeId, now: Instant) -> Self {
        Self { own, buckets: vec![Bucket::new(now)] }
    }

    pub(super) fn len(&self) -> usize {
        self.buckets.iter().map(|bucket| bucket.nodes.len()).sum()
    }

    pub(super) fn contacts(&self) -> impl Iterator<Item = Contact> {
        self.buckets.iter().flat_map(|bucket| &bucket.nodes).map(|node| node.contact)
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
                Added::Full if place + 1 == self.buckets.len() && place + 1 < BITS => self.split(now),
                Added::Full => {
                    self.buckets[place].keep(node);
                    return self.buckets[place].questionable(now);
                }
                Added::In | Added::Out => return None,
            }
        }
    }

    /// Who answers with a new id at an address is no longer who it was.
    fn forget_others_at(&mut self, contact: &Contact) {
        for bucket in &mut self.buckets {
            bucket.nodes.retain(|node| node.contact.addr != contact.addr || node.contact.id == contact.id);
        }
    }

    fn split(&mut self, now: Instant) {
        let (own, bits) = (self.own, self.buckets.len() - 1);
        let nearer = self.buckets.last_mut().map(|last| last.split(|id| own.shared_bits(id) == bits));
        self.buckets.push(nearer.unwrap_or_else(|| Bucket::new(now)));
    }

    /// A node left a question unanswered.
    pub(super) fn failed(&mut self, contact: &Contact) {
        let place = self.place(&contact.id);
        self.buckets[place].fail(contact);
    }

    /// Whether it would be of use to know a node that we never asked.
    pub(super) fn has_room_for(&self, contact: &Contact) -> bool {
        let bucket = &self.buckets[self.place(&contact.id)];
        let splits = self.place(&contact.id) + 1 == self.buckets.len() && bucket.nodes.len() == SIZE;
        contact.id != self.own && !self.knows(contact.addr) && (bucket.has_room_for(contact) || splits)
    }

    pub(super) fn knows(&self, addr: SocketAddr) -> bool {
        self.contacts().any(|contact| contact.addr == addr)
    }

    /// The nodes closest to `target`, closest first.
    pub(super) fn closest(&self, target: &NodeId, count: usize) -> Vec<Contact> {
        let place = self.place(target);
        // Nodes of the target's own bucket are closer to it than all that are nearer to us, and those than all that are farther from us.
        let farther = (0..place).rev().map(|place| place..place + 1);
        let rings = [place..place + 1, place + 1..self.buckets.len()].into_iter().chain(farther);
        let mut found = Vec::with_capacity(count + SIZE);
        for ring in rings {
            if found.len() >= count {
                break;
            }
            let start = found.len();
            found.extend(self.buckets[ring].iter().flat_map(|bucket| &bucket.nodes).map(|node| node.contact));
            found[start..].sort_unstable_by_key(|contact: &Contact| target.distance(&contact.id));
        }
        found.truncate(count);
        found
    }

    /// An id in a bucket that was not looked after for long; it counts as looked after from now on.
    pub(super) fn stale(&mut self, now: Instant) -> Option<usize> {
        let place = self.buckets.iter().position(|bucket| now.since(bucket.changed) >= STALE)?;
        self.buckets[place].changed = now;
        Some(place)
    }

    /// The same nodes around another id.
    pub(super) fn rebuilt(&self, own: NodeId, now: Instant) -> Self {
        let mut table = Self::new(own, now);
        for bucket in &self.buckets {
            for node in &bucket.nodes {
                table.answered(node.seen, node.contact);
            }
        }
        table
    }
}
