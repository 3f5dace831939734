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
        let half = if to.is_ipv4() { &self.v4 } else { &self.v6 };
        let half = half
            .as_ref()
            .ok_or_else(|| io::Error::from(io::ErrorKind::NetworkUnreachable))?;
        // Not through tokio, whose sockets accept nothing before their first turn in the event
        // loop.
        match SockRef::from(&half.socket).send_to(bytes, &to.into()) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
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
