//! A DHT of thousands of nodes. Honest ones run the real state machine, the others lie. Datagrams
//! take time and get lost; nodes join and leave.

mod liar;
mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use aqueduct_core::discovery::Key;
use aqueduct_core::discovery::dht::{
    Config, Contact, Dht, Family, Input, LookupEffort, NodeId, Output, Request, State, secure_id,
};
use aqueduct_core::types::InfoHashV1;
use aqueduct_core::{DiscoverRequest, Instant};
use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha1::{Digest, Sha1};

use self::liar::Liar;
pub use self::place::Stack;
use self::place::{PORT, addr, home};
use super::clock::Agenda;

/// The peer port of every node.
const PEER_PORT: u16 = 7000;

/// The number of nodes, per distance and address family, that a node remembers from an earlier run.
const ACQUAINTANCES: usize = 6;

/// The span within which all initial nodes start.
const START: Duration = Duration::from_secs(60);

/// What a node remembers from an earlier run: its own ids, and contacts.
type Earlier = (Vec<(Family, NodeId)>, Vec<Contact>);

/// The parameters of a world.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The number of nodes at any time.
    pub nodes: u32,
    /// The percentage of nodes with IPv4 only, and with IPv6 only. The others have both.
    pub only: (u32, u32),
    /// The percentage of nodes that lie.
    pub liars: u32,
    /// The probability that a datagram is lost.
    pub loss: f64,
    /// The share of honest nodes that is replaced every ten minutes.
    pub churn: f64,
    /// The seed of all randomness.
    pub seed: u64,
}

impl Plan {
    /// The address families of the `n`-th node.
    fn stack(&self, n: u32) -> Stack {
        let (v4, v6) = self.only;
        match n.wrapping_mul(37) % 100 {
            percent if percent < v4 => Stack::V4,
            percent if percent < v4 + v6 => Stack::V6,
            _ => Stack::Both,
        }
    }

    fn liars(&self) -> u32 {
        self.nodes * self.liars / 100
    }
}

enum DhtHost {
    Honest {
        dht: Box<Dht>,
        stack: Stack,
        /// The address family of the bootstrap nodes that it resolves; `None`: any.
        hears_of: Option<Family>,
        /// When its next wake-up is scheduled.
        armed: Option<Instant>,
    },
    Liar(BTreeMap<Family, Liar>),
    Gone,
}

enum Event {
    Start(u32),
    Packet {
        from: SocketAddr,
        to: SocketAddr,
        bytes: Bytes,
    },
    Timer(u32, Instant),
    Churn,
}

/// A node's first lookup for a swarm. With both address families it covers one lookup in each.
#[derive(Clone, Copy, Debug)]
pub struct FirstLookup {
    /// The effort of the lookup; its hops are the maximum over the families.
    pub effort: LookupEffort,
    /// The number of families in which the lookup has ended.
    pub families: usize,
    /// The time to the first peer; `None` if none was found.
    pub first_peer: Option<Duration>,
    /// The time until the announces were sent.
    pub lasted: Duration,
}

impl FirstLookup {
    /// Adds the lookup in the other family, which ended later.
    fn join(&mut self, other: Self) {
        let LookupEffort {
            queries,
            answers,
            hops,
            announced,
        } = other.effort;
        let effort = &mut self.effort;
        *effort = LookupEffort {
            queries: effort.queries + queries,
            answers: effort.answers + answers,
            hops: effort.hops.max(hops),
            announced: effort.announced + announced,
        };
        (self.families, self.first_peer, self.lasted) =
            (self.families + 1, other.first_peer, other.lasted);
    }
}

/// A simulated DHT.
pub struct World {
    plan: Plan,
    rng: ChaCha8Rng,
    agenda: Agenda<Event>,
    residents: Vec<DhtHost>,
    by_home: BTreeMap<IpAddr, u32>,
    started: BTreeMap<(u32, Key), Instant>,
    found: BTreeMap<(u32, Key), (Duration, BTreeSet<SocketAddr>)>,
    first_lookup: BTreeMap<(u32, Key), FirstLookup>,
    /// The number of datagrams sent so far.
    pub packets: u64,
    /// The number of payload bytes sent so far.
    pub bytes: u64,
    digest: Sha1,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("plan", &self.plan)
            .field("packets", &self.packets)
            .finish_non_exhaustive()
    }
}

