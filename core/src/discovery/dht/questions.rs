//! Our queries to other nodes: pings, steps of lookups, announces.
//!
//! This part handles datagrams, transactions and lookups. Its [`Event`]s report the results to
//! tables and searches.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;

use super::config::Config;
use super::id::{Contact, NodeId};
use super::io::{Family, Output, Request};
use super::krpc::{Answer, Body, Message, Method, Query as Question};
use super::local_node::LocalNodes;
use super::lookup::{Goal, Lookup};
use super::queries::{Late, LookupId, Purpose, Queries, Query};
use crate::net::disclosure::may_name_node;
use crate::net::is_usable;
use crate::types::{InfoHashV1, Instant};

/// The maximum number of pending pings, so that nodes which others named cannot make us send more.
const MAX_PINGS: usize = 16;

/// The result of a query.
#[derive(Debug)]
pub(super) enum Event {
    /// A node is alive. It reports our address, and returns other nodes.
    Alive {
        contact: Contact,
        sees_us_at: Option<SocketAddr>,
        named: Vec<Contact>,
    },
    /// A node did not answer, or answered with another id.
    Gone(Contact),
    /// A node returned peers of a swarm.
    Peers {
        info_hash: InfoHashV1,
        from: SocketAddr,
        peers: Vec<SocketAddr>,
    },
    /// A lookup has ended.
    Over(LookupId, Lookup),
}

/// Pending queries, and the lookups that they belong to.
#[derive(Debug)]
pub(super) struct Questions {
    queries: Queries,
    lookups: BTreeMap<LookupId, Lookup>,
    begun: LookupId,
    parallel: usize,
    /// Whether our queries say that we answer none (BEP 43).
    read_only: bool,
    rng: ChaCha8Rng,
    events: VecDeque<Event>,
}

/// Our identity, and the queue for outgoing datagrams.
pub(super) struct Net<'a> {
    pub(super) now: Instant,
    pub(super) local: &'a LocalNodes,
    pub(super) outputs: &'a mut VecDeque<Output>,
}

impl Questions {
    /// No queries. `rng` provides transaction ids.
    pub(super) fn new(config: &Config, rng: ChaCha8Rng) -> Self {
        Self {
            queries: Queries::default(),
            lookups: BTreeMap::new(),
            begun: 0,
            parallel: config.parallel.max(1),
            read_only: config.read_only,
            rng,
            events: VecDeque::new(),
        }
    }

