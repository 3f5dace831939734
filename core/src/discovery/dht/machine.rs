//! The machine: questions and answers, and what follows from them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::config::Config;
use super::id::{Contact, NodeId};
use super::io::{Family, Input, Output, Reason};
use super::krpc::{Answer, Body, Message, Method, Query as Question, QueryError, Want};
use super::local_node::Homes;
use super::lookup::{Goal, Lookup};
use super::queries::{LOST, LookupId, Purpose, Queries, Query, Transaction};
use super::search::Search;
use super::server::{Asked, Server};
use super::state::State;
use crate::discovery::budget::LookupBudget;
use crate::discovery::timers::Timers;
use crate::discovery::{DhtCounts, Key};
use crate::net::disclosure::may_name_node;
use crate::net::is_usable;
use crate::types::{InfoHashV1, Instant};

/// Pings under way at a time: nodes that we merely heard of must not make us send more.
const MAX_PINGS: usize = 16;

/// Nodes that a lookup begins with: more than it asks, as some may be gone.
const SEEDS: usize = 24;

/// What is to be done when a deadline has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wake {
    /// Give up waiting for an answer, first alone, then at all.
    Query(Transaction),
    /// Look after a table.
    Upkeep(Family),
    /// Look for a swarm.
    Search(InfoHashV1),
}

impl Wake {
    const fn reason(self) -> Reason {
        match self {
            Self::Query(_) => Reason::Query,
            Self::Upkeep(_) => Reason::Upkeep,
            Self::Search(_) => Reason::Search,
        }
    }
}

/// A node of the DHT of one or both address families.
#[derive(Debug)]
pub struct Dht {
    pub(super) config: Config,
    pub(super) rng: ChaCha8Rng,
    pub(super) homes: Homes,
    pub(super) queries: Queries,
    pub(super) lookups: BTreeMap<LookupId, Lookup>,
    pub(super) begun: LookupId,
    pub(super) searches: BTreeMap<InfoHashV1, Search>,
    pub(super) queue: VecDeque<InfoHashV1>,
    pub(super) budget: LookupBudget,
    /// Addresses of [`Config::bootstrap`].
    pub(super) routers: BTreeSet<SocketAddr>,
    /// Names that are being resolved.
    pub(super) resolving: usize,
    pub(super) timers: Timers<Wake>,
    pub(super) outputs: VecDeque<Output>,
    server: Server,
}

impl Dht {
    /// A node with the ids and the nodes of an earlier run, if there was one.
    #[must_use]
    pub fn new(config: Config, state: State, seed: [u8; 32], now: Instant) -> Self {
        let mut rng = ChaCha8Rng::from_seed(seed);
        let has = |family| {
            if family == Family::V4 {
                config.v4
            } else {
                config.v6
            }
        };
        let homes = Homes::new(state, has, now, &mut rng);
        let mut timers = Timers::default();
        homes
            .iter()
            .for_each(|(family, _)| timers.set(Wake::Upkeep(family), now));
        Self {
            server: Server::new(&config, now, &mut rng),
            budget: LookupBudget::new(config.lookups),
            config,
            rng,
            homes,
            queries: Queries::default(),
            lookups: BTreeMap::new(),
            begun: 0,
            searches: BTreeMap::new(),
            queue: VecDeque::new(),
            routers: BTreeSet::new(),
            resolving: 0,
            timers,
            outputs: VecDeque::new(),
        }
    }

