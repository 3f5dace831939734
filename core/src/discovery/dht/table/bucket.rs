//! A bucket of up to eight nodes at a similar distance, with a few spare ones (BEP 5).

use std::time::Duration;

use crate::discovery::dht::addr::network;
use crate::discovery::dht::id::{Contact, NodeId};
use crate::discovery::dht::secure::is_secure;
use crate::types::Instant;

/// The maximum number of nodes in a bucket (BEP 5).
pub(in crate::discovery::dht) const SIZE: usize = 8;

/// The time without an answer after which a node must be pinged before it may stay (BEP 5:
/// questionable).
pub(super) const QUESTIONABLE: Duration = Duration::from_secs(15 * 60);

/// The time without a change after which a bucket is refreshed (BEP 5).
const STALE: Duration = Duration::from_secs(15 * 60);

/// The number of unanswered queries after which a node is dropped. BEP 5: try once more before
/// discarding.
const MAX_FAILURES: u8 = 2;

/// A node that has answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) contact: Contact,
    /// Whether its id fits its address (BEP 42).
    pub(super) secure: bool,
    /// When it last answered.
    pub(super) seen: Instant,
    /// The number of unanswered queries since then.
    failures: u8,
    /// Whether it answered in this run, not only in an earlier one.
    present: bool,
}

impl Node {
    pub(super) fn new(contact: Contact, now: Instant) -> Self {
        Self {
            contact,
            secure: is_secure(&contact.id, contact.addr.ip()),
            seen: now,
            failures: 0,
            present: true,
        }
    }

    /// A node of an earlier run. It keeps its slot until it does not answer, since malicious nodes
    /// try to take such slots.
    pub(super) fn restored(contact: Contact, now: Instant) -> Self {
        Self {
            present: false,
            ..Self::new(contact, now)
        }
    }

    /// Whether it answered the last query of this run.
    pub(super) const fn is_good(&self) -> bool {
        self.present && self.failures == 0
    }

    fn is_questionable(&self, now: Instant) -> bool {
        !self.present || now.since(self.seen) >= QUESTIONABLE
    }

    fn shares_network(&self, other: &Contact) -> bool {
        let ours = network(self.contact.addr.ip());
        ours.is_some() && ours == network(other.addr.ip())
    }
}

#[derive(Clone, Debug)]
pub(super) struct Bucket {
    pub(super) nodes: Vec<Node>,
    /// In order of arrival.
    spare: Vec<Node>,
    /// When it was last refreshed or changed.
    pub(super) changed: Instant,
    /// Whether it was ever refreshed.
    pub(super) refreshed: bool,
}

/// The result of adding a node to a bucket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// It is in the bucket.
    In,
    /// It is only a spare node, or was rejected.
    Out,
    /// The bucket is full and may be split.
    Full,
}

