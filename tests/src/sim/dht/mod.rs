//! A DHT of thousands of nodes: every honest one is the real machine, the others lie. Datagrams take time and get lost, nodes come and go.

mod liar;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use aqueduct_core::discovery::Key;
use aqueduct_core::discovery::dht::{Config, Contact, Dht, Effort, Family, Input, NodeId, Output, State, secure_id};
use aqueduct_core::types::{InfoHashV1, PeerAddr};
use aqueduct_core::{DiscoverRequest, Instant};
use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha1::{Digest, Sha1};

use self::liar::Liar;
use super::clock::Agenda;

/// UDP port of every node.
const PORT: u16 = 6881;

/// Where every peer listens.
const PEER_PORT: u16 = 7000;

/// Nodes at each distance that a node knows from an earlier run.
const ACQUAINTANCES: usize = 6;

/// Within which all nodes of the beginning start.
const START: Duration = Duration::from_secs(60);

/// What the world is like.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Nodes at any time.
    pub nodes: u32,
    /// Of these: liars, in percent.
    pub liars: u32,
    /// Datagrams that get lost.
    pub loss: f64,
    /// Share of the honest nodes that is replaced by new ones every ten minutes.
    pub churn: f64,
    /// Everything else follows from it.
    pub seed: u64,
}

enum Resident {
    Honest {
        dht: Box<Dht>,
        /// When its timer will ring.
        armed: Option<Instant>,
    },
    Liar(Liar),
    Gone,
}

enum Event {
    Start(u32),
    Packet { from: SocketAddr, to: SocketAddr, bytes: Bytes },
    Timer(u32, Instant),
    Churn,
}

/// A lookup for a swarm, from the wish to its end.
#[derive(Clone, Copy, Debug)]
pub struct Looked {
    /// What it took.
    pub effort: Effort,
    /// From the wish to the first peer; `None`: there was none.
    pub first_peer: Option<Duration>,
    /// From the wish to the announces.
    pub lasted: Duration,
}

/// The world.
pub struct World {
    plan: Plan,
    rng: ChaCha8Rng,
    agenda: Agenda<Event>,
    residents: Vec<Resident>,
    by_ip: BTreeMap<IpAddr, u32>,
    started: BTreeMap<(u32, Key), Instant>,
    found: BTreeMap<(u32, Key), (Duration, BTreeSet<PeerAddr>)>,
    looked: BTreeMap<(u32, Key), Looked>,
    /// Datagrams so far.
    pub packets: u64,
    /// Their payload.
    pub bytes: u64,
    digest: Sha1,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("plan", &self.plan).field("packets", &self.packets).finish_non_exhaustive()
    }
}

/// The `n`-th address: public, and hardly two in one /24.
fn addr(n: u32) -> SocketAddr {
    let [_, b, c, d] = (n / 71).wrapping_mul(0x9e37_79b1).to_be_bytes();
    let first = u8::try_from(20 + n % 71).expect("below 91");
    SocketAddr::from(([first, b, c, d], PORT))
}