    /// Takes in what happened. Answers to what was not asked are ignored.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Timeout => {}
            Input::Packet { from, bytes } => self.packet(now, from, &bytes),
            Input::Resolved(addrs) => self.resolved(now, &addrs),
            Input::Unreachable(to) => self
                .queries
                .to(to)
                .into_iter()
                .for_each(|transaction| self.lost(now, transaction)),
            Input::Node(addr) => self.ping(now, addr, None),
            Input::SeenAt { by, ip } => self.seen_at(now, by, ip),
        }
        self.turn(now);
    }

    /// The next thing to do, in order, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Dht::handle`] with [`Input::Timeout`] at the latest, and what for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        self.timers.next().map(|(at, wake)| (at, wake.reason()))
    }

    /// What is known for a member; `None`: it was never added, or removed.
    #[must_use]
    pub fn counts(&self, key: Key) -> Option<DhtCounts> {
        let search = self
            .searches
            .get(&key.info_hash)
            .filter(|search| search.members.contains_key(&key.owner))?;
        let peers = u32::try_from(search.peers()).unwrap_or(u32::MAX);
        Some(DhtCounts {
            nodes: self.nodes(),
            peers,
            asking: search.is_under_way(),
        })
    }

    /// Nodes in the routing tables that answer.
    #[must_use]
    pub fn nodes(&self) -> u32 {
        u32::try_from(self.homes.nodes()).unwrap_or(u32::MAX)
    }

    /// Our id in the DHT of a family; `None`: there is no socket of it.
    #[must_use]
    pub fn id(&self, family: Family) -> Option<NodeId> {
        self.homes.get(family).map(|home| home.id)
    }

    /// What is to outlive the program.
    #[must_use]
    pub fn state(&self) -> State {
        self.homes.state()
    }

    /// Does what is due.
    pub(super) fn turn(&mut self, now: Instant) {
        while let Some(wake) = self.timers.pop(now) {
            match wake {
                Wake::Query(transaction) => self.late(now, transaction),
                Wake::Upkeep(family) => self.look_after(now, family),
                Wake::Search(hash) => self.begin(now, hash),
            }
        }
        self.admit(now);
    }

    fn packet(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let Ok(message) = Message::parse(bytes) else {
            return;
        };
        if self.homes.get(Family::of(&from)).is_none() || !is_usable(from) {
            return;
        }
        match &message.body {
            Body::Query(query) => self.asked(now, from, &message, Ok(query)),
            Body::BadQuery(error) => self.asked(now, from, &message, Err(*error)),
            Body::Answer(answer) => self.answered(now, from, &message, answer),
            Body::Error { .. } => self.refused(now, from, message.transaction),
        }
    }

    // Others ask.

    fn asked(
        &mut self,
        now: Instant,
        from: SocketAddr,
        message: &Message<'_>,
        query: Result<&Question<'_>, QueryError>,
    ) {
        if self.config.read_only {
            return;
        }
        let asked = Asked {
            now,
            from,
            transaction: message.transaction,
            query,
        };
        let Some(bytes) = self.server.answer(&asked, &self.homes, &mut self.rng) else {
            return;
        };
        self.outputs.push_back(Output::Send {
            to: from,
            bytes: bytes.into(),
        });
        // BEP 43: who answers no questions is nobody's node.
        let Ok(query) = query else { return };
        if !message.read_only {
            self.consider(
                now,
                &Contact {
                    id: query.id,
                    addr: from,
                },
            );
        }
        if let Method::Announce { info_hash, .. } = query.method {
            self.use_own_store(info_hash);
        }
    }

    /// Peers that others announced to ourselves, if we look for them.
    pub(super) fn use_own_store(&mut self, hash: InfoHashV1) {
        if !self.searches.get(&hash).is_some_and(Search::is_active) {
            return;
        }
        let stored = Family::ALL
            .into_iter()
            .flat_map(|family| self.server.peers(hash, family, &mut self.rng))
            .collect::<Vec<_>>();
        stored
            .into_iter()
            .for_each(|peer| self.found(hash, peer, &[peer]));
    }

    /// Asks a node that we heard of whether it is there, if there is room for it.
    fn consider(&mut self, now: Instant, contact: &Contact) {
        let home = self.homes.get(Family::of(&contact.addr));
        if home.is_some_and(|home| home.table.has_room_for(contact)) {
            self.ping(now, contact.addr, Some(contact.id));
        }
    }

    /// Asks a node whether it is there, unless it is being asked something.
    pub(super) fn ping(&mut self, now: Instant, addr: SocketAddr, id: Option<NodeId>) {
        if is_usable(addr) && self.queries.pings() < MAX_PINGS && self.queries.to(addr).is_empty() {
            self.ask(now, (addr, id), Purpose::Ping, Method::Ping);
        }
    }

    // We ask.

    /// Sends a question.
    pub(super) fn ask(
        &mut self,
        now: Instant,
        (to, id): (SocketAddr, Option<NodeId>),
        purpose: Purpose,
        method: Method<'_>,
    ) {
        let Some(home) = self.homes.get(Family::of(&to)) else {
            return;
        };
        let question = Question {
            id: home.id,
            want: self.want(),
            method,
        };
        let (transaction, slow) = self.queries.open(
            Query {
                to,
                id,
                purpose,
                sent: now,
                slow: false,
            },
            &mut self.rng,
        );
        self.timers.set(Wake::Query(transaction), slow);
        let message = Message {
            transaction: &transaction,
            read_only: self.config.read_only,
            ip: None,
            body: Body::Query(question),
        };
        self.outputs.push_back(Output::Send {
            to,
            bytes: Bytes::from(message.encode()),
        });
    }

    /// Nodes of both families as long as one of ours knows few (BEP 32); else each stays among
    /// itself.
    fn want(&self) -> Option<Want> {
        let thin = self.homes.iter().any(|(_, home)| home.is_thin());
        (thin && self.config.v4 && self.config.v6).then_some(Want { v4: true, v6: true })
    }

    fn answered(
        &mut self,
        now: Instant,
        from: SocketAddr,
        message: &Message<'_>,
        answer: &Answer<'_>,
    ) {
        let Some((transaction, query)) = self.queries.answered(now, from, message.transaction)
        else {
            return;
        };
        self.timers.clear(Wake::Query(transaction));
        let contact = Contact {
            id: answer.id,
            addr: from,
        };
        self.remember(now, contact, message.ip);
        if query.id.is_some_and(|id| id != answer.id) {
            // It changed its id, or somebody lied about it: for this question it is not who we
            // meant.
            return self.gone(now, &query);
        }
        if let Purpose::Lookup(id) = query.purpose {
            self.step(now, id, &contact, answer);
        }
        self.introduce(now, from, answer);
    }

    /// A node is there, and says where it sees us.
    fn remember(&mut self, now: Instant, contact: Contact, ip: Option<SocketAddr>) {
        let family = Family::of(&contact.addr);
        let stays = self.config.keep_bootstrap || !self.routers.contains(&contact.addr);
        let Some(home) = self.homes.get_mut(family) else {
            return;
        };
        ip.into_iter()
            .for_each(|ip| home.votes.add(contact.addr.ip(), ip.ip()));
        let first = stays && home.table.contacts().next().is_none();
        let doubtful = if stays {
            home.table.answered(now, contact)
        } else {
            None
        };
        self.follow_votes(now, family);
        doubtful
            .into_iter()
            .for_each(|doubtful| self.ping(now, doubtful.addr, Some(doubtful.id)));
        if first {
            self.use_first(now, family);
        }
    }

    /// The first node of a family, which nodes of the other one named perhaps: it knows others, and
    /// who waits for them need not wait for the next time the table is looked after.
    fn use_first(&mut self, now: Instant, family: Family) {
        if self
            .homes
            .get(family)
            .is_some_and(|home| home.upkeep.is_none())
        {
            self.look_around(now, family);
        }
    }

    /// Somebody sees us at an address: that may call for another id (BEP 42).
    fn seen_at(&mut self, now: Instant, by: IpAddr, ip: IpAddr) {
        let family = Family::of_ip(by);
        let Some(home) = self.homes.get_mut(family) else {
            return;
        };
        home.votes.add(by, ip);
        self.follow_votes(now, family);
    }

    fn follow_votes(&mut self, now: Instant, family: Family) {
        if self
            .homes
            .get_mut(family)
            .is_some_and(|home| home.follow_votes(now, &mut self.rng))
        {
            self.timers.set(Wake::Upkeep(family), now);
        }
    }

    /// Nodes of the other family help its table to begin.
    fn introduce(&mut self, now: Instant, from: SocketAddr, answer: &Answer<'_>) {
        let others = answer.contacts.iter().filter(|contact| {
            Family::of(&contact.addr) != Family::of(&from) && may_name_node(from, contact.addr)
        });
        for contact in others.copied().collect::<Vec<_>>() {
            if self
                .homes
                .get(Family::of(&contact.addr))
                .is_some_and(|home| home.is_thin())
            {
                self.consider(now, &contact);
            }
        }
    }

    /// One step of a lookup succeeded.
    fn step(&mut self, now: Instant, id: LookupId, contact: &Contact, answer: &Answer<'_>) {
        let Some(lookup) = self.lookups.get_mut(&id) else {
            return;
        };
        lookup.answered(contact, answer.token);
        let named = answer
            .contacts
            .iter()
            .filter(|named| may_name_node(contact.addr, named.addr));
        named.for_each(|named| lookup.offer(*named, Some(contact.addr)));
        if let Goal::Peers(hash) = lookup.goal {
            self.found(hash, contact.addr, &answer.peers);
        }
        self.drive(now, id);
    }

    /// An error is no answer: the node is there, but of no use.
    fn refused(&mut self, now: Instant, from: SocketAddr, transaction: &[u8]) {
        let Some((transaction, query)) = self.queries.answered(now, from, transaction) else {
            return;
        };
        self.timers.clear(Wake::Query(transaction));
        if let Purpose::Lookup(id) = query.purpose {
            self.lookups
                .get_mut(&id)
                .into_iter()
                .for_each(|lookup| lookup.failed(from));
            self.drive(now, id);
        }
    }

    /// No answer in time: others are asked instead; and if there is none for long, nothing more is
    /// expected.
    fn late(&mut self, now: Instant, transaction: Transaction) {
        let Some(query) = self.queries.get_mut(transaction) else {
            return;
        };
        if query.slow {
            return self.lost(now, transaction);
        }
        query.slow = true;
        let (to, purpose, sent) = (query.to, query.purpose, query.sent);
        self.timers.set(Wake::Query(transaction), sent + LOST);
        if let Purpose::Lookup(id) = purpose {
            self.lookups
                .get_mut(&id)
                .into_iter()
                .for_each(|lookup| lookup.slow(to));
            self.drive(now, id);
        }
    }

    fn lost(&mut self, now: Instant, transaction: Transaction) {
        self.timers.clear(Wake::Query(transaction));
        if let Some(query) = self.queries.remove(transaction) {
            self.gone(now, &query);
        }
    }

    /// A node is not there, or not who it was said to be.
    fn gone(&mut self, now: Instant, query: &Query) {
        if let Some(home) = self.homes.get_mut(Family::of(&query.to)) {
            query
                .id
                .into_iter()
                .for_each(|id| home.table.failed(&Contact { id, addr: query.to }));
        }
        if let Purpose::Lookup(id) = query.purpose {
            self.lookups
                .get_mut(&id)
                .into_iter()
                .for_each(|lookup| lookup.failed(query.to));
            self.drive(now, id);
        }
    }

    // Lookups.

    /// Begins a lookup with whom we know.
    pub(super) fn look(&mut self, family: Family, target: NodeId, goal: Goal) -> Option<LookupId> {
        let home = self.homes.get(family)?;
        let mut lookup = Lookup::new(home.id, target, family, goal);
        home.table
            .closest(&target, SEEDS)
            .into_iter()
            .for_each(|seed| lookup.offer(seed, None));
        if home.is_thin() {
            self.routers
                .iter()
                .for_each(|router| lookup.offer_unnamed(*router));
        }
        self.begun += 1;
        self.lookups.insert(self.begun, lookup);
        Some(self.begun)
    }

    /// Asks whom a lookup wants asked, and ends it when it is over.
    pub(super) fn drive(&mut self, now: Instant, id: LookupId) {
        let Some(lookup) = self.lookups.get_mut(&id) else {
            return;
        };
        let method = match lookup.goal {
            Goal::Nodes => Method::FindNode(lookup.target),
            Goal::Peers(hash) => Method::GetPeers(hash),
        };
        let parallel = self.config.parallel.max(1);
        let next: Vec<_> = std::iter::from_fn(|| lookup.next(parallel)).collect();
        let over = next.is_empty() && lookup.is_over();
        next.into_iter()
            .for_each(|node| self.ask(now, node, Purpose::Lookup(id), method));
        if let Some(lookup) = over.then(|| self.lookups.remove(&id)).flatten() {
            match lookup.goal {
                Goal::Nodes => self.looked_after(now, &lookup),
                Goal::Peers(hash) => self.searched(now, hash, id, &lookup),
            }
        }
    }
}
