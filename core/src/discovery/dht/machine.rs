//! The state machine of the DHT, which connects our nodes, searches, queries, and the server.

use std::collections::VecDeque;
use std::net::SocketAddr;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::bootstrap::Bootstrap;
use super::config::Config;
use super::counts::DhtCounts;
use super::id::{Contact, NodeId};
use super::io::{Family, Input, Output, Reason, Request};
use super::krpc::{Body, Message, Method, Query as Question, QueryError};
use super::local_node::{LocalNodes, Need};
use super::lookup::{Goal, Lookup};
use super::queries::LookupId;
use super::questions::{Event, Net, Questions};
use super::searches::Searches;
use super::server::{Asked, Server};
use super::state::State;
use crate::discovery::swarm::Key;
use crate::io::DiscoverRequest;
use crate::net::disclosure::may_name_node;
use crate::net::is_usable;
use crate::types::{InfoHashV1, Instant};

/// The number of nodes that a lookup starts with. It is more than it queries at the same time,
/// since some may be gone.
const SEEDS: usize = 24;

/// A DHT node in one or both address families.
#[derive(Debug)]
pub struct Dht {
    /// Our ids and routing tables.
    pub(super) local: LocalNodes,
    bootstrap: Bootstrap,
    /// Our queries.
    questions: Questions,
    /// The swarms that we look for.
    pub(super) searches: Searches,
    /// Answers queries; `None` if we do not (BEP 43).
    server: Option<Server>,
    rng: ChaCha8Rng,
    pub(super) outputs: VecDeque<Output>,
}

impl Dht {
    /// Creates a node with the ids and contacts of an earlier run, if there was one.
    #[must_use]
    pub fn new(config: Config, state: State, seed: [u8; 32], now: Instant) -> Self {
        let mut rng = ChaCha8Rng::from_seed(seed);
        let has = |family| match family {
            Family::V4 => config.v4,
            Family::V6 => config.v6,
        };
        let server = (!config.read_only).then(|| Server::new(&config, now, &mut rng));
        Self {
            local: LocalNodes::new(state, has, now, &mut rng),
            bootstrap: Bootstrap::new(&config),
            questions: Questions::new(&config, ChaCha8Rng::from_rng(&mut rng)),
            searches: Searches::new(&config, ChaCha8Rng::from_rng(&mut rng)),
            server,
            rng,
            outputs: VecDeque::new(),
        }
    }

    /// Adds a member. No query is sent before [`DiscoverRequest::Start`]. `port` is its listening
    /// port; 0: it is not announced. Private torrents (BEP 27) must never be added.
    pub fn add(&mut self, key: Key, port: u16) {
        self.searches.add(key, port);
    }

    /// Changes a member's listening port. It is announced as soon as
    /// [`super::Config::min_interval`] permits. Unknown keys are ignored.
    pub fn set_port(&mut self, now: Instant, key: Key, port: u16) {
        self.searches.set_port(now, key, port);
        self.turn(now);
    }

    /// Removes a member, and cancels queries that no other member needs, because it turned out to
    /// be private or has left.
    pub fn remove(&mut self, now: Instant, key: Key) {
        for lookup in self.searches.remove(now, key) {
            self.questions.abandon(lookup);
        }
        self.turn(now);
    }

    /// Handles a request of the engine. Unknown keys are ignored. More peers are looked for at most
    /// once per [`super::Config::min_interval`], and within [`super::Config::lookups`].
    pub fn request(&mut self, now: Instant, key: Key, request: DiscoverRequest) {
        if request == DiscoverRequest::Start {
            let found = self.searches.start(now, key);
            self.outputs
                .extend(found.map(|addrs| Output::Peers { key, addrs }));
        } else {
            for lookup in self.searches.request(now, key, request) {
                self.questions.abandon(lookup);
            }
        }
        self.turn(now);
    }

