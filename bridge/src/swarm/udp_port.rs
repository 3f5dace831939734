//! The peer port over UDP: one socket for all uTP connections, and for the node of the DHT.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use aqueduct_core::utp;
use aqueduct_native::net::udp::Sockets;
use aqueduct_native::net::utp::{Endpoint, Rest, STRANGERS_BUFFER};
use aqueduct_native::net::{Bind, Policy};

use crate::config::Config;

/// The size of a connection's send buffer in bytes. A tab gets credit for what is in it.
const SEND_BUFFER: usize = 256 * 1024;

/// Opens it, if uTP is used: at the number and the addresses of the peer port over TCP. If another
/// program uses it, peers are reached over TCP alone.
pub(crate) fn open(
    config: &Config,
    peers: SocketAddr,
    policy: &Arc<dyn Policy>,
) -> Option<(Endpoint, Rest)> {
    if config.no_utp {
        return None;
    }
    let opened = bind(config, peers, Arc::clone(policy));
    opened
        .inspect_err(|error| {
            tracing::warn!(port = peers.port(), %error, "uTP is not used: its UDP port cannot be opened");
        })
        .ok()
}

/// Whether it could be opened.
///
/// # Errors
/// It is taken, or the system's.
pub(crate) fn probe(peers: SocketAddr) -> io::Result<()> {
    Sockets::bind_only_at(addresses(peers.ip()), peers.port()).map(drop)
}

/// `::` is all addresses of both families.
fn addresses(ip: IpAddr) -> Bind {
    if ip == Ipv6Addr::UNSPECIFIED {
        Bind::default()
    } else {
        Bind::from(ip)
    }
}

fn bind(
    config: &Config,
    peers: SocketAddr,
    policy: Arc<dyn Policy>,
) -> io::Result<(Endpoint, Rest)> {
    let limits = utp::Config {
        max_connections: config.limits.utp_connections,
        first_receive_buffer: STRANGERS_BUFFER,
        send_buffer: SEND_BUFFER,
        ..utp::Config::default()
    };
    Endpoint::bind(addresses(peers.ip()), peers.port(), limits, policy)
}
