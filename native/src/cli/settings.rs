//! The driver's settings for `get` and `seed`, derived from the flags.

use std::path::Path;
use std::sync::Arc;

use aqueduct_core::Config;
use aqueduct_core::connection::Encryption;
use aqueduct_native::descriptors::Shares;
use aqueduct_native::discovery::{DhtOptions, PUBLIC_NODES};
use aqueduct_native::driver::Settings;
use aqueduct_native::port_mapping;

use super::flags::{DiscoveryFlags, EncryptionMode, SwarmFlags};
use super::network::Network;

/// Properties of the session's torrents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Torrents {
    pub(crate) count: usize,
    /// Whether all are private: then neither the DHT nor local discovery is used at all, so that
    /// not even our presence is announced (BEP 27).
    pub(crate) private: bool,
}

/// The driver's settings, and the maximum number of open files. `state`: the folder in which the
/// DHT state is stored.
pub(crate) fn settings(
    flags: &SwarmFlags,
    state: &Path,
    torrents: Torrents,
    reached: &Network,
) -> (Settings, usize) {
    let SwarmFlags {
        network, discovery, ..
    } = flags;
    let (limits, shares) = limits(flags, torrents.count);
    let config = Config {
        blocklist: Arc::clone(&reached.blocklist),
        ..limits
    };
    let settings = Settings {
        config,
        outbound: reached.outbound.clone(),
        port: network.port,
        tcp: !network.no_tcp,
        utp: !network.no_utp,
        trackers: !discovery.no_trackers,
        typed_trackers: discovery.tracker.clone(),
        dht: dht(discovery, state).filter(|_| !torrents.private),
        lsd: !discovery.no_lsd && !torrents.private,
        encryption: match network.encryption {
            EncryptionMode::Allow => Encryption::Allow,
            EncryptionMode::Require => Encryption::Require,
            EncryptionMode::Off => Encryption::Off,
        },
        port_mapping: port_mapping(flags),
        half_open: shares.half_open,
    };
    (settings, shares.files)
}

/// How the gateway is asked for our port. Peers elsewhere cannot reach a loopback address, whatever
/// a gateway forwards, and with a proxy nothing else is contacted.
fn port_mapping(flags: &SwarmFlags) -> Option<port_mapping::Options> {
    let network = &flags.network;
    let is_loopback = network.bind.is_some_and(|bind| {
        let v6 = bind.v6.is_some_and(|v6| v6.is_loopback());
        bind.v4.is_some_and(|v4| v4.is_loopback()) || v6
    });
    let is_off = network.no_port_mapping || network.proxy.is_some() || is_loopback;
    (!is_off).then(|| port_mapping::Options {
        gateway: network.port_mapping_gateway,
        ..port_mapping::Options::default()
    })
}

/// The engine's limits, and the division of the system's descriptor limit.
fn limits(flags: &SwarmFlags, torrents: usize) -> (Config, Shares) {
    let usual = Config::default();
    let max_peers = flags.limits.max_peers.map_or(usual.max_peers, usize::from);
    let shares = Shares::of_limit(torrents, usual.max_peers_total.max(max_peers));
    let config = Config {
        pex: !flags.discovery.no_pex,
        max_peers,
        max_peers_total: shares.peers,
        max_dialling: shares.dialling,
        ..usual
    };
    (config, shares)
}

/// Nodes given by the user replace the public ones. They are ordinary nodes of a network that may
/// have no others.
fn dht(flags: &DiscoveryFlags, state: &Path) -> Option<DhtOptions> {
    if flags.no_dht {
        return None;
    }
    let named = flags.dht_bootstrap.iter();
    let named: Vec<_> = named
        .map(|node| (bracketed(&node.host), node.port))
        .collect();
    let public = PUBLIC_NODES.map(|(host, port)| (host.to_owned(), port));
    let keep_bootstrap = !named.is_empty();
    Some(DhtOptions {
        bootstrap: if keep_bootstrap {
            named
        } else {
            public.to_vec()
        },
        keep_bootstrap,
        read_only: false,
        port: 0,
        state: Some(state.join("dht")),
    })
}

/// A host as in URLs, with an IPv6 address in brackets.
fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::flags::{Command, Flags};
    use super::*;

    fn settings_of(flags: &[&str], private: bool) -> Settings {
        let typed = ["aqueduct", "get", "x.torrent"].iter().chain(flags);
        let Command::Get(flags) = Flags::try_parse_from(typed).unwrap().command else {
            panic!("get was typed")
        };
        let torrents = Torrents { count: 1, private };
        let network = Network::new(&flags.swarm.network, |_| {}).unwrap();
        settings(&flags.swarm, Path::new("/state"), torrents, &network).0
    }

    #[test]
    fn named_nodes_replace_the_public_ones() {
        let dht = settings_of(&[], false).dht.unwrap();
        assert!(!dht.keep_bootstrap && dht.bootstrap.len() == PUBLIC_NODES.len());
        let dht = settings_of(&["--dht-bootstrap", "[::1]:7"], false).dht;
        let dht = dht.unwrap();
        assert!(dht.keep_bootstrap);
        assert_eq!(dht.bootstrap, [("[::1]".to_owned(), 7)]);
    }

    #[test]
    fn private_torrents_alone_use_neither_dht_nor_local_network() {
        let settings = settings_of(&["--no-pex", "--max-peers", "9"], true);
        assert!(settings.dht.is_none() && !settings.lsd && settings.trackers);
        assert!(!settings.config.pex && settings.config.max_peers == 9);
        let settings = settings_of(&["--no-trackers", "--port", "0"], false);
        assert!(settings.lsd && !settings.trackers && settings.port == Some(0));
    }

    #[test]
    fn the_gateway_is_asked_unless_that_is_switched_off_or_we_listen_at_loopback() {
        let of = |flags: &[&str]| settings_of(flags, true).port_mapping;
        assert_eq!(of(&[]).map(|options| options.gateway), Some(None));
        let named = of(&["--port-mapping-gateway", "192.168.7.1"]).unwrap();
        assert_eq!(named.gateway, Some([192, 168, 7, 1].into()));
        assert!(of(&["--bind", "192.168.7.2"]).is_some());
        for off in [
            &["--no-port-mapping"][..],
            &["--bind", "127.0.0.1"],
            &["--bind", "::1"],
            &["--proxy", "socks5://127.0.0.1:1080"],
        ] {
            assert!(of(off).is_none(), "{off:?}");
        }
    }

    #[test]
    fn tcp_and_utp_are_used_unless_one_is_switched_off() {
        let used = |flags: &[&str]| {
            let settings = settings_of(flags, false);
            (settings.tcp, settings.utp)
        };
        assert_eq!(used(&[]), (true, true));
        assert_eq!(used(&["--no-tcp"]), (false, true));
        assert_eq!(used(&["--no-utp"]), (true, false));
    }
}
