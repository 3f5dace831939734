//! One datagram socket per address family.

mod fragmenting;
mod half;
mod segments;

use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use socket2::SockRef;

use self::half::Half;
pub(super) use self::half::{MAX_DATAGRAM, open};
pub(super) use self::segments::Received;
use super::bind::Bind;

/// The size of a buffer for [`Sockets::try_receive`]: the longest datagram, or several that the
/// system joined.
pub(super) const MAX_RECEIVED: usize = 64 << 10;

/// A socket per family.
#[derive(Debug)]
pub struct Sockets {
    v4: Option<Half>,
    v6: Option<Half>,
}

impl Sockets {
    /// Binds the addresses of `bind`, on ports of the system's choice. A machine without IPv6 gets
    /// IPv4 alone. Sockets that are bound to an interface or its address are opened again when it
    /// changes; while it is missing, nothing can be sent.
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
    /// As for [`Sockets::bind`]; the port is taken, be it over one family alone.
    pub fn bind_only_at(bind: Bind, port: u16) -> io::Result<Self> {
        Self::bind_to(bind, port)
    }

    fn bind_to(bind: Bind, port: u16) -> io::Result<Self> {
        let half = |is_v4| Half::bind(bind, is_v4, port);
        let v4 = bind.v4.map(|_| half(true)).transpose();
        let v6 = bind.v6.map(|_| half(false)).transpose();
        match (v4, v6) {
            (Err(error), Err(_) | Ok(None)) | (Ok(None), Err(error)) => Err(error),
            // A machine without IPv6 is no error; a port that is in use there is.
            (Err(error), _) | (_, Err(error)) if error.kind() == io::ErrorKind::AddrInUse => {
                Err(error)
            }
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
        half.and_then(|half| half.socket().local_addr().ok())
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
        SockRef::from(&*self.half(to)?.sender()?)
            .send_to(bytes, &to.into())
            .map(|_| ())
    }

    /// As [`Sockets::try_send`], from our address `local`. If that is gone, or not ours, the system
    /// chooses.
    fn try_send_from(&self, to: SocketAddr, local: Option<IpAddr>, bytes: &[u8]) -> io::Result<()> {
        if local.is_some() {
            let socket = self.half(to)?.sender()?;
            match segments::send(&socket, to, local, bytes, None) {
                Err(error) if !matches!(error.kind(), io::ErrorKind::WouldBlock) => {}
                sent => return sent,
            }
        }
        self.try_send(to, bytes)
    }

    /// Sends a datagram that no router may fragment. `local`: our address that it leaves from;
    /// `None`: the system chooses.
    ///
    /// # Errors
    /// It is longer than the system can send as one, or as for [`Sockets::try_send`].
    pub fn try_send_whole(
        &self,
        to: SocketAddr,
        local: Option<IpAddr>,
        bytes: &[u8],
    ) -> io::Result<()> {
        let socket = self.half(to)?.sender()?;
        fragmenting::forbid(&socket, to.is_ipv4())?;
        let sent = self.try_send_from(to, local, bytes);
        fragmenting::allow(&socket, to.is_ipv4())?;
        sent
    }

    /// Prepares the sockets for connections: sent datagrams may be fragmented, except by
    /// [`Sockets::try_send_whole`], several are received at once where the system can join them, the
    /// system tells to which address they were sent where it can, and its buffers are larger.
    ///
    /// # Errors
    /// The system's error.
    pub fn carry_payload(&self) -> io::Result<()> {
        let mut halves = [&self.v4, &self.v6].into_iter().flatten();
        halves.try_for_each(Half::carry_payload)
    }

    /// Sends datagrams of `segment` bytes each, except that the last may be shorter. Returns the
    /// number of bytes sent; the rest did not fit into the system's buffer. `local`: our address
    /// that they leave from; `None`: the system chooses.
    ///
    /// # Errors
    /// As for [`Sockets::try_send`], for the first of them.
    pub fn try_send_many(
        &self,
        to: SocketAddr,
        local: Option<IpAddr>,
        bytes: &[u8],
        segment: usize,
    ) -> io::Result<usize> {
        let length = u16::try_from(segment)
            .ok()
            .filter(|_| bytes.len() > segment);
        if let Some(length) = length {
            let socket = self.half(to)?.sender()?;
            match segments::send(&socket, to, local, bytes, Some(length)) {
                Ok(()) => return Ok(bytes.len()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                // The system or the device cannot divide them.
                Err(_) => {}
            }
        }
        let mut sent = 0;
        for datagram in bytes.chunks(segment.max(1)) {
            match self.try_send_from(to, local, datagram) {
                Ok(()) => sent += datagram.len(),
                Err(_) if sent > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// Waits until a datagram may be available. Cancel-safe.
    pub async fn readable(&self) {
        tokio::select! {
            () = readable(self.v4.as_ref()) => {}
            () = readable(self.v6.as_ref()) => {}
        }
    }

    /// The available datagrams of one sender, as many as the system has joined; `None` if there are
    /// none.
    pub(super) fn try_receive(&self, buffer: &mut [u8]) -> Option<Received> {
        [&self.v4, &self.v6]
            .into_iter()
            .flatten()
            .find_map(|half| segments::receive(&*half.used()?, buffer).ok())
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

async fn readable(half: Option<&Half>) {
    match half {
        Some(half) => half.readable().await,
        None => pending().await,
    }
}

async fn receive(half: &mut Option<Half>) -> (SocketAddr, Bytes) {
    let Some(half) = half else {
        return pending().await;
    };
    half.receive().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_is_taken_if_another_program_uses_it_over_one_family() {
        let other = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        let port = other.local_addr().unwrap().port();
        let taken = Sockets::bind_only_at(Bind::default(), port).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        let elsewhere = Sockets::bind_at(Bind::default(), port).unwrap();
        assert!(elsewhere.has_v4() && elsewhere.port() != port);
    }
}
