//! What we ask other nodes: pings, lookups step by step, announces.
//!
//! This part knows datagrams, transactions and lookups. Tables and searches are told what came of
//! them by its [`Event`]s.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;

use super::config::Config;
use super::id::{Contact, NodeId};
use super::io::{Family, Output};
use super::krpc::{Answer, Body, Message, Method, Query as Question};
use super::local_node::LocalNodes;
use super::lookup::{Goal, Lookup};
use super::queries::{Late, LookupId, Purpose, Queries, Query};
use crate::net::disclosure::may_name_node;
use crate::net::is_usable;
use crate::types::{InfoHashV1, Instant};

/// Pings under way at a time: nodes that we merely heard of must not make us send more.
const MAX_PINGS: usize = 16;

/// What came of a question.
#[derive(Debug)]
pub(super) enum Event {
    /// A node is there. It says where it sees us, and names others.
    Alive {
        contact: Contact,
        sees_us_at: Option<SocketAddr>,
        named: Vec<Contact>,
    },
    /// A node is not there, or is another one than was asked.
    Gone(Contact),
    /// A node names peers of a swarm.
    Peers {
        info_hash: InfoHashV1,
        from: SocketAddr,
        peers: Vec<SocketAddr>,
    },
    /// A lookup is over.
    Over(LookupId, Lookup),
}

/// Questions under way and the lookups that they are for.
#[derive(Debug)]
pub(super) struct Questions {
    queries: Queries,
    lookups: BTreeMap<LookupId, Lookup>,
    begun: LookupId,
    parallel: usize,
    /// Our questions say that we answer none (BEP 43).
    read_only: bool,
    rng: ChaCha8Rng,
    events: VecDeque<Event>,
}

/// Who we are, and where datagrams go.
pub(super) struct Net<'a> {
    pub(super) now: Instant,
    pub(super) local: &'a LocalNodes,
    pub(super) outputs: &'a mut VecDeque<Output>,
}

impl Questions {
    /// No questions. `rng` draws transaction ids.
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

    /// What happened, in order, until `None`.
    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When a question is late.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.queries.poll_timeout()
    }

    /// Asks a node whether it is there, unless it is being asked something.
    pub(super) fn ping(&mut self, net: &mut Net<'_>, addr: SocketAddr, id: Option<NodeId>) {
        if is_usable(addr) && self.queries.pings() < MAX_PINGS && !self.queries.is_asking(addr) {
            self.ask(net, (addr, id), Purpose::Ping, Method::Ping);
        }
    }

    /// Has a node that a lookup found store us. `token`: its own, from its answer.
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

    /// Begins a lookup.
    pub(super) fn begin(&mut self, net: &mut Net<'_>, lookup: Lookup) -> LookupId {
        self.begun += 1;
        self.lookups.insert(self.begun, lookup);
        self.drive(net, self.begun);
        self.begun
    }

    /// Names nodes of unknown ids to a lookup. Returns whether it is still under way.
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

    /// Ends a lookup of which nobody wants the result.
    pub(super) fn abandon(&mut self, id: LookupId) {
        self.lookups.remove(&id);
    }

    /// An answer. Only one to an outstanding question, from whom it was put to, is heard.
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
            // It changed its id, or somebody lied about it: what it says is not what was asked for.
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

    /// One step of a lookup succeeded.
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

    /// An error is no answer: the node is there, but of no use.
    pub(super) fn handle_error(&mut self, net: &mut Net<'_>, from: SocketAddr, transaction: &[u8]) {
        if let Some(query) = self.queries.answered(net.now, from, transaction) {
            self.fail_step(net, &query);
        }
    }

    /// Nothing can be sent to an address.
    pub(super) fn handle_unreachable(&mut self, net: &mut Net<'_>, to: SocketAddr) {
        for query in self.queries.take_all_to(to) {
            self.fail(net, &query);
        }
    }

    /// Takes one question that is late: others are asked instead; and if there is no answer for
    /// long, nothing more is expected. Returns whether there was one.
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

    /// A node is not there, or not the one that was asked.
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

    /// Asks whom a lookup wants asked, and ends it when it is over.
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

    /// Sends a question.
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
        net.outputs.push_back(Output::Send {
            to,
            bytes: Bytes::from(message.encode()),
        });
    }
}
