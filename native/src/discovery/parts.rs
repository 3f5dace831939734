//! The state machine of discovery with what it needs of the system.

use std::io;

use aqueduct_core::Instant;
use aqueduct_core::discovery::Discovery;
use aqueduct_core::discovery::dht::{Config, State};

use super::network::Network;
use super::node_file::NodeFile;
use super::node_port::NodePort;
use super::{DhtOptions, Options};
use crate::net::utp::Rest;
use crate::random::random;

/// Everything that one task drives.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The state machine, whose time starts at [`Instant::ZERO`].
    pub(crate) machine: Discovery,
    /// Where its requests are carried out.
    pub(crate) network: Network,
    /// The file for the state of its DHT node; `None` if it is not saved.
    pub(crate) node_file: Option<NodeFile>,
}

impl Parts {
    /// Opens the sockets and the file. `shared`: as in [`Network::open`].
    ///
    /// # Errors
    /// No datagram socket could be bound, or the system has no randomness.
    pub(crate) fn open(options: Options, shared: Option<Rest>) -> io::Result<Self> {
        let network = Network::open(&options, shared)?;
        let lookups = options.config.lookups;
        let machine = Discovery::new(options.config, random()?);
        let (Some(dht), Some(port)) = (options.dht, network.node_port()) else {
            return Ok(Self {
                machine,
                network,
                node_file: None,
            });
        };
        let config = Config {
            lookups,
            ..config(&dht, port)
        };
        let (node_file, state) = dht.state.map_or((None, State::default()), NodeFile::open);
        Ok(Self {
            machine: machine.with_dht(config, state, random()?, Instant::ZERO),
            network,
            node_file,
        })
    }
}

fn config(options: &DhtOptions, port: &NodePort) -> Config {
    Config {
        v4: port.sockets().has_v4(),
        v6: port.sockets().has_v6(),
        bootstrap: options.bootstrap.clone(),
        keep_bootstrap: options.keep_bootstrap,
        read_only: options.read_only,
        ..Config::default()
    }
}
