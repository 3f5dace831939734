//! The multicast groups of local discovery (BEP 14): one socket per interface, so that announces
//! are sent and received on each.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{self, Poll};

use aqueduct_core::discovery::lsd::{Announce, GROUP_V4, GROUP_V6, MAX_DATAGRAM, PORT};
use bytes::Bytes;
use if_addrs::{Interface, get_if_addrs};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

use crate::net::{Bind, Source};

/// The number of errors in a row after which a socket is no longer read.
const MAX_ERRORS: usize = 8;

/// The sockets of the groups. Without a usable interface there are none, and nothing is sent or
/// received.
#[derive(Debug)]
pub(super) struct Groups {
    bind: Bind,
    members: Vec<Member>,
    /// One byte more than an announce may have, so that a longer one is not taken for a whole one.
    buffer: [u8; MAX_DATAGRAM + 1],
}

#[derive(Debug)]
struct Member {
    place: Place,
    socket: UdpSocket,
}

/// An interface on which a group can be joined. One that was removed and added again differs by its
/// index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    at: At,
    index: Option<u32>,
    /// The interface to which the socket is bound, if we are bound to one.
    source: Option<Source>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// The interface with this address.
    V4(Ipv4Addr),
    /// The interface with this index.
    V6(u32),
}

impl Groups {
    /// Creates the groups; none is joined before [`Groups::refresh`].
    pub(super) const fn new(bind: Bind) -> Self {
        Self {
            bind,
            members: Vec::new(),
            buffer: [0; MAX_DATAGRAM + 1],
        }
    }

    /// Joins on new interfaces, and leaves on those that are gone. Interfaces without multicast are
    /// skipped.
    pub(super) fn refresh(&mut self) {
        let mut places: Vec<Place> = get_if_addrs()
            .unwrap_or_default()
            .iter()
            .filter_map(|interface| place(self.bind, interface))
            .collect();
        self.members.retain(|member| places.contains(&member.place));
        places.retain(|place| !self.members.iter().any(|member| member.place == *place));
        for place in places {
            match place.join() {
                // An index may occur twice, since an interface may have several addresses.
                Ok(socket) if !self.members.iter().any(|member| member.place == place) => {
                    self.members.push(Member { place, socket })
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(?place, %error, "no local discovery here"),
            }
        }
    }

    /// Sends to the group on every interface. Failures are ignored, as for any lost datagram.
    pub(super) fn send(&self, announce: &Announce) {
        for Member { place, socket } in &self.members {
            let group = place.group();
            // Bypasses tokio, whose sockets cannot send before their first turn in the event loop.
            let sent = SockRef::from(socket).send_to(
                &announce.encode(group),
                &SocketAddr::new(group, PORT).into(),
            );
            sent.err()
                .into_iter()
                .for_each(|error| tracing::debug!(?place, %error, "not announced here"));
        }
    }

    /// The next datagram of any group, with its sender. Nothing is lost if the future is dropped.
    /// A socket whose errors do not end is left; [`Groups::refresh`] joins there again.
    pub(super) async fn receive(&mut self) -> (IpAddr, Bytes) {
        let Self {
            members, buffer, ..
        } = self;
        poll_fn(|context| {
            let mut received = None;
            members.retain(|member| {
                if received.is_some() {
                    return true;
                }
                match member.poll(context, buffer) {
                    Ok(datagram) => received = datagram,
                    Err(error) => {
                        tracing::debug!(place = ?member.place, %error, "no local discovery here");
                        return false;
                    }
                }
                true
            });
            received.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

impl Member {
    /// A datagram that is available; `None`: the task is woken when there is one. After an error the
    /// socket is read again, since it wakes the task only when a read finds nothing.
    fn poll(
        &self,
        context: &mut task::Context<'_>,
        buffer: &mut [u8],
    ) -> io::Result<Option<(IpAddr, Bytes)>> {
        let mut last = None;
        for _ in 0..MAX_ERRORS {
            let mut into = ReadBuf::new(buffer);
            match self.socket.poll_recv_from(context, &mut into) {
                Poll::Pending => return Ok(None),
                Poll::Ready(Ok(from)) => {
                    let datagram = Bytes::copy_from_slice(into.filled());
                    return Ok(Some((from.ip(), datagram)));
                }
                Poll::Ready(Err(error)) => last = Some(error),
            }
        }
        last.map_or(Ok(None), Err)
    }
}

/// The place on an interface, as far as `bind` permits: one interface or address only, or every
/// interface that is not loopback.
fn place(bind: Bind, interface: &Interface) -> Option<Place> {
    let ip = interface.ip();
    let is_used = bind.uses(&interface.name, ip);
    let (at, index) = match ip {
        IpAddr::V4(v4) => (At::V4(v4), interface.index),
        IpAddr::V6(_) => (At::V6(interface.index?), interface.index),
    };
    let is_named = !bind.is_any(ip.is_ipv4()) || !interface.is_loopback();
    let source = bind.is_specific().then(|| bind.source(ip.is_ipv4()).ok());
    let place = Place {
        at,
        index,
        source: source.flatten(),
    };
    (is_used && is_named).then_some(place)
}

impl Place {
    fn group(self) -> IpAddr {
        match self.at {
            At::V4(_) => GROUP_V4.into(),
            At::V6(_) => GROUP_V6.into(),
        }
    }

    /// A socket at the group's port, which is shared with other clients on this machine.
    fn join(self) -> io::Result<UdpSocket> {
        let any = if self.group().is_ipv4() {
            IpAddr::from(Ipv4Addr::UNSPECIFIED)
        } else {
            Ipv6Addr::UNSPECIFIED.into()
        };
        let socket = Socket::new(
            Domain::for_address(SocketAddr::new(any, PORT)),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        socket.set_reuse_address(true)?;
        if let Some(source) = self.source {
            source.bind_device(&socket)?;
        }
        match self.at {
            At::V4(ours) => {
                socket.set_multicast_if_v4(&ours)?;
                socket.join_multicast_v4(&GROUP_V4, &ours)?;
            }
            At::V6(index) => {
                socket.set_only_v6(true)?;
                socket.set_multicast_if_v6(index)?;
                socket.join_multicast_v6(&GROUP_V6, index)?;
            }
        }
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::new(any, PORT).into())?;
        UdpSocket::from_std(socket.into())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_datagram_that_follows_an_error_is_received() {
        let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = closed.local_addr().unwrap();
        drop(closed);
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(addr).await.unwrap();
        socket.send(b"nobody listens there").await.unwrap();
        // The next read reports that, and the one after it has the datagram.
        let theirs = UdpSocket::bind(addr).await.unwrap();
        let ours = socket.local_addr().unwrap();
        theirs.send_to(b"announce", ours).await.unwrap();
        let place = Place {
            at: At::V4(Ipv4Addr::LOCALHOST),
            index: None,
            source: None,
        };
        let mut groups = Groups::new(Bind::default());
        groups.members.push(Member { place, socket });
        let receiving = tokio::spawn(async move { groups.receive().await });
        let received = timeout(Duration::from_secs(10), receiving).await;
        let expected = (addr.ip(), Bytes::from_static(b"announce"));
        assert_eq!(received.unwrap().unwrap(), expected);
    }
}
