//! Our DHT node: the state machine with its sockets and its file. Its port is our listening port,
//! which it shares with uTP unless that is off.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::discovery::dht::{Config, Dht, Input, Output, State};
use aqueduct_core::discovery::{Key, Swarm};
use aqueduct_core::types;
use aqueduct_core::{DiscoverRequest, Instant};

use super::DhtOptions;
use super::node_file::NodeFile;
use super::port::Port;
use crate::net::{Policy, Purpose, Target};

/// The interval at which ids and nodes are saved.
const KEEP_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// The node.
pub(super) struct Node {
    machine: Dht,
    port: Port,
    policy: Arc<dyn Policy>,
    file: Option<NodeFile>,
    kept: Instant,
}

/// A task that the node delegates.
pub(super) enum Errand {
    /// Resolve a bootstrap node.
    Resolve(String, u16),
    /// Pass peers to a member.
    Peers(Key, Vec<SocketAddr>),
    /// Publish a member's new counts.
    Counts(Key),
}

impl Node {
    /// Creates the node from its file. `lookups`: see [`Config::lookups`].
    pub(super) fn new(
        options: DhtOptions,
        lookups: Option<(u32, Duration)>,
        port: Port,
        policy: Arc<dyn Policy>,
        seed: [u8; 32],
    ) -> io::Result<Self> {
        let (file, state) = options
            .state
            .map_or((None, State::default()), NodeFile::open);
        let config = Config {
            v4: port.sockets().has_v4(),
            v6: port.sockets().has_v6(),
            bootstrap: options.bootstrap,
            keep_bootstrap: options.keep_bootstrap,
            read_only: options.read_only,
            lookups,
            ..Config::default()
        };
        let machine = Dht::new(config, state, seed, Instant::ZERO);
        Ok(Self {
            machine,
            port,
            policy,
            file,
            kept: Instant::ZERO,
        })
    }

    /// The port at which other nodes reach us.
    pub(super) fn port(&self) -> u16 {
        self.port.sockets().port()
    }

    /// The number of known nodes.
    pub(super) fn count(&self) -> u32 {
        self.machine.nodes()
    }

    pub(super) const fn machine(&self) -> &Dht {
        &self.machine
    }

    /// Adds a member. BEP 27: a private torrent is never added.
    pub(super) fn join(&mut self, key: Key, swarm: &Swarm) -> bool {
        if !swarm.private {
            self.machine.add(key, swarm.port);
        }
        !swarm.private
    }

    pub(super) fn set_port(&mut self, now: Instant, key: Key, port: u16) {
        self.machine.set_port(now, key, port);
    }

    pub(super) fn leave(&mut self, now: Instant, key: Key) {
        self.machine.remove(now, key);
    }

    pub(super) fn request(&mut self, now: Instant, key: Key, request: DiscoverRequest) {
        self.machine.request(now, key, request);
    }

    pub(super) fn handle(&mut self, now: Instant, input: Input) {
        if !self.turn_away(now, &input) {
            self.machine.handle(now, input);
        }
        if now.since(self.kept) >= KEEP_INTERVAL {
            self.kept = now;
            self.keep();
        }
    }

    /// Handles a uTP datagram. Returns whether it was one.
    fn turn_away(&mut self, now: Instant, input: &Input) -> bool {
        let Input::Packet { from, bytes } = input else {
            return false;
        };
        let Some(reset) = self.port.turn_away(now, *from, bytes) else {
            return false;
        };
        if let Err(why) = self.transmit(*from, &reset) {
            tracing::trace!(to = %from, why, "no reset sent");
        }
        true
    }

    /// Sends pending datagrams. Returns the next delegated task.
    pub(super) fn drain(&mut self, now: Instant) -> Option<Errand> {
        loop {
            match self.machine.poll_output()? {
                Output::Send { to, bytes } => self.send(now, to, &bytes),
                Output::Resolve { host, port } => return Some(Errand::Resolve(host, port)),
                Output::Peers { key, addrs } => return Some(Errand::Peers(key, addrs)),
                Output::Changed(key) => return Some(Errand::Counts(key)),
                Output::LookupEnded { key, effort } => {
                    tracing::debug!(info_hash = %key.info_hash, ?effort, "DHT lookup")
                }
            }
        }
    }

    /// Sends a datagram. The destination comes from other nodes, so every address is checked.
    fn transmit(&self, to: SocketAddr, bytes: &[u8]) -> Result<(), String> {
        self.policy
            .check(&Target::new(Purpose::Dht, to))
            .map_err(|refusal| refusal.to_string())?;
        self.port
            .sockets()
            .send(to, bytes)
            .map_err(|error| error.to_string())
    }

    fn send(&mut self, now: Instant, to: SocketAddr, bytes: &[u8]) {
        if let Err(why) = self.transmit(to, bytes) {
            tracing::trace!(%to, why, "not sent to a DHT node");
            self.machine.handle(now, Input::Unreachable(to));
        }
    }

    /// Saves ids and nodes to the file.
    pub(super) fn keep(&self) {
        self.file
            .iter()
            .for_each(|file| file.keep(&self.machine.state()));
    }
}

/// The next input of the node, if there is one: a datagram, or a timeout.
pub(super) async fn input(node: Option<&mut Node>, start: tokio::time::Instant) -> Input {
    let Some(node) = node else {
        return pending().await;
    };
    let due = node
        .machine
        .poll_timeout()
        .map(|(due, _)| start + due.since(types::Instant::ZERO));
    tokio::select! {
        (from, bytes) = node.port.receive() => Input::Packet { from, bytes },
        () = crate::until::until(due) => Input::Timeout,
    }
}