    /// Processes an input. Answers without a pending query are ignored.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Timeout => {}
            Input::Packet { from, bytes } => self.handle_packet(now, from, &bytes),
            Input::Resolved(addrs) => self.handle_bootstrap(now, &addrs),
            Input::Unreachable(to) => self.ask(now, |questions, net| {
                questions.handle_unreachable(net, to);
            }),
            Input::Node(addr) => self.ask(now, |questions, net| questions.ping(net, addr, None)),
            Input::SeenAt { by, ip } => {
                if let Some(node) = self.local.get_mut(Family::of_ip(by)) {
                    node.note_vote(now, by, ip, &mut self.rng);
                }
            }
        }
        self.turn(now);
    }

    /// Looks for nodes and peers again after an outage of the network, in which no node answered.
    pub fn handle_network_return(&mut self, now: Instant) {
        for family in Family::ALL {
            if let Some(node) = self.local.get_mut(family) {
                node.handle_network_return(now);
            }
        }
        self.searches.handle_network_return(now);
        self.turn(now);
    }

    /// Returns the next output, in order; `None` if there is none.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The time by which [`Dht::handle`] must be called with [`Input::Timeout`], and the reason.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        let timers = [
            (self.questions.poll_timeout(), Reason::Query),
            (self.local.poll_timeout(), Reason::Upkeep),
            (self.searches.poll_timeout(), Reason::Search),
        ];
        let timers = timers.into_iter();
        timers.filter_map(|(at, reason)| Some((at?, reason))).min()
    }

    /// The counts of a member; `None` if it was never added, or was removed.
    #[must_use]
    pub fn counts(&self, key: Key) -> Option<DhtCounts> {
        let (peers, asking) = self.searches.counts(key)?;
        Some(DhtCounts {
            nodes: self.nodes(),
            peers: u32::try_from(peers).unwrap_or(u32::MAX),
            asking,
        })
    }

    /// The number of good contacts in the routing tables.
    #[must_use]
    pub fn nodes(&self) -> u32 {
        u32::try_from(self.local.count()).unwrap_or(u32::MAX)
    }

    /// Our id in the DHT of a family; `None` if there is no socket of it.
    #[must_use]
    pub fn id(&self, family: Family) -> Option<NodeId> {
        self.local.get(family).map(|node| node.id)
    }

    /// The state to save for the next run.
    #[must_use]
    pub fn state(&self) -> State {
        self.local.state()
    }

    /// Handles everything that is due.
    fn turn(&mut self, now: Instant) {
        loop {
            while let Some(event) = self.questions.poll_event() {
                self.handle_event(now, event);
            }
            if self.handle_due(now) {
                continue;
            }
            match self.searches.admit(now) {
                Some(hash) => self.begin_round(now, hash),
                None => return,
            }
        }
    }

    /// Handles the first thing that is due. Returns whether there was one.
    fn handle_due(&mut self, now: Instant) -> bool {
        let Some((_, reason)) = self.poll_timeout().filter(|(at, _)| *at <= now) else {
            return false;
        };
        match reason {
            Reason::Query => self.ask(now, |questions, net| {
                questions.handle_timeout(net);
            }),
            Reason::Upkeep => {
                if let Some((family, need)) = self.local.look_after(now, &mut self.rng) {
                    self.look_after(now, family, need);
                }
            }
            Reason::Search => {
                if let Some(Some(hash)) = self.searches.take_due(now) {
                    self.begin_round(now, hash);
                }
            }
        }
        true
    }

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Alive {
                contact,
                sees_us_at,
                named,
            } => {
                self.remember(now, contact, sees_us_at);
                self.introduce(now, contact.addr, &named);
            }
            Event::Gone(contact) => {
                if let Some(node) = self.local.get_mut(Family::of(&contact.addr)) {
                    node.table.failed(&contact);
                }
            }
            Event::Peers {
                info_hash,
                from,
                peers,
            } => self.add_peers(info_hash, from, &peers),
            Event::Over(id, lookup) => match lookup.goal {
                Goal::Nodes => self.finish_upkeep(now, &lookup),
                Goal::Peers(hash) => self.finish_search(now, hash, id, &lookup),
            },
        }
    }

    fn handle_packet(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let Ok(message) = Message::parse(bytes) else {
            return;
        };
        if self.local.get(Family::of(&from)).is_none() || !is_usable(from) {
            return;
        }
        match &message.body {
            Body::Query(query) => self.handle_query(now, from, &message, Ok(query)),
            Body::BadQuery(error) => self.handle_query(now, from, &message, Err(*error)),
            Body::Answer(answer) => self.ask(now, |questions, net| {
                questions.handle_answer(net, from, &message, answer);
            }),
            Body::Error { .. } => self.ask(now, |questions, net| {
                questions.handle_error(net, from, message.transaction);
            }),
        }
    }

    /// Calls a handler with our queries and the context that they need to send.
    pub(super) fn ask<R>(
        &mut self,
        now: Instant,
        tell: impl FnOnce(&mut Questions, &mut Net<'_>) -> R,
    ) -> R {
        let mut net = Net {
            now,
            local: &self.local,
            outputs: &mut self.outputs,
        };
        tell(&mut self.questions, &mut net)
    }

    // Queries of other nodes.

    fn handle_query(
        &mut self,
        now: Instant,
        from: SocketAddr,
        message: &Message<'_>,
        query: Result<&Question<'_>, QueryError>,
    ) {
        let asked = Asked {
            now,
            from,
            transaction: message.transaction,
            query,
        };
        let answer = self
            .server
            .as_mut()
            .and_then(|server| server.answer(&asked, &self.local, &mut self.rng));
        let Some(bytes) = answer else { return };
        let (to, bytes) = (from, bytes.into());
        self.outputs
            .push_back(Output::Net(Request::Send { to, bytes }));
        let Ok(query) = query else { return };
        // BEP 43: a read-only node must not be added to tables.
        if !message.read_only {
            let contact = Contact {
                id: query.id,
                addr: from,
            };
            self.consider(now, &contact);
        }
        if let Method::Announce { info_hash, .. } = query.method {
            self.add_stored_peers(info_hash);
        }
    }

    /// Adds peers that other nodes announced to us, if we look for them.
    pub(super) fn add_stored_peers(&mut self, hash: InfoHashV1) {
        let Some(server) = self.server.as_ref() else {
            return;
        };
        if !self.searches.is_wanted(hash) {
            return;
        }
        let stored: Vec<SocketAddr> = Family::ALL
            .into_iter()
            .flat_map(|family| server.peers(hash, family, &mut self.rng))
            .collect();
        for peer in stored {
            self.add_peers(hash, peer, &[peer]);
        }
    }

    // Changes of contacts.

    /// Pings a node that we learned of, if there is room for it.
    fn consider(&mut self, now: Instant, contact: &Contact) {
        if self.local.has_room_for(contact) {
            let (addr, id) = (contact.addr, Some(contact.id));
            self.ask(now, |questions, net| questions.ping(net, addr, id));
        }
    }

    /// Records that a node is alive, and its report of our address.
    fn remember(&mut self, now: Instant, contact: Contact, sees_us_at: Option<SocketAddr>) {
        let family = Family::of(&contact.addr);
        let stays = self.bootstrap.may_be_kept(contact.addr);
        let Some(node) = self.local.get_mut(family) else {
            return;
        };
        let first = stays && node.is_empty();
        let doubtful = if stays {
            node.table.answered(now, contact)
        } else {
            None
        };
        if let Some(ip) = sees_us_at {
            node.note_vote(now, contact.addr.ip(), ip.ip(), &mut self.rng);
        }
        let idle = node.upkeep.is_none();
        if let Some(Contact { id, addr }) = doubtful {
            self.ask(now, |questions, net| questions.ping(net, addr, Some(id)));
        }
        // The first contact of a family, possibly named by nodes of the other one: it knows others,
        // so waiting lookups need not wait for the next maintenance.
        if first && idle {
            self.look_around(now, family);
        }
    }

    /// Uses nodes of the other family to start its table.
    fn introduce(&mut self, now: Instant, from: SocketAddr, named: &[Contact]) {
        let others = named.iter().filter(|contact| {
            Family::of(&contact.addr) != Family::of(&from) && may_name_node(from, contact.addr)
        });
        for contact in others {
            if self.local.is_thin(Family::of(&contact.addr)) {
                self.consider(now, contact);
            }
        }
    }

    fn look_after(&mut self, now: Instant, family: Family, need: Need) {
        match need {
            Need::Nothing => {}
            Need::Nodes { bootstrap } => {
                if bootstrap {
                    let names = self.bootstrap.begin().into_iter();
                    self.outputs.extend(
                        names.map(|(host, port)| Output::Net(Request::Resolve { host, port })),
                    );
                }
                self.look_around(now, family);
            }
            Need::Refresh(target) => self.begin_upkeep(now, family, target),
        }
    }

    /// Starts a lookup of our neighbours.
    fn look_around(&mut self, now: Instant, family: Family) {
        if let Some(id) = self.id(family) {
            self.begin_upkeep(now, family, id);
        }
    }

    fn begin_upkeep(&mut self, now: Instant, family: Family, target: NodeId) {
        let lookup = self.begin_lookup(now, family, target, Goal::Nodes);
        if let Some(node) = self.local.get_mut(family) {
            node.upkeep = lookup;
        }
    }

    /// Starts a lookup with the known contacts.
    pub(super) fn begin_lookup(
        &mut self,
        now: Instant,
        family: Family,
        target: NodeId,
        goal: Goal,
    ) -> Option<LookupId> {
        let node = self.local.get(family)?;
        let mut lookup = Lookup::new(node.id, target, family, goal);
        for seed in node.table.closest(&target, SEEDS) {
            lookup.offer(seed, None);
        }
        if node.is_thin() {
            for addr in self.bootstrap.addrs() {
                lookup.offer_unnamed(addr);
            }
        }
        Some(self.ask(now, |questions, net| questions.begin(net, lookup)))
    }

    /// Handles the addresses of a bootstrap node.
    fn handle_bootstrap(&mut self, now: Instant, addrs: &[SocketAddr]) {
        let usable = self.bootstrap.handle_resolved(addrs);
        for family in Family::ALL {
            let of_family = usable.iter().copied();
            let of_family: Vec<SocketAddr> = of_family
                .filter(|addr| Family::of(addr) == family)
                .collect();
            if of_family.is_empty() || !self.local.is_thin(family) {
                continue;
            }
            let upkeep = self.local.get(family).and_then(|node| node.upkeep);
            let offer = |id| {
                self.ask(now, |questions, net| {
                    questions.offer_unnamed(net, id, &of_family)
                })
            };
            if !upkeep.is_some_and(offer) {
                self.look_around(now, family);
            }
            self.feed_starved(now, family);
        }
    }

    /// Handles the end of a maintenance lookup.
    fn finish_upkeep(&mut self, now: Instant, lookup: &Lookup) {
        if let Some(node) = self.local.get_mut(lookup.family) {
            node.finish_upkeep();
        }
        if lookup.effort.answers > 0 {
            self.feed_starved(now, lookup.family);
        }
    }
}