    /// Returns the next event, in order; `None` if there is none.
    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When a query is late.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.queries.poll_timeout()
    }

    /// Pings a node, unless a query to it is pending.
    pub(super) fn ping(&mut self, net: &mut Net<'_>, addr: SocketAddr, id: Option<NodeId>) {
        if is_usable(addr) && self.queries.pings() < MAX_PINGS && !self.queries.is_asking(addr) {
            self.ask(net, (addr, id), Purpose::Ping, Method::Ping);
        }
    }

    /// Announces us to a node that a lookup found. `token` is from its answer.
    pub(super) fn announce(
        &mut self,
        net: &mut Net<'_>,
        store: &Contact,
        info_hash: InfoHashV1,
        port: u16,
        token: &[u8],
    ) {
        let method = Method::Announce {
            info_hash,
            port: Some(port),
            token,
        };
        self.ask(net, (store.addr, Some(store.id)), Purpose::Announce, method);
    }

    /// Starts a lookup.
    pub(super) fn begin(&mut self, net: &mut Net<'_>, lookup: Lookup) -> LookupId {
        self.begun += 1;
        self.lookups.insert(self.begun, lookup);
        self.drive(net, self.begun);
        self.begun
    }

    /// Adds nodes of unknown ids to a lookup. Returns whether it is still running.
    pub(super) fn offer_unnamed(
        &mut self,
        net: &mut Net<'_>,
        id: LookupId,
        addrs: &[SocketAddr],
    ) -> bool {
        let Some(lookup) = self.lookups.get_mut(&id) else {
            return false;
        };
        for addr in addrs {
            lookup.offer_unnamed(*addr);
        }
        self.drive(net, id);
        true
    }

    /// Ends a lookup whose result is no longer needed.
    pub(super) fn abandon(&mut self, id: LookupId) {
        self.lookups.remove(&id);
    }

    /// Handles an answer, which must match a pending query to its sender.
    pub(super) fn handle_answer(
        &mut self,
        net: &mut Net<'_>,
        from: SocketAddr,
        message: &Message<'_>,
        answer: &Answer<'_>,
    ) {
        let answered = self.queries.answered(net.now, from, message.transaction);
        let Some(query) = answered else { return };
        let contact = Contact {
            id: answer.id,
            addr: from,
        };
        let other = query.id.is_some_and(|id| id != answer.id);
        self.events.push_back(Event::Alive {
            contact,
            sees_us_at: message.ip,
            // The node changed its id, or another node lied about it: its answer was not for this
            // query.
            named: if other {
                Vec::new()
            } else {
                answer.contacts.clone()
            },
        });
        if other {
            return self.fail(net, &query);
        }
        if let Purpose::Lookup(id) = query.purpose {
            self.step(net, id, &contact, answer);
        }
    }

    /// Handles a successful step of a lookup.
    fn step(&mut self, net: &mut Net<'_>, id: LookupId, contact: &Contact, answer: &Answer<'_>) {
        let Some(lookup) = self.lookups.get_mut(&id) else {
            return;
        };
        lookup.answered(contact, answer.token);
        for named in &answer.contacts {
            if may_name_node(contact.addr, named.addr) {
                lookup.offer(*named, Some(contact.addr));
            }
        }
        if let Goal::Peers(info_hash) = lookup.goal {
            self.events.push_back(Event::Peers {
                info_hash,
                from: contact.addr,
                peers: answer.peers.clone(),
            });
        }
        self.drive(net, id);
    }

    /// Handles an error: the node is alive, but not usable.
    pub(super) fn handle_error(&mut self, net: &mut Net<'_>, from: SocketAddr, transaction: &[u8]) {
        if let Some(query) = self.queries.answered(net.now, from, transaction) {
            self.fail_step(net, &query);
        }
    }

    /// Handles an address to which nothing can be sent.
    pub(super) fn handle_unreachable(&mut self, net: &mut Net<'_>, to: SocketAddr) {
        for query in self.queries.take_all_to(to) {
            self.fail(net, &query);
        }
    }

    /// Handles one late query: others are queried instead, and finally it is given up. Returns
    /// whether there was one.
    pub(super) fn handle_timeout(&mut self, net: &mut Net<'_>) -> bool {
        match self.queries.take_late(net.now) {
            None => return false,
            Some(Late::Lost(query)) => self.fail(net, &query),
            Some(Late::Slow(query)) => {
                if let Purpose::Lookup(id) = query.purpose {
                    if let Some(lookup) = self.lookups.get_mut(&id) {
                        lookup.slow(query.to);
                    }
                    self.drive(net, id);
                }
            }
        }
        true
    }

    /// Records that a node did not answer, or answered with another id.
    fn fail(&mut self, net: &mut Net<'_>, query: &Query) {
        let gone = query.id.map(|id| Contact { id, addr: query.to });
        self.events.extend(gone.map(Event::Gone));
        self.fail_step(net, query);
    }

    fn fail_step(&mut self, net: &mut Net<'_>, query: &Query) {
        if let Purpose::Lookup(id) = query.purpose {
            if let Some(lookup) = self.lookups.get_mut(&id) {
                lookup.failed(query.to);
            }
            self.drive(net, id);
        }
    }

    /// Sends the queries that a lookup needs next, and ends it if it is complete.
    fn drive(&mut self, net: &mut Net<'_>, id: LookupId) {
        let Some(lookup) = self.lookups.get_mut(&id) else {
            return;
        };
        let method = match lookup.goal {
            Goal::Nodes => Method::FindNode(lookup.target),
            Goal::Peers(hash) => Method::GetPeers(hash),
        };
        let parallel = self.parallel;
        let next: Vec<_> = std::iter::from_fn(|| lookup.next(parallel)).collect();
        let over = next.is_empty() && lookup.is_over();
        for node in next {
            self.ask(net, node, Purpose::Lookup(id), method);
        }
        if over {
            let lookup = self.lookups.remove(&id);
            self.events
                .extend(lookup.map(|lookup| Event::Over(id, lookup)));
        }
    }

    /// Sends a query.
    fn ask(
        &mut self,
        net: &mut Net<'_>,
        (to, id): (SocketAddr, Option<NodeId>),
        purpose: Purpose,
        method: Method<'_>,
    ) {
        let Some(node) = net.local.get(Family::of(&to)) else {
            return;
        };
        let question = Question {
            id: node.id,
            want: net.local.wanted_families(),
            method,
        };
        let query = Query {
            to,
            id,
            purpose,
            sent: net.now,
            slow: false,
        };
        let transaction = self.queries.open(query, &mut self.rng);
        let message = Message {
            transaction: &transaction,
            read_only: self.read_only,
            ip: None,
            body: Body::Query(question),
        };
        let bytes = Bytes::from(message.encode());
        net.outputs
            .push_back(Output::Net(Request::Send { to, bytes }));
    }
}
