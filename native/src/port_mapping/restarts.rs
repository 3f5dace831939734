//! Gateways that restart say so to the network, because they have lost all mappings then.

use std::future::pending;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::access::Access;
use super::exchange::MAX_DATAGRAM;
use super::gateway::Gateway;
use super::{nat_pmp, pcp};

/// The group of all hosts, to which announcements are sent (RFC 6886, 3.2.1; RFC 6887, 14.1.3).
const ALL_HOSTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);

/// Listens for announcements of one gateway.
#[derive(Debug)]
pub(super) struct Restarts {
    /// `None`: the port cannot be shared, or the family is IPv6. Lost mappings are noticed when
    /// they are renewed.
    socket: Option<UdpSocket>,
    gateway: Gateway,
}

impl Restarts {
    pub(super) fn listen(access: &Access) -> Self {
        let gateway = access.gateway;
        let socket = match gateway.ours {
            IpAddr::V4(ours) => open(access, ours)
                .inspect_err(|error| tracing::debug!(%error, "restarts are not heard"))
                .ok(),
            IpAddr::V6(_) => None,
        };
        Self { socket, gateway }
    }

    /// Resolves when the gateway announced that it restarted. Cancel-safe.
    pub(super) async fn heard(&mut self) {
        let Some(socket) = &self.socket else {
            return pending().await;
        };
        let mut buffer = [0; MAX_DATAGRAM + 1];
        loop {
            match socket.recv_from(&mut buffer).await {
                Ok((length, from)) => {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    if from.ip() == self.gateway.ip() && is_announcement(datagram) {
                        return;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "restarts are no longer heard");
                    self.socket = None;
                    return pending().await;
                }
            }
        }
    }
}

/// An announcement has the form of an answer: to NAT-PMP's question for the external address, or to
/// PCP's opcode ANNOUNCE.
fn is_announcement(datagram: &[u8]) -> bool {
    matches!(nat_pmp::read_address(datagram), Some(Ok(_)))
        || matches!(pcp::read_announced(datagram), Some(Ok(())))
}

/// A socket that shares the port with other programs on this machine.
fn open(access: &Access, ours: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    access.bind.source(true)?.bind_device(&socket)?;
    let here = SocketAddr::from((Ipv4Addr::UNSPECIFIED, access.ports.announcements));
    socket.bind(&here.into())?;
    // Every host is in this group already, on the interfaces where the system listens to it.
    let _ = socket.join_multicast_v4(&ALL_HOSTS, &ours);
    UdpSocket::from_std(socket.into())
}
