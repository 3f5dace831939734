//! A small simulated network of nodes, with virtual time, a delay per datagram, and a log of all
//! datagrams.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::discovery::dht::krpc::{Body, Message, Method};
use crate::discovery::dht::{Config, Dht, Input, Output, Request, State};
use crate::discovery::{DhtCounts, Key};
use crate::io::DiscoverRequest;
use crate::types::{InfoHashV1, Instant};

/// The one-way delay.
const DELAY: Duration = Duration::from_millis(20);

pub(super) const HASH: InfoHashV1 = InfoHashV1([0x5a; 20]);
pub(super) const KEY: Key = Key {
    info_hash: HASH,
    owner: 1,
};

pub(super) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The address of the `n`-th node, each in its own network.
pub(super) fn addr(n: u16) -> SocketAddr {
    let [high, low] = n.to_be_bytes();
    SocketAddr::from(([11, high, low, 9], 6881))
}

#[derive(Default)]
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) nodes: BTreeMap<SocketAddr, Dht>,
    /// Datagrams in flight: arrival time, sequence number, source, destination.
    under_way: BTreeMap<(Instant, u64), (SocketAddr, SocketAddr, Bytes)>,
    sent: u64,
    /// All sent datagrams, with the time.
    pub(super) log: Vec<(Instant, SocketAddr, SocketAddr, Bytes)>,
    pub(super) found: BTreeMap<(SocketAddr, Key), BTreeSet<SocketAddr>>,
    pub(super) resolves: Vec<(Instant, String)>,
    /// The addresses that every name resolves to.
    pub(super) names: Vec<SocketAddr>,
}

impl World {
    /// Nodes that have the first node's address as a bootstrap node, after they have found each
    /// other.
    pub(super) fn of(count: u16) -> Self {
        let mut world = Self {
            names: vec![addr(0)],
            ..Self::default()
        };
        (0..count).for_each(|n| world.start(addr(n), named()));
        world.run(secs(90));
        world
    }

    pub(super) fn start(&mut self, addr: SocketAddr, config: Config) {
        self.start_with(addr, config, State::default());
    }

    pub(super) fn start_with(&mut self, addr: SocketAddr, config: Config, state: State) {
        let mut seed = [0; 32];
        seed[..2].copy_from_slice(&addr.port().to_be_bytes());
        if let SocketAddr::V4(v4) = addr {
            seed[2..6].copy_from_slice(&v4.ip().octets());
        }
        self.nodes
            .insert(addr, Dht::new(config, state, seed, self.now));
        self.handle(addr, Input::Timeout);
    }

    pub(super) fn node(&self, addr: SocketAddr) -> &Dht {
        &self.nodes[&addr]
    }

    pub(super) fn counts(&self, addr: SocketAddr) -> DhtCounts {
        self.node(addr).counts(KEY).unwrap()
    }

    /// Starts a member of the swarm of [`HASH`] at a node.
    pub(super) fn join(&mut self, addr: SocketAddr, port: u16) {
        self.nodes.get_mut(&addr).unwrap().add(KEY, port);
        self.request(addr, DiscoverRequest::Start);
    }

    pub(super) fn request(&mut self, addr: SocketAddr, request: DiscoverRequest) {
        let now = self.now;
        self.nodes
            .get_mut(&addr)
            .unwrap()
            .request(now, KEY, request);
        self.drain(addr);
    }

    pub(super) fn handle(&mut self, addr: SocketAddr, input: Input) {
        let now = self.now;
        self.nodes.get_mut(&addr).unwrap().handle(now, input);
        self.drain(addr);
    }

    pub(super) fn drain(&mut self, node: SocketAddr) {
        while let Some(output) = self.nodes.get_mut(&node).unwrap().poll_output() {
            match output {
                Output::Net(Request::Send { to, bytes }) => self.send(node, to, bytes),
                Output::Net(Request::Resolve { host, .. }) => {
                    self.resolves.push((self.now, host));
                    let names = self.names.clone();
                    self.nodes
                        .get_mut(&node)
                        .unwrap()
                        .handle(self.now, Input::Resolved(names));
                }
                Output::Peers { key, addrs } => {
                    self.found.entry((node, key)).or_default().extend(addrs)
                }
                Output::Changed(_) | Output::LookupEnded { .. } => {}
            }
        }
    }

    pub(super) fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: Bytes) {
        self.log.push((self.now, from, to, bytes.clone()));
        self.under_way
            .insert((self.now + DELAY, self.sent), (from, to, bytes));
        self.sent += 1;
    }

    pub(super) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let due = self
                .nodes
                .iter()
                .filter_map(|(addr, node)| Some((node.poll_timeout()?.0, *addr)))
                .min();
            let arrives = self.under_way.keys().next().copied();
            match (arrives, due) {
                (Some(key), _) if key.0 <= due.map_or(end, |(at, _)| at).min(end) => {
                    self.now = key.0.max(self.now);
                    let (from, to, bytes) = self.under_way.remove(&key).unwrap();
                    if self.nodes.contains_key(&to) {
                        self.handle(to, Input::Packet { from, bytes });
                    }
                }
                (_, Some((at, addr))) if at <= end => {
                    self.now = at.max(self.now);
                    self.handle(addr, Input::Timeout);
                }
                _ => break,
            }
        }
        self.now = end;
    }

    /// Queries of a kind that a node has sent since `from`.
    pub(super) fn asked(
        &self,
        from: Instant,
        node: SocketAddr,
        wanted: impl Fn(&Method<'_>) -> bool,
    ) -> Vec<Instant> {
        let sent = self
            .log
            .iter()
            .filter(|(at, sender, _, _)| *at >= from && *sender == node);
        let matching = sent.filter(
            |(_, _, _, bytes)| match Message::parse(bytes).unwrap().body {
                Body::Query(query) => wanted(&query.method),
                _ => false,
            },
        );
        matching.map(|(at, ..)| *at).collect()
    }
}

/// A configuration with the bootstrap node's name, which treats it as an ordinary node.
pub(super) fn named() -> Config {
    Config {
        v6: false,
        keep_bootstrap: true,
        bootstrap: vec![("first.example".to_owned(), 6881)],
        ..Config::default()
    }
}
