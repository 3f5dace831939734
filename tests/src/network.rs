//! A DHT of libtorrent nodes on loopback.

use std::net::SocketAddr;

use serde_json::Value;

use crate::clients::libtorrent_dht;
use crate::programs::{Program, START};

/// The number of libtorrent sessions.
const NODES: usize = 8;

/// A running network; it stops when this is dropped.
#[derive(Debug)]
pub struct Network {
    /// The process that runs the nodes; it prints JSON objects, one per line.
    pub program: Program,
    /// The addresses of the nodes, each as `HOST:PORT`.
    pub nodes: Vec<String>,
}

impl Network {
    /// Starts a network and waits until its nodes know each other. `more` are arguments of
    /// `clients/libtorrent_dht.py`.
    ///
    /// # Panics
    /// They do not find each other.
    #[must_use]
    pub fn start(more: &[&str]) -> Self {
        let mut program = libtorrent_dht(NODES, more);
        let said = read(&program.wait_for_line("\"network\"", START));
        let nodes = said["nodes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        Self { program, nodes }
    }

    /// Waits until a peer announces itself for the info-hash with these hexadecimal digits, at
    /// `port` if that is given.
    ///
    /// # Panics
    /// No such announce arrives.
    pub fn wait_for_announce(&mut self, hash: &str, port: Option<u16>) {
        loop {
            let line = self.program.wait_for_line("\"announce\"", START);
            let addr = read(&line)["addr"]
                .as_str()
                .and_then(|addr| addr.parse::<SocketAddr>().ok());
            if line.contains(hash)
                && addr.is_some_and(|addr| port.is_none_or(|port| port == addr.port()))
            {
                return;
            }
        }
    }

    /// Arguments that make our programs bootstrap from two of the nodes.
    #[must_use]
    pub fn bootstrap(&self) -> Vec<&str> {
        self.bootstrap_at("")
    }

    /// As [`Network::bootstrap`], with nodes whose address begins with `host`.
    #[must_use]
    pub fn bootstrap_at(&self, host: &str) -> Vec<&str> {
        self.nodes
            .iter()
            .filter(|node| node.starts_with(host))
            .take(2)
            .flat_map(|node| ["--dht-bootstrap", node])
            .collect()
    }
}

fn read(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_default()
}
