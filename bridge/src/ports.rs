//! The TCP ports of a bridge. The UDP port of the same number is free: at the page's for the tracker,
//! at that for peers for uTP and the node of the DHT.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use aqueduct_native::net::paired_ports;
use tokio::net::{TcpListener, TcpSocket};

use crate::config::DEFAULT_PEER_PORT;
use crate::swarm::udp_port;
use crate::tracker;

/// The length of the system's backlog.
const BACKLOG: u32 = 1024;

/// Opens the page's port. If the system is to choose it (0), it is free over UDP as well.
///
/// # Errors
/// The address cannot be listened on.
pub fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let (listener, ..) = paired_ports::open(
        paired_ports::numbers(Some(addr.port()), 0..0),
        |port| open(SocketAddr::new(addr.ip(), port)),
        |port| tracker::udp::bind(SocketAddr::new(addr.ip(), port)).map(drop),
    )?;
    Ok(listener)
}

/// Opens the port for peers. `port`: a configured one, where 0 leaves it to the system; otherwise it
/// is the traditional one, or if another program uses that, be it over UDP, one of the system's
/// choice.
///
/// # Errors
/// The address cannot be listened on, or the configured port is taken over TCP.
pub fn listen_for_peers(ip: IpAddr, port: Option<u16>) -> io::Result<TcpListener> {
    let (listener, ..) = paired_ports::open(
        paired_ports::numbers(port, DEFAULT_PEER_PORT..DEFAULT_PEER_PORT + 1),
        |port| open_anywhere(ip, port),
        |port| udp_port::probe(SocketAddr::new(ip, port)),
    )?;
    Ok(listener)
}

/// On a machine without IPv6, "all addresses" are those of IPv4.
fn open_anywhere(ip: IpAddr, port: u16) -> io::Result<(TcpListener, u16)> {
    match open(SocketAddr::new(ip, port)) {
        Err(error)
            if ip.is_unspecified() && ip.is_ipv6() && error.kind() != io::ErrorKind::AddrInUse =>
        {
            open((Ipv4Addr::UNSPECIFIED, port).into())
        }
        other => other,
    }
}

fn open(addr: SocketAddr) -> io::Result<(TcpListener, u16)> {
    let socket = if addr.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A port that was used recently can be used again immediately.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    let listener = socket.listen(BACKLOG)?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_port_for_peers_is_another_one_if_a_program_uses_the_traditional_one_over_udp() {
        let ip = IpAddr::from([127, 0, 0, 63]);
        let _other = std::net::UdpSocket::bind((ip, DEFAULT_PEER_PORT)).unwrap();
        let port = |wanted| {
            let listener = listen_for_peers(ip, wanted).unwrap();
            listener.local_addr().unwrap().port()
        };
        let chosen = port(None);
        assert_ne!(chosen, DEFAULT_PEER_PORT);
        assert!(std::net::UdpSocket::bind((ip, chosen)).is_ok());
        assert_eq!(port(Some(DEFAULT_PEER_PORT)), DEFAULT_PEER_PORT);
    }
}
