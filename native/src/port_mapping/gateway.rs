//! The gateway: the router of the default route, and our address on its network.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use crate::net::Bind;

/// Routes of Linux. Elsewhere these files do not exist, and the user names the gateway.
const ROUTES_V4: &str = "/proc/net/route";
const ROUTES_V6: &str = "/proc/net/ipv6_route";

/// Flags of a route: it is up, and leads to a gateway.
const UP: u32 = 1;
const TO_GATEWAY: u32 = 2;

/// An address of the internet, by which the system says which of our addresses it would send from.
/// Nothing is sent.
const SOMEWHERE_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0x4860, 0, 0, 0, 0, 0, 1);

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

/// A gateway, and our address as it sees us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gateway {
    addr: IpAddr,
    /// The interface that leads to a link-local address; 0: it needs none.
    scope: u32,
    /// The address that its mappings lead to.
    pub(super) ours: IpAddr,
}

impl Gateway {
    /// The gateway of the default route.
    ///
    /// # Errors
    /// There is none of this family, or we have no address on its network.
    pub(super) fn of_default_route(family: Family, bind: Bind) -> io::Result<Self> {
        match family {
            Family::V4 => {
                let routes = fs::read_to_string(ROUTES_V4)?;
                let addr =
                    default_v4(&routes, |name| leads(bind, name)).ok_or(io::ErrorKind::NotFound)?;
                Self::named(addr.into(), bind)
            }
            Family::V6 => {
                let routes = fs::read_to_string(ROUTES_V6)?;
                let found = default_v6(&routes, |name| leads(bind, name));
                let (addr, interface) = found.ok_or(io::ErrorKind::NotFound)?;
                Self::at_interface(addr, interface, bind)
            }
        }
    }

    /// The gateway at an address that the user gave.
    ///
    /// # Errors
    /// We have no address of this family.
    pub(super) fn named(addr: IpAddr, bind: Bind) -> io::Result<Self> {
        let ours = own_address(SocketAddr::new(addr, 9), bind)?;
        Ok(Self {
            addr,
            scope: 0,
            ours,
        })
    }

    fn at_interface(addr: Ipv6Addr, interface: &str, bind: Bind) -> io::Result<Self> {
        let interfaces = if_addrs::get_if_addrs()?;
        let named = interfaces.into_iter().find(|one| one.name == interface);
        let scope = named.and_then(|one| one.index).unwrap_or(0);
        let ours = own_address(SocketAddr::from((SOMEWHERE_V6, 9)), bind)?;
        Ok(Self {
            addr: addr.into(),
            scope,
            ours,
        })
    }

    /// A socket for datagrams to the gateway, at our address.
    ///
    /// # Errors
    /// The address or the interface that we are bound to is gone.
    pub(super) fn open_udp(&self, bind: Bind) -> io::Result<UdpSocket> {
        self.open_udp_at(SocketAddr::new(self.ours, 0), bind)
    }

    /// The same for answers that come from the gateway's address only if they go to an address of
    /// the same scope: to a global one, a gateway answers from its own global one. Without a
    /// link-local address that we may use, our usual one is used.
    ///
    /// # Errors
    /// As for [`Gateway::open_udp`].
    pub(super) fn open_udp_nearby(&self, bind: Bind) -> io::Result<UdpSocket> {
        match self.nearby(bind) {
            Some(nearby) => self.open_udp_at(nearby, bind),
            None => self.open_udp(bind),
        }
    }

    fn open_udp_at(&self, ours: SocketAddr, bind: Bind) -> io::Result<UdpSocket> {
        let socket = datagram_socket(self.addr)?;
        bind.for_remote(self.at(0))?.bind_device(&socket)?;
        socket.bind(&ours.into())?;
        UdpSocket::from_std(socket.into())
    }

    /// Where the system chooses our link-local address for a gateway that is reached at its own one,
    /// unless another address is prescribed.
    fn nearby(&self, bind: Bind) -> Option<SocketAddr> {
        let is_free = bind.v6.is_some_and(|ours| ours.is_unspecified());
        (self.scope != 0 && is_free).then(|| (Ipv6Addr::UNSPECIFIED, 0).into())
    }