impl World {
    /// A world in which every node knows a few others, and nobody has started yet.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let mut world = Self {
            plan,
            rng: ChaCha8Rng::seed_from_u64(plan.seed),
            agenda: Agenda::new(),
            residents: Vec::new(),
            by_ip: BTreeMap::new(),
            started: BTreeMap::new(),
            found: BTreeMap::new(),
            looked: BTreeMap::new(),
            packets: 0,
            bytes: 0,
            digest: Sha1::new(),
        };
        world.settle();
        world
    }

    /// The nodes of the beginning.
    fn settle(&mut self) {
        let mut contacts: Vec<Contact> = (0..self.plan.nodes).map(|n| self.contact(n)).collect();
        let liars: Vec<Contact> = contacts.iter().take(self.liars()).copied().collect();
        let lies: BTreeSet<Contact> = liars.iter().copied().collect();
        let numbers: BTreeMap<IpAddr, u32> = contacts.iter().zip(0..).map(|(contact, n)| (contact.addr.ip(), n)).collect();
        contacts.sort_unstable();
        let mut residents: BTreeMap<u32, Resident> = BTreeMap::new();
        for place in 0..contacts.len() {
            let (contact, number) = (contacts[place], numbers[&contacts[place].addr.ip()]);
            let resident = if lies.contains(&contact) {
                Resident::Liar(Liar::new(contact, number, &liars))
            } else {
                let known = self.acquaintances(&contacts, place);
                self.honest(State::new([(Family::V4, contact.id)], known))
            };
            residents.insert(number, resident);
            let start = START.mul_f64(self.rng.random());
            self.agenda.after(start, Event::Start(number));
        }
        self.residents = residents.into_values().collect();
        self.by_ip = numbers;
    }

    fn liars(&self) -> usize {
        (self.plan.nodes * self.plan.liars / 100) as usize
    }

    /// Everybody has an id that its address may have (BEP 42): the others have no chance.
    fn contact(&mut self, n: u32) -> Contact {
        let addr = addr(n);
        Contact { id: secure_id(addr.ip(), NodeId(self.rng.random())), addr }
    }

    /// What a node knew in an earlier run: some at every distance at which there are any.
    fn acquaintances(&mut self, sorted: &[Contact], place: usize) -> Vec<Contact> {
        let own = sorted[place].id;
        let mut known = BTreeSet::new();
        let mut around = 0..sorted.len();
        for bits in 1.. {
            // The ids that share `bits` leading bits with ours stand together in the middle of those that share one less.
            let shares = |contact: &Contact| own.shared_bits(&contact.id) >= bits;
            let near = around.clone().find(|other| shares(&sorted[*other])).unwrap_or(place);
            let length = sorted[near..around.end].iter().take_while(|contact| shares(contact)).count();
            let far: Vec<usize> = (around.start..near).chain(near + length..around.end).collect();
            known.extend((0..ACQUAINTANCES.min(far.len())).map(|_| sorted[far[self.rng.random_range(0..far.len())]]));
            around = near..near + length;
            if length <= 1 {
                break;
            }
        }
        known.into_iter().collect()
    }

    fn honest(&mut self, state: State) -> Resident {
        let config = Config { v6: false, bootstrap: vec![("nodes.example".to_owned(), PORT)], ..Config::default() };
        Resident::Honest { dht: Box::new(Dht::new(config, state, self.rng.random(), self.agenda.now())), armed: None }
    }

    /// Lets nodes come and go from now on.
    pub fn begin_churn(&mut self) {
        self.agenda.after(Duration::ZERO, Event::Churn);
    }

    /// Virtual time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.agenda.now()
    }

    /// An honest node that is there, any of them.
    pub fn any_node(&mut self) -> u32 {
        loop {
            let n = self.rng.random_range(0..self.residents.len());
            if matches!(self.residents[n], Resident::Honest { .. }) {
                return u32::try_from(n).expect("thousands of nodes");
            }
        }
    }

    /// Where the peer at a node is found.
    #[must_use]
    pub fn peer(node: u32) -> PeerAddr {
        SocketAddr::new(addr(node).ip(), PEER_PORT)
    }

    /// A node looks for a swarm, and announces itself.
    pub fn join(&mut self, node: u32, info_hash: InfoHashV1) {
        let key = Key { info_hash, owner: 0 };
        self.started.insert((node, key), self.now());
        self.with(node, |dht, now| {
            dht.add(key, PEER_PORT);
            dht.request(now, key, DiscoverRequest::Start);
        });
    }

    /// It wants no more.
    pub fn leave(&mut self, node: u32, info_hash: InfoHashV1) {
        self.with(node, |dht, now| dht.remove(now, Key { info_hash, owner: 0 }));
    }

    /// Whether a node found a peer.
    #[must_use]
    pub fn has_found(&self, node: u32, info_hash: InfoHashV1, peer: PeerAddr) -> bool {
        self.found.get(&(node, Key { info_hash, owner: 0 })).is_some_and(|(_, found)| found.contains(&peer))
    }

    /// The first lookup of a node for a swarm, once it is over.
    #[must_use]
    pub fn looked(&self, node: u32, info_hash: InfoHashV1) -> Option<Looked> {
        self.looked.get(&(node, Key { info_hash, owner: 0 })).copied()
    }

    /// Nodes that an honest node knows, on average.
    #[must_use]
    pub fn average_table(&self) -> f64 {
        let tables = self.residents.iter().filter_map(|resident| match resident {
            Resident::Honest { dht, .. } => Some(f64::from(dht.nodes())),
            Resident::Liar(_) | Resident::Gone => None,
        });
        let (sum, count) = tables.fold((0.0, 0.0), |(sum, count), nodes| (sum + nodes, count + 1.0));
        sum / f64::max(count, 1.0)
    }

    /// A digest of every datagram so far.
    #[must_use]
    pub fn digest(&self) -> [u8; 20] {
        self.digest.clone().finalize().into()
    }

    /// Lets time pass.
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
        let Some(Resident::Honest { armed, .. }) = self.residents.get_mut(node as usize) else { return };
        if *armed == Some(at) {
            *armed = None;
            self.with(node, |dht, now| dht.handle(now, Input::Timeout));
        }
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, bytes: Bytes) {
        let Some(&node) = self.by_ip.get(&to.ip()) else { return };
        match &self.residents[node as usize] {
            Resident::Honest { .. } if to.port() == PORT => self.with(node, |dht, now| dht.handle(now, Input::Packet { from, bytes })),
            Resident::Liar(liar) => {
                if let Some(answer) = liar.answer(to, from, &bytes, &mut self.rng) {
                    self.send(to, from, answer.into());
                }
            }
            Resident::Honest { .. } | Resident::Gone => {}
        }
    }

    /// Lets an honest node do something, and does what it wants.
    fn with(&mut self, node: u32, act: impl FnOnce(&mut Dht, Instant)) {
        let now = self.now();
        let Some(Resident::Honest { dht, .. }) = self.residents.get_mut(node as usize) else { return };
        act(dht, now);
        loop {
            let Some(Resident::Honest { dht, .. }) = self.residents.get_mut(node as usize) else { return };
            let Some(output) = dht.poll_output() else { break };
            self.carry_out(node, output);
        }
        self.arm(node);
    }

    fn arm(&mut self, node: u32) {
        let Some(Resident::Honest { dht, armed }) = self.residents.get_mut(node as usize) else { return };
        let next = dht.poll_timeout().map(|(at, _)| at);
        if let Some(at) = next.filter(|at| armed.is_none_or(|armed| *at < armed)) {
            *armed = Some(at);
            self.agenda.at(at, Event::Timer(node, at));
        }
    }

    fn carry_out(&mut self, node: u32, output: Output) {
        match output {
            Output::Send { to, bytes } => self.send(addr(node), to, bytes),
            Output::Resolve { .. } => {
                let addrs = (0..3).map(|_| addr(self.any_node())).collect();
                self.with(node, |dht, now| dht.handle(now, Input::Resolved(addrs)));
            }
            Output::Peers { key, addrs } => {
                let waited = self.waited(node, key);
                self.found.entry((node, key)).or_insert_with(|| (waited, BTreeSet::new())).1.extend(addrs);
            }
            Output::Looked { key, effort } => {
                let first_peer = self.found.get(&(node, key)).map(|(waited, _)| *waited);
                let looked = Looked { effort, first_peer, lasted: self.waited(node, key) };
                self.looked.entry((node, key)).or_insert(looked);
            }
            Output::Changed(_) => {}
        }
    }

    fn waited(&self, node: u32, key: Key) -> Duration {
        self.started.get(&(node, key)).map_or(Duration::ZERO, |start| self.now().since(*start))
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

    /// One leaves without a word, another one comes and knows only bootstrap nodes.
    fn churn(&mut self) {
        let gone = self.any_node();
        self.residents[gone as usize] = Resident::Gone;
        let number = u32::try_from(self.residents.len()).expect("thousands of nodes");
        let contact = self.contact(number);
        let newcomer = self.honest(State::new([(Family::V4, contact.id)], []));
        self.residents.push(newcomer);
        self.by_ip.insert(contact.addr.ip(), number);
        self.agenda.after(Duration::ZERO, Event::Start(number));
        let honest = f64::from(self.plan.nodes - self.plan.nodes * self.plan.liars / 100);
        self.agenda.after(Duration::from_secs_f64(600.0 / (honest * self.plan.churn)), Event::Churn);
    }
}
