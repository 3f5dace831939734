//! Several datagrams per system call: Linux divides what is sent into datagrams of one length
//! (`UDP_SEGMENT`), and joins those that arrive together (`UDP_GRO`). It also tells to which of our
//! addresses they were sent, and sends from a given one (`IP_PKTINFO`, `IPV6_RECVPKTINFO`). Other
//! systems take one datagram each, and choose the address.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::UdpSocket;

/// Datagrams from one address that arrived together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) struct Received {
    pub(in crate::net) from: SocketAddr,
    /// Our address that they were sent to, if the system tells.
    pub(in crate::net) local: Option<IpAddr>,
    /// Their total length.
    pub(in crate::net) length: usize,
    /// The length of each, except that the last may be shorter.
    pub(in crate::net) segment: usize,
}

#[cfg(target_os = "linux")]
mod system {
    use std::io::{IoSlice, IoSliceMut};
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::os::fd::AsRawFd as _;

    use nix::cmsg_space;
    use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
    use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo, UdpGroSegment};
    use nix::sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg,
        setsockopt,
    };
    use tokio::io::Interest;

    use super::{IpAddr, Received, SocketAddr, UdpSocket, io};

    pub(in crate::net) fn join_received(socket: &UdpSocket) {
        // A kernel before 5.0 cannot, and delivers one at a time.
        let _ = setsockopt(socket, UdpGroSegment, &true);
    }

    pub(in crate::net) fn report_destinations(socket: &UdpSocket, is_v4: bool) -> io::Result<()> {
        match is_v4 {
            true => setsockopt(socket, Ipv4PacketInfo, &true)?,
            false => setsockopt(socket, Ipv6RecvPacketInfo, &true)?,
        }
        Ok(())
    }

    pub(in crate::net) fn send(
        socket: &UdpSocket,
        to: SocketAddr,
        local: Option<IpAddr>,
        bytes: &[u8],
        segment: Option<u16>,
    ) -> io::Result<()> {
        let (v4, v6) = match local {
            Some(IpAddr::V4(local)) => (Some(leaving_from_v4(local)), None),
            Some(IpAddr::V6(local)) => (None, Some(leaving_from_v6(local))),
            None => (None, None),
        };
        let divide = segment.as_ref().map(ControlMessage::UdpGsoSegments);
        let v4 = v4.as_ref().map(ControlMessage::Ipv4PacketInfo);
        let v6 = v6.as_ref().map(ControlMessage::Ipv6PacketInfo);
        let control: Vec<ControlMessage<'_>> = [divide, v4, v6].into_iter().flatten().collect();
        let (slices, to) = ([IoSlice::new(bytes)], SockaddrStorage::from(to));
        let flags = MsgFlags::empty();
        sendmsg(socket.as_raw_fd(), &slices, &control, flags, Some(&to))?;
        Ok(())
    }

    /// The system chooses the interface.
    fn leaving_from_v4(local: Ipv4Addr) -> in_pktinfo {
        in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: in_addr {
                s_addr: u32::from_ne_bytes(local.octets()),
            },
            ipi_addr: in_addr { s_addr: 0 },
        }
    }

    /// The system chooses the interface.
    const fn leaving_from_v6(local: Ipv6Addr) -> in6_pktinfo {
        in6_pktinfo {
            ipi6_addr: in6_addr {
                s6_addr: local.octets(),
            },
            ipi6_ifindex: 0,
        }
    }

    pub(in crate::net) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Received> {
        socket.try_io(Interest::READABLE, || {
            let mut slices = [IoSliceMut::new(buffer)];
            let mut control = cmsg_space!(i32, in_pktinfo, in6_pktinfo);
            let received = recvmsg::<SockaddrStorage>(
                socket.as_raw_fd(),
                &mut slices,
                Some(&mut control),
                MsgFlags::empty(),
            )?;
            let (mut joined, mut local) = (None, None);
            for control in received.cmsgs()? {
                match control {
                    ControlMessageOwned::UdpGroSegments(length) => {
                        joined = usize::try_from(length).ok();
                    }
                    ControlMessageOwned::Ipv4PacketInfo(info) => {
                        let octets = info.ipi_spec_dst.s_addr.to_ne_bytes();
                        local = Some(IpAddr::from(octets));
                    }
                    ControlMessageOwned::Ipv6PacketInfo(info) => {
                        local = Some(IpAddr::from(info.ipi6_addr.s6_addr));
                    }
                    _ => {}
                }
            }
            let from = received.address.as_ref().and_then(address);
            Ok(Received {
                from: from.ok_or(io::ErrorKind::InvalidData)?,
                local: local.filter(|local| !local.is_multicast() && !local.is_unspecified()),
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
    use super::{IpAddr, Received, SocketAddr, UdpSocket, io};

    pub(in crate::net) fn join_received(_: &UdpSocket) {}

    pub(in crate::net) fn report_destinations(_: &UdpSocket, _: bool) -> io::Result<()> {
        Ok(())
    }

    pub(in crate::net) fn send(
        _: &UdpSocket,
        _: SocketAddr,
        _: Option<IpAddr>,
        _: &[u8],
        _: Option<u16>,
    ) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in crate::net) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Received> {
        let (length, from) = socket.try_recv_from(buffer)?;
        Ok(Received {
            from,
            local: None,
            length,
            segment: length,
        })
    }
}

pub(super) use system::{join_received, receive, report_destinations, send};