impl Bucket {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            nodes: Vec::new(),
            spare: Vec::new(),
            changed: now,
            refreshed: false,
        }
    }

    /// Adds a node of an earlier run, which replaces no other.
    pub(super) fn restore(&mut self, node: Node) -> Added {
        match self
            .nodes
            .iter()
            .any(|other| other.contact.id == node.contact.id || other.shares_network(&node.contact))
        {
            true => Added::Out,
            false if self.nodes.len() >= SIZE => Added::Full,
            false => {
                self.nodes.push(node);
                Added::In
            }
        }
    }

    /// Adds a node that answered.
    pub(super) fn add(&mut self, node: Node) -> Added {
        if let Some(known) = self
            .nodes
            .iter_mut()
            .find(|known| known.contact.id == node.contact.id)
        {
            return refresh(known, node);
        }
        if let Some(place) = self
            .nodes
            .iter()
            .position(|other| other.shares_network(&node.contact))
        {
            return self.contend(place, node);
        }
        if self.nodes.len() < SIZE {
            self.put(node);
            return Added::In;
        }
        let worse = |other: &Node| other.failures > 0 || (node.secure && !other.secure);
        match self.nodes.iter().rposition(worse) {
            Some(place) => self.replace(place, node),
            None => Added::Full,
        }
    }

    /// Resolves a conflict of two nodes of one network: the existing one keeps its slot unless it
    /// fails or its id is less secure.
    fn contend(&mut self, place: usize, node: Node) -> Added {
        let holder = &self.nodes[place];
        if holder.failures == 0 && (holder.secure || !node.secure) {
            Added::Out
        } else {
            self.replace(place, node)
        }
    }

    fn replace(&mut self, place: usize, node: Node) -> Added {
        self.nodes.remove(place);
        self.put(node);
        Added::In
    }

    fn put(&mut self, node: Node) {
        self.changed = node.seen;
        self.spare
            .retain(|spare| spare.contact.id != node.contact.id);
        self.nodes.push(node);
    }

    /// Adds a spare node.
    pub(super) fn keep(&mut self, node: Node) {
        self.spare.retain(|spare| {
            spare.contact.id != node.contact.id && !spare.shares_network(&node.contact)
        });
        if self.spare.len() >= SIZE {
            self.spare.remove(0);
        }
        self.spare.push(node);
    }

    /// The node to ping: one of an earlier run, or the one that was silent for longest, if that is
    /// too long.
    pub(super) fn questionable(&self, now: Instant) -> Option<Contact> {
        let oldest = self
            .nodes
            .iter()
            .min_by_key(|node| (node.present, node.seen))?;
        oldest.is_questionable(now).then_some(oldest.contact)
    }

    /// Records an unanswered query.
    pub(super) fn fail(&mut self, contact: &Contact) {
        let Some(place) = self.nodes.iter().position(|node| node.contact == *contact) else {
            return;
        };
        self.nodes[place].failures += 1;
        if self.nodes[place].failures >= MAX_FAILURES || !self.nodes[place].present {
            self.nodes.remove(place);
            self.fill();
        }
    }

    fn fill(&mut self) {
        while let Some(spare) = self.spare.pop() {
            if !self
                .nodes
                .iter()
                .any(|node| node.shares_network(&spare.contact))
            {
                self.nodes.push(spare);
                return;
            }
        }
    }

    /// Whether there is room for a node that is not in the bucket.
    pub(super) fn has_room_for(&self, contact: &Contact) -> bool {
        let known = self
            .nodes
            .iter()
            .any(|node| node.contact.id == contact.id || node.shares_network(contact));
        !known && (self.nodes.len() < SIZE || self.nodes.iter().any(|node| !node.is_good()))
    }

    /// Whether it must be refreshed because it has not changed for long (BEP 5).
    pub(super) fn is_stale(&self, now: Instant) -> bool {
        now.since(self.changed) >= STALE
    }

    /// Whether it was never refreshed and is empty.
    pub(super) const fn is_neglected(&self) -> bool {
        !self.refreshed && self.nodes.is_empty()
    }

    /// Splits off the nodes that do not stay at this distance.
    pub(super) fn split(&mut self, stays: impl Fn(&NodeId) -> bool) -> Self {
        let (nodes, nearer) = self
            .nodes
            .iter()
            .copied()
            .partition(|node| stays(&node.contact.id));
        let (spare, nearer_spare) = self
            .spare
            .iter()
            .copied()
            .partition(|node| stays(&node.contact.id));
        (self.nodes, self.spare) = (nodes, spare);
        let mut next = Self {
            nodes: nearer,
            spare: nearer_spare,
            changed: self.changed,
            refreshed: false,
        };
        self.fill_from_spare();
        next.fill_from_spare();
        next
    }

    fn fill_from_spare(&mut self) {
        while self.nodes.len() < SIZE && !self.spare.is_empty() {
            self.fill();
        }
    }
}

/// A known id at another address is accepted only if the node at the old address fails, since
/// anybody could take over its slot otherwise.
fn refresh(known: &mut Node, node: Node) -> Added {
    if known.contact.addr != node.contact.addr && known.failures == 0 {
        return Added::Out;
    }
    *known = node;
    Added::In
}