impl World {
    /// Creates a world in which every node knows a few others and no node has started yet.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let mut world = Self {
            plan,
            rng: ChaCha8Rng::seed_from_u64(plan.seed),
            agenda: Agenda::new(),
            residents: Vec::new(),
            by_home: BTreeMap::new(),
            started: BTreeMap::new(),
            found: BTreeMap::new(),
            first_lookup: BTreeMap::new(),
            packets: 0,
            bytes: 0,
            digest: Sha1::new(),
        };
        world.settle();
        world
    }

    /// Creates the initial nodes.
    fn settle(&mut self) {
        let mut earlier: BTreeMap<u32, Earlier> = BTreeMap::new();
        let mut lies: BTreeMap<u32, BTreeMap<Family, Liar>> = BTreeMap::new();
        for family in [Family::V4, Family::V6] {
            let members: Vec<u32> = (0..self.plan.nodes)
                .filter(|n| self.plan.stack(*n).has(family))
                .collect();
            let mut contacts: Vec<(Contact, u32)> = members
                .into_iter()
                .map(|n| (self.contact(n, family), n))
                .collect();
            let liars: Vec<Contact> = contacts
                .iter()
                .filter(|(_, n)| *n < self.plan.liars())
                .map(|(contact, _)| *contact)
                .collect();
            contacts.sort_unstable();
            for place in 0..contacts.len() {
                let (contact, n) = contacts[place];
                if n < self.plan.liars() {
                    lies.entry(n)
                        .or_default()
                        .insert(family, Liar::new(contact, n, &liars));
                } else {
                    let (ids, known) = earlier.entry(n).or_default();
                    ids.push((family, contact.id));
                    known.extend(self.acquaintances(&contacts, place));
                }
            }
        }
        for n in 0..self.plan.nodes {
            let resident = match lies.remove(&n) {
                Some(liar) => DhtHost::Liar(liar),
                None => {
                    let (ids, known) = earlier.remove(&n).unwrap_or_default();
                    self.honest(self.plan.stack(n), State::new(ids, known), None)
                }
            };
            let start = START.mul_f64(self.rng.random());
            self.settle_in(self.plan.stack(n), resident, start);
        }
    }

    /// Creates the next node, which starts after this delay.
    fn settle_in(&mut self, stack: Stack, resident: DhtHost, start: Duration) -> u32 {
        let n = u32::try_from(self.residents.len()).expect("thousands of nodes");
        self.residents.push(resident);
        self.by_home.extend(
            stack
                .families()
                .iter()
                .map(|family| (home(addr(n, *family).ip()), n)),
        );
        self.agenda.after(start, Event::Start(n));
        n
    }

    /// The contact of a node. Every id fits its node's address (BEP 42), since others are at a
    /// disadvantage.
    fn contact(&mut self, n: u32, family: Family) -> Contact {
        let addr = addr(n, family);
        Contact {
            id: secure_id(addr.ip(), NodeId(self.rng.random())),
            addr,
        }
    }

    /// Contacts that a node remembers from an earlier run: some at every distance that has any.
    fn acquaintances(&mut self, sorted: &[(Contact, u32)], place: usize) -> BTreeSet<Contact> {
        let own = sorted[place].0.id;
        let mut known = BTreeSet::new();
        let mut around = 0..sorted.len();
        for bits in 1.. {
            // Ids that share `bits` leading bits with ours are contiguous, in the middle of those
            // that share one bit less.
            let shares = |(contact, _): &(Contact, u32)| own.shared_bits(&contact.id) >= bits;
            let near = around
                .clone()
                .find(|other| shares(&sorted[*other]))
                .unwrap_or(place);
            let length = sorted[near..around.end]
                .iter()
                .take_while(|contact| shares(contact))
                .count();
            let far: Vec<usize> = (around.start..near)
                .chain(near + length..around.end)
                .collect();
            known.extend(
                (0..ACQUAINTANCES.min(far.len()))
                    .map(|_| sorted[far[self.rng.random_range(0..far.len())]].0),
            );
            around = near..near + length;
            if length <= 1 {
                break;
            }
        }
        known
    }

    fn honest(&mut self, stack: Stack, state: State, hears_of: Option<Family>) -> DhtHost {
        let [v4, v6] = [Family::V4, Family::V6].map(|family| stack.has(family));
        let config = Config {
            v4,
            v6,
            bootstrap: vec![("nodes.example".to_owned(), PORT)],
            ..Config::default()
        };
        let dht = Box::new(Dht::new(
            config,
            state,
            self.rng.random(),
            self.agenda.now(),
        ));
        DhtHost::Honest {
            dht,
            stack,
            hears_of,
            armed: None,
        }
    }

    /// Adds a node that starts now without contacts and without ids that fit its addresses, and
    /// that resolves bootstrap nodes of one family only.
    pub fn add_stranger(&mut self, stack: Stack, hears_of: Family) -> u32 {
        let stranger = self.honest(stack, State::default(), Some(hears_of));
        self.settle_in(stack, stranger, Duration::ZERO)
    }

    /// Starts replacing nodes.
    pub fn begin_churn(&mut self) {
        self.agenda.after(Duration::ZERO, Event::Churn);
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.agenda.now()
    }

    /// A random honest node that is running.
    pub fn any_node(&mut self) -> u32 {
        self.any(|_| true)
    }

    /// A random honest node with exactly these address families.
    pub fn any_node_with(&mut self, wanted: Stack) -> u32 {
        self.any(|stack| stack == wanted)
    }

    fn any(&mut self, fits: impl Fn(Stack) -> bool) -> u32 {
        loop {
            let n = self.rng.random_range(0..self.residents.len());
            if matches!(self.residents[n], DhtHost::Honest { stack, .. } if fits(stack)) {
                return u32::try_from(n).expect("thousands of nodes");
            }
        }
    }

    /// The state machine of a node, while the node is running.
    #[must_use]
    pub fn dht(&self, node: u32) -> Option<&Dht> {
        match &self.residents[node as usize] {
            DhtHost::Honest { dht, .. } => Some(dht),
            DhtHost::Liar(_) | DhtHost::Gone => None,
        }
    }

    /// The address of a node in a family.
    #[must_use]
    pub fn addr(node: u32, family: Family) -> SocketAddr {
        addr(node, family)
    }

    /// Makes a node look for peers of a swarm and announce itself.
    pub fn join(&mut self, node: u32, info_hash: InfoHashV1) {
        let key = Key {
            info_hash,
            owner: 0,
        };
        self.started.insert((node, key), self.now());
        self.with(node, |dht, now| {
            dht.add(key, PEER_PORT);
            dht.request(now, key, DiscoverRequest::Start);
        });
    }

    /// Makes a node leave a swarm.
    pub fn leave(&mut self, node: u32, info_hash: InfoHashV1) {
        self.with(node, |dht, now| {
            dht.remove(
                now,
                Key {
                    info_hash,
                    owner: 0,
                },
            )
        });
    }

    /// Whether a node found the peer at another node, in any family.
    #[must_use]
    pub fn has_found(&self, node: u32, info_hash: InfoHashV1, peer: u32) -> bool {
        let places = [Family::V4, Family::V6]
            .map(|family| SocketAddr::new(addr(peer, family).ip(), PEER_PORT));
        let found = self.found.get(&(
            node,
            Key {
                info_hash,
                owner: 0,
            },
        ));
        found.is_some_and(|(_, found)| places.iter().any(|place| found.contains(place)))
    }

    /// The first lookup of a node for a swarm, once it has ended in at least one family.
    #[must_use]
    pub fn first_lookup(&self, node: u32, info_hash: InfoHashV1) -> Option<FirstLookup> {
        self.first_lookup
            .get(&(
                node,
                Key {
                    info_hash,
                    owner: 0,
                },
            ))
            .copied()
    }

    /// The average number of contacts in the tables of honest nodes.
    #[must_use]
    pub fn average_table(&self) -> f64 {
        let tables = self.residents.iter().filter_map(|resident| match resident {
            DhtHost::Honest { dht, .. } => Some(f64::from(dht.nodes())),
            DhtHost::Liar(_) | DhtHost::Gone => None,
        });
        let (sum, count) =
            tables.fold((0.0, 0.0), |(sum, count), nodes| (sum + nodes, count + 1.0));
        sum / f64::max(count, 1.0)
    }

    /// A digest of all datagrams so far.
    #[must_use]
    pub fn digest(&self) -> [u8; 20] {
        self.digest.clone().finalize().into()
    }

    /// Advances the virtual time.
    pub fn run(&mut self, span: Duration) {
        let end = self.now() + span;
        while let Some(event) = self.agenda.next(end) {
            match event {
                Event::Start(node) => self.with(node, |dht, now| dht.handle(now, Input::Timeout)),
                Event::Packet { from, to, bytes } => self.deliver(from, to, bytes),
                Event::Timer(node, at) => self.ring(node, at),
                Event::Churn => self.churn(),
            }
        }
        self.agenda.rest(end);
    }

    fn ring(&mut self, node: u32, at: Instant) {
        let Some(DhtHost::Honest { armed, .. }) = self.residents.get_mut(node as usize) else {
            return;
        };
        if *armed == Some(at) {
            *armed = None;
            self.with(node, |dht, now| dht.handle(now, Input::Timeout));
        }
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, bytes: Bytes) {
        let Some(&node) = self.by_home.get(&home(to.ip())) else {
            return;
        };
        match &self.residents[node as usize] {
            DhtHost::Honest { .. } if to == addr(node, Family::of(&to)) => self
                .with(node, |dht, now| {
                    dht.handle(now, Input::Packet { from, bytes })
                }),
            DhtHost::Liar(liar) => {
                if let Some(answer) = liar
                    .get(&Family::of(&to))
                    .and_then(|liar| liar.answer(to, from, &bytes, &mut self.rng))
                {
                    self.send(to, from, answer.into());
                }
            }
            DhtHost::Honest { .. } | DhtHost::Gone => {}
        }
    }

    /// Calls the machine of an honest node, and carries out its outputs.
    fn with(&mut self, node: u32, act: impl FnOnce(&mut Dht, Instant)) {
        let now = self.now();
        let Some(DhtHost::Honest { dht, .. }) = self.residents.get_mut(node as usize) else {
            return;
        };
        act(dht, now);
        loop {
            let Some(DhtHost::Honest { dht, .. }) = self.residents.get_mut(node as usize) else {
                return;
            };
            let Some(output) = dht.poll_output() else {
                break;
            };
            self.carry_out(node, output);
        }
        self.arm(node);
    }

    fn arm(&mut self, node: u32) {
        let Some(DhtHost::Honest { dht, armed, .. }) = self.residents.get_mut(node as usize) else {
            return;
        };
        let next = dht.poll_timeout().map(|(at, _)| at);
        if let Some(at) = next.filter(|at| armed.is_none_or(|armed| *at < armed)) {
            *armed = Some(at);
            self.agenda.at(at, Event::Timer(node, at));
        }
    }

    fn carry_out(&mut self, node: u32, output: Output) {
        match output {
            Output::Net(Request::Send { to, bytes }) => {
                self.send(addr(node, Family::of(&to)), to, bytes)
            }
            Output::Net(Request::Resolve { .. }) => self.resolve(node),
            Output::Peers { key, addrs } => {
                let waited = self.waited(node, key);
                self.found
                    .entry((node, key))
                    .or_insert_with(|| (waited, BTreeSet::new()))
                    .1
                    .extend(addrs);
            }
            Output::LookupEnded { key, effort } => {
                let first_peer = self.found.get(&(node, key)).map(|(waited, _)| *waited);
                let first_lookup = FirstLookup {
                    effort,
                    families: 1,
                    first_peer,
                    lasted: self.waited(node, key),
                };
                let families = self.stack(node).map_or(1, |stack| stack.families().len());
                let first_round = |first: &mut FirstLookup| {
                    if first.families < families {
                        first.join(first_lookup)
                    }
                };
                self.first_lookup
                    .entry((node, key))
                    .and_modify(first_round)
                    .or_insert(first_lookup);
            }
            Output::Changed(_) => {}
        }
    }

    /// Resolves a node's bootstrap names to a few bootstrap nodes.
    fn resolve(&mut self, node: u32) {
        let DhtHost::Honest { hears_of, .. } = self.residents[node as usize] else {
            return;
        };
        let nodes = [(); 3].map(|()| self.any_node());
        let places = nodes.into_iter().filter_map(|n| Some((n, self.stack(n)?)));
        let places = places
            .flat_map(|(n, stack)| stack.families().iter().map(move |family| addr(n, *family)));
        let addrs = places
            .filter(|place| hears_of.is_none_or(|family| Family::of(place) == family))
            .collect();
        self.with(node, |dht, now| dht.handle(now, Input::Resolved(addrs)));
    }

    fn stack(&self, node: u32) -> Option<Stack> {
        match self.residents[node as usize] {
            DhtHost::Honest { stack, .. } => Some(stack),
            DhtHost::Liar(_) | DhtHost::Gone => None,
        }
    }

    fn waited(&self, node: u32, key: Key) -> Duration {
        self.started
            .get(&(node, key))
            .map_or(Duration::ZERO, |start| self.now().since(*start))
    }

    fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: Bytes) {
        self.packets += 1;
        self.bytes += bytes.len() as u64;
        self.digest.update(self.now().as_micros().to_be_bytes());
        self.digest.update(&bytes);
        if !self.rng.random_bool(self.plan.loss) {
            let delay = Duration::from_micros(self.rng.random_range(10_000..120_000));
            self.agenda.after(delay, Event::Packet { from, to, bytes });
        }
    }

    /// Replaces a node: one disappears without notice, and a new one starts that knows only
    /// bootstrap nodes.
    fn churn(&mut self) {
        let gone = self.any_node();
        self.residents[gone as usize] = DhtHost::Gone;
        let n = u32::try_from(self.residents.len()).expect("thousands of nodes");
        let stack = self.plan.stack(n);
        let ids: Vec<(Family, NodeId)> = stack
            .families()
            .iter()
            .map(|family| (*family, self.contact(n, *family).id))
            .collect();
        let newcomer = self.honest(stack, State::new(ids, []), None);
        self.settle_in(stack, newcomer, Duration::ZERO);
        let honest = f64::from(self.plan.nodes - self.plan.liars());
        self.agenda.after(
            Duration::from_secs_f64(600.0 / (honest * self.plan.churn)),
            Event::Churn,
        );
    }
}
