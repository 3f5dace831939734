//! Several datagrams per system call: Linux divides what is sent into datagrams of one length
//! (`UDP_SEGMENT`), and joins those that arrive together (`UDP_GRO`). Other systems take one each.

use std::io;
use std::net::SocketAddr;

use tokio::net::UdpSocket;

/// Datagrams from one address that arrived together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) struct Received {
    pub(in crate::net) from: SocketAddr,
    /// Their total length.
    pub(in crate::net) length: usize,
    /// The length of each, except that the last may be shorter.
    pub(in crate::net) segment: usize,
}

#[cfg(target_os = "linux")]
mod system {
    use std::io::{IoSlice, IoSliceMut};
    use std::os::fd::AsRawFd as _;

    use nix::cmsg_space;
    use nix::sys::socket::sockopt::UdpGroSegment;
    use nix::sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg,
        setsockopt,
    };
    use tokio::io::Interest;

    use super::{Received, SocketAddr, UdpSocket, io};

    pub(in crate::net) fn join_received(socket: &UdpSocket) {
        // A kernel before 5.0 cannot, and delivers one at a time.
        let _ = setsockopt(socket, UdpGroSegment, &true);
    }

    pub(in crate::net) fn send(
        socket: &UdpSocket,
        to: SocketAddr,
        bytes: &[u8],
        segment: u16,
    ) -> io::Result<()> {
        let divide = [ControlMessage::UdpGsoSegments(&segment)];
        let (slices, to) = ([IoSlice::new(bytes)], SockaddrStorage::from(to));
        let flags = MsgFlags::empty();
        sendmsg(socket.as_raw_fd(), &slices, &divide, flags, Some(&to))?;
        Ok(())
    }

    pub(in crate::net) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Received> {
        socket.try_io(Interest::READABLE, || {
            let (mut slices, mut control) = ([IoSliceMut::new(buffer)], cmsg_space!(i32));
            let received = recvmsg::<SockaddrStorage>(
                socket.as_raw_fd(),
                &mut slices,
                Some(&mut control),
                MsgFlags::empty(),
            )?;
            let joined = received.cmsgs()?.find_map(|control| match control {
                ControlMessageOwned::UdpGroSegments(length) => usize::try_from(length).ok(),
                _ => None,
            });
            let from = received.address.as_ref().and_then(address);
            Ok(Received {
                from: from.ok_or(io::ErrorKind::InvalidData)?,
                length: received.bytes,
                segment: joined
                    .filter(|length| *length > 0)
                    .unwrap_or(received.bytes),
            })
        })
    }

    fn address(from: &SockaddrStorage) -> Option<SocketAddr> {
        let v4 = from.as_sockaddr_in().map(|v4| SocketAddr::from(*v4));
        v4.or_else(|| {
            from.as_sockaddr_in6()
                .map(|v6| SocketAddr::V6((*v6).into()))
        })
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Received, SocketAddr, UdpSocket, io};

    pub(in crate::net) fn join_received(_: &UdpSocket) {}

    pub(in crate::net) fn send(_: &UdpSocket, _: SocketAddr, _: &[u8], _: u16) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in crate::net) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Received> {
        let (length, from) = socket.try_recv_from(buffer)?;
        Ok(Received {
            from,
            length,
            segment: length,
        })
    }
}

pub(super) use system::{join_received, receive, send};