    /// Connects from our address, which is the one that a gateway opens pinholes for.
    ///
    /// # Errors
    /// The gateway cannot be connected to, or the address or the interface that we are bound to is
    /// gone.
    pub(super) async fn connect(&self, bind: Bind, port: u16) -> io::Result<TcpStream> {
        let to = self.at(port);
        let socket = match to {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        bind.for_remote(to)?.bind_device(&socket)?;
        socket.bind(SocketAddr::new(self.ours, 0))?;
        socket.connect(to).await
    }

    /// A group of devices, as it is reached on the gateway's network.
    pub(super) const fn group(&self, group: IpAddr, port: u16) -> SocketAddr {
        match group {
            IpAddr::V4(v4) => SocketAddr::V4(SocketAddrV4::new(v4, port)),
            IpAddr::V6(v6) => SocketAddr::V6(SocketAddrV6::new(v6, port, 0, self.scope)),
        }
    }

    /// The gateway's address.
    pub(super) const fn ip(&self) -> IpAddr {
        self.addr
    }

    /// The gateway at a port.
    pub(super) const fn at(&self, port: u16) -> SocketAddr {
        self.group(self.addr, port)
    }
}

/// Our address for reaching `remote`, of those that are used. Nothing is sent.
fn own_address(remote: SocketAddr, bind: Bind) -> io::Result<IpAddr> {
    let socket = datagram_socket(remote.ip())?;
    bind.for_remote(remote)?.bind(&socket, 0)?;
    socket.connect(&remote.into())?;
    let ours = socket.local_addr()?.as_socket().map(|ours| ours.ip());
    ours.filter(|ours| !ours.is_unspecified())
        .ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

fn datagram_socket(remote: IpAddr) -> io::Result<Socket> {
    let domain = match remote {
        IpAddr::V4(_) => Domain::IPV4,
        IpAddr::V6(_) => Domain::IPV6,
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Whether what is bound may use an interface.
fn leads(bind: Bind, interface: &str) -> bool {
    let has_ours =
        |one: &if_addrs::Interface| one.name == interface && bind.uses(interface, one.ip());
    !bind.is_specific()
        || if_addrs::get_if_addrs().is_ok_and(|interfaces| interfaces.iter().any(has_ours))
}

/// The gateway of the default route with the lowest metric, of those by interfaces that are used, in
/// the format of /proc/net/route; `None` if that route leads to no gateway, as those of tunnels.
fn default_v4(routes: &str, is_used: impl Fn(&str) -> bool) -> Option<Ipv4Addr> {
    let routes = routes.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let hex = |index: usize| u32::from_str_radix(fields.get(index)?, 16).ok();
        let (destination, gateway, flags, mask) = (hex(1)?, hex(2)?, hex(3)?, hex(7)?);
        let metric: u32 = fields.get(6)?.parse().ok()?;
        let is_default = destination == 0 && mask == 0 && flags & UP != 0;
        (is_default && is_used(fields.first()?)).then_some((metric, flags, gateway))
    });
    let (_, flags, gateway) = routes.min_by_key(|(metric, ..)| *metric)?;
    // The kernel prints the address in the byte order of the machine.
    (flags & TO_GATEWAY != 0).then(|| Ipv4Addr::from(gateway.to_ne_bytes()))
}

/// The same with the name of the interface, in the format of /proc/net/ipv6_route.
fn default_v6(routes: &str, is_used: impl Fn(&str) -> bool) -> Option<(Ipv6Addr, &str)> {
    let routes = routes.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |index: usize| u32::from_str_radix(fields.get(index)?, 16).ok();
        let address = |index: usize| u128::from_str_radix(fields.get(index)?, 16).ok();
        let (destination, gateway) = (address(0)?, address(4)?);
        let (length, metric, flags) = (number(1)?, number(5)?, number(8)?);
        let is_default = destination == 0 && length == 0 && flags & UP != 0;
        // Unreachable default routes lead to the loopback device.
        let name = fields.get(9).copied().filter(|name| *name != "lo")?;
        (is_default && is_used(name)).then_some((metric, flags, Ipv6Addr::from_bits(gateway), name))
    });
    let (_, flags, gateway, name) = routes.min_by_key(|(metric, ..)| *metric)?;
    (flags & TO_GATEWAY != 0).then_some((gateway, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn the_default_route_with_the_lowest_metric_leads_to_the_gateway() {
        let heading =
            "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";
        let wlan = "wlan0\t00000000\t0102A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n";
        let cable = "eth0\t00000000\tFE01A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n";
        let network = "eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        let tunnel = "tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0\n";
        let routes = |lines: &[&str]| default_v4(&format!("{heading}{}", lines.concat()), |_| true);
        assert_eq!(
            routes(&[wlan, network, cable]),
            Some(Ipv4Addr::new(192, 168, 1, 254))
        );
        assert_eq!(routes(&[network]), None);
        assert_eq!(
            routes(&[cable, tunnel]),
            None,
            "a tunnel has no gateway to ask"
        );
        let bound = default_v4(&format!("{heading}{cable}{wlan}"), |name| name == "wlan0");
        assert_eq!(bound, Some(Ipv4Addr::new(192, 168, 2, 1)));
        assert_eq!(routes(&["nonsense\n", "a b c d e f g h\n"]), None);
    }

    #[test]
    fn the_gateway_of_ipv6_is_found_with_its_interface() {
        let zero = "0".repeat(32);
        let gateway = "fe80000000000000021132fffe000001";
        let route = |destination: &str, length: &str, next: &str, flags: &str, name: &str| {
            format!(
                "{destination} {length} {zero} 00 {next} 00000400 00000001 00000000 {flags} {name}\n"
            )
        };
        let network = route(
            "20010db8000000000000000000000000",
            "40",
            &zero,
            "00000001",
            "eth0",
        );
        let unreachable = route(&zero, "00", &zero, "00200200", "lo");
        let default = route(&zero, "00", gateway, "00000003", "eth0");
        let all = [network.as_str(), &unreachable, &default].concat();
        let expected = "fe80::211:32ff:fe00:1".parse().unwrap();
        assert_eq!(default_v6(&all, |_| true), Some((expected, "eth0")));
        assert_eq!(default_v6(&all, |name| name == "tun0"), None);
        let without = [network, unreachable].concat();
        assert_eq!(default_v6(&without, |_| true), None);
    }
}
