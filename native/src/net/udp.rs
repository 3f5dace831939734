//! One datagram socket per address family.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;

use super::bind::Bind;

/// Longest datagram that is read: 200 IPv6 peers of a tracker are 3,620 bytes.
pub(super) const MAX_DATAGRAM: usize = 16 << 10;

/// A socket per family.
#[derive(Debug)]
pub struct Sockets {
    v4: Option<Half>,
    v6: Option<Half>,
}

#[derive(Debug)]
struct Half {
    socket: UdpSocket,
    buffer: Vec<u8>,
}

impl Sockets {
    /// Binds the addresses of `bind`, on ports of the system's choice. A machine without IPv6 gets
    /// IPv4 alone.
    ///
    /// # Errors
    /// No family could be bound: the system's error.
    pub fn bind(bind: Bind) -> io::Result<Self> {
        Self::bind_to(bind, 0)
    }

    /// The same on `port`, or if that is taken on any other.
    ///
    /// # Errors
    /// As for [`Sockets::bind`].
    pub fn bind_at(bind: Bind, port: u16) -> io::Result<Self> {
        let wanted = Self::bind_to(bind, port);
        if port == 0 {
            wanted
        } else {
            wanted.or_else(|_| Self::bind_to(bind, 0))
        }
    }

    /// The same on `port` and no other.
    ///
    /// # Errors
    /// As for [`Sockets::bind`]; the port is taken.
    pub fn bind_only_at(bind: Bind, port: u16) -> io::Result<Self> {
        Self::bind_to(bind, port)
    }

    fn bind_to(bind: Bind, port: u16) -> io::Result<Self> {
        let v4 = bind
            .v4
            .map(|ip| Half::bind(SocketAddr::new(ip.into(), port)))
            .transpose();
        let v6 = bind
            .v6
            .map(|ip| Half::bind(SocketAddr::new(ip.into(), port)))
            .transpose();
        match (v4, v6) {
            (Err(error), Err(_) | Ok(None)) | (Ok(None), Err(error)) => Err(error),
            (v4, v6) => Ok(Self {
                v4: v4.ok().flatten(),
                v6: v6.ok().flatten(),
            }),
        }
    }

    /// Whether there is a socket of IPv4.
    #[must_use]
    pub const fn has_v4(&self) -> bool {
        self.v4.is_some()
    }

    /// Whether there is a socket of IPv6.
    #[must_use]
    pub const fn has_v6(&self) -> bool {
        self.v6.is_some()
    }

    /// The port of the IPv4 socket, or without one that of the IPv6 socket.
    #[must_use]
    pub fn port(&self) -> u16 {
        let half = self.v4.as_ref().or(self.v6.as_ref());
        half.and_then(|half| half.socket.local_addr().ok())
            .map_or(0, |addr| addr.port())
    }

    /// Sends without waiting. What does not fit into the system's buffer is lost, as datagrams are.
    ///
    /// # Errors
    /// The address cannot be reached from here.
    pub fn send(&self, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        match self.try_send(to, bytes) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// As [`Sockets::send`], for callers that repeat a datagram which could not be sent.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if the system's buffer is full; otherwise as for
    /// [`Sockets::send`].
    pub fn try_send(&self, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        // Not through tokio, whose sockets accept nothing before their first turn in the event
        // loop.
        SockRef::from(&self.half(to)?.socket)
            .send_to(bytes, &to.into())
            .map(|_| ())
    }

    /// Sends a datagram that no router may fragment.
    ///
    /// # Errors
    /// It is longer than the system can send as one, or as for [`Sockets::try_send`].
    pub fn try_send_whole(&self, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        let half = self.half(to)?;
        fragmenting::forbid(&half.socket, to)?;
        let sent = self.try_send(to, bytes);
        fragmenting::allow(&half.socket, to)?;
        sent
    }

    /// Permits fragmentation of sent datagrams, except by [`Sockets::try_send_whole`].
    ///
    /// # Errors
    /// The system's error.
    pub fn allow_fragments(&self) -> io::Result<()> {
        for (half, any) in [
            (&self.v4, SocketAddr::from(([0; 4], 0))),
            (&self.v6, SocketAddr::from(([0_u16; 8], 0))),
        ] {
            if let Some(half) = half {
                fragmenting::allow(&half.socket, any)?;
            }
        }
        Ok(())
    }

    /// Waits until a datagram may be available. Cancel-safe.
    pub async fn readable(&self) {
        tokio::select! {
            () = readable(self.v4.as_ref()) => {}
            () = readable(self.v6.as_ref()) => {}
        }
    }

    /// The sender and length of an available datagram; `None` if there is none.
    pub fn try_receive(&self, buffer: &mut [u8]) -> Option<(SocketAddr, usize)> {
        [&self.v4, &self.v6]
            .into_iter()
            .flatten()
            .find_map(|half| half.socket.try_recv_from(buffer).ok())
            .map(|(length, from)| (from, length))
    }

    fn half(&self, to: SocketAddr) -> io::Result<&Half> {
        let half = if to.is_ipv4() { &self.v4 } else { &self.v6 };
        half.as_ref()
            .ok_or_else(|| io::ErrorKind::NetworkUnreachable.into())
    }

    /// The next datagram of either socket. Nothing is lost if the future is dropped.
    pub async fn receive(&mut self) -> (SocketAddr, Bytes) {
        tokio::select! {
            datagram = receive(&mut self.v4) => datagram,
            datagram = receive(&mut self.v6) => datagram,
        }
    }
}

impl Half {
    fn bind(addr: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            socket: open(addr)?,
            buffer: vec![0; MAX_DATAGRAM],
        })
    }
}

/// Whether sent datagrams may be fragmented. Systems other than Linux decide themselves.
mod fragmenting {
    use std::io;
    use std::net::SocketAddr;

    use tokio::net::UdpSocket;

    #[cfg(target_os = "linux")]
    pub(super) fn forbid(socket: &UdpSocket, to: SocketAddr) -> io::Result<()> {
        use rustix::net::sockopt::{Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
        set(
            socket,
            to,
            Ipv4PathMtuDiscovery::PROBE,
            Ipv6PathMtuDiscovery::PROBE,
        )
    }

    #[cfg(target_os = "linux")]
    pub(super) fn allow(socket: &UdpSocket, to: SocketAddr) -> io::Result<()> {
        use rustix::net::sockopt::{Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
        set(
            socket,
            to,
            Ipv4PathMtuDiscovery::DONT,
            Ipv6PathMtuDiscovery::DONT,
        )
    }

    #[cfg(target_os = "linux")]
    fn set(
        socket: &UdpSocket,
        to: SocketAddr,
        v4: rustix::net::sockopt::Ipv4PathMtuDiscovery,
        v6: rustix::net::sockopt::Ipv6PathMtuDiscovery,
    ) -> io::Result<()> {
        use rustix::net::sockopt::{set_ip_mtu_discover, set_ipv6_mtu_discover};
        match to {
            SocketAddr::V4(_) => set_ip_mtu_discover(socket, v4)?,
            SocketAddr::V6(_) => set_ipv6_mtu_discover(socket, v6)?,
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn forbid(_: &UdpSocket, _: SocketAddr) -> io::Result<()> {
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn allow(_: &UdpSocket, _: SocketAddr) -> io::Result<()> {
        Ok(())
    }
}

/// A socket bound to `addr`, for its family alone.
pub(super) fn open(addr: SocketAddr) -> io::Result<UdpSocket> {
    let domain = if addr.is_ipv4() {
        Domain::IPV4
    } else {
        Domain::IPV6
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    UdpSocket::from_std(socket.into())
}

async fn readable(half: Option<&Half>) {
    match half {
        // An error occurs again in the read that follows.
        Some(half) => drop(half.socket.readable().await),
        None => pending().await,
    }
}

async fn receive(half: &mut Option<Half>) -> (SocketAddr, Bytes) {
    let Some(half) = half else {
        return pending().await;
    };
    loop {
        match half.socket.recv_from(&mut half.buffer).await {
            Ok((length, from)) => return (from, Bytes::copy_from_slice(&half.buffer[..length])),
            // An unconnected socket reports passing errors only; with the pause a lasting one does
            // not keep a core busy.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
