//! Where a socket is bound: an address, and the interface through which everything passes.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::str::FromStr;
use std::time::Duration;

use aqueduct_core::net::is_local;
use if_addrs::{Interface, get_if_addrs};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// How often it is checked whether a socket that stays open must be opened again.
pub(crate) const RECHECK: Duration = Duration::from_secs(1);
/// The longest name of an interface on Linux in bytes.
const MAX_NAME: usize = 15;

/// The name of a network interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    name: [u8; MAX_NAME],
    length: usize,
}

/// A text that cannot be the name of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of an interface has 1 to {MAX_NAME} characters, and no space or slash")]
pub struct DeviceNameError;

impl FromStr for Device {
    type Err = DeviceNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_valid = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
        let mut name = [0; MAX_NAME];
        let place = name.get_mut(..text.len()).filter(|_| !text.is_empty());
        let place = place.filter(|_| text.bytes().all(is_valid));
        place
            .ok_or(DeviceNameError)?
            .copy_from_slice(text.as_bytes());
        Ok(Self {
            name,
            length: text.len(),
        })
    }
}

impl Device {
    /// Whether there is an interface of this name that has an address.
    pub(super) fn exists(&self) -> bool {
        let interfaces = get_if_addrs().unwrap_or_default();
        interfaces
            .iter()
            .any(|interface| interface.name == self.name())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        let name = self.name.get(..self.length).unwrap_or_default();
        str::from_utf8(name).unwrap_or_default()
    }
}

/// Where a socket is bound. Two are equal if a socket of one can be used instead of one of the
/// other: an interface that was removed and added again differs by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    addr: IpAddr,
    device: Option<(Device, Option<u32>)>,
}

impl Source {
    /// Loopback: a socket at it holds a port while the wanted interface is missing, and cannot reach
    /// another machine. Where sockets can be bound to interfaces, it is bound to that of loopback,
    /// which need not be up, and elsewhere to its address.
    pub(super) fn stand_in(is_v4: bool) -> Self {
        let (any, localhost) = if is_v4 {
            (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::LOCALHOST.into())
        } else {
            (Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::LOCALHOST.into())
        };
        let interface = Self {
            addr: any,
            device: "lo".parse().ok().map(|device| (device, None)),
        };
        if cfg!(target_os = "linux") && interface.is_present() {
            return interface;
        }
        Self {
            addr: localhost,
            device: None,
        }
    }

    /// Whether it is every address of one interface, which only a stand-in is.
    fn is_all_of_device(&self) -> bool {
        self.addr.is_unspecified() && self.device.is_some()
    }

    /// Whether a socket here may only hold a port, if it is bound to an interface or its address.
    pub(super) fn is_stand_in(&self) -> bool {
        self.is_all_of_device() || self.addr.is_loopback() && self.device.is_none()
    }

    /// Whether the system chooses.
    pub(super) const fn is_any(&self) -> bool {
        self.addr.is_unspecified() && self.device.is_none()
    }

    /// The address with a port.
    #[must_use]
    pub const fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.addr, port)
    }

    /// Binds a socket to the interface and the address. Where only the administrator may bind
    /// sockets to interfaces, to the address alone.
    ///
    /// # Errors
    /// The interface or the address is gone, or the port is in use.
    pub fn bind(&self, socket: &impl AsFd, port: u16) -> io::Result<()> {
        self.bind_device(socket)?;
        SockRef::from(socket).bind(&self.at(port).into())
    }

    /// Binds a socket to the interface, and not to the address.
    ///
    /// # Errors
    /// The interface is gone.
    pub fn bind_device(&self, socket: &impl AsFd) -> io::Result<()> {
        let Some((device, _)) = self.device else {
            return Ok(());
        };
        match bind_to_device(socket, device) {
            Err(error)
                if error.kind() == io::ErrorKind::PermissionDenied && !self.is_all_of_device() =>
            {
                tracing::debug!(
                    device = device.name(),
                    "sockets are bound to its address alone"
                );
                Ok(())
            }
            result => result.map_err(|error| {
                let name = device.name();
                io::Error::new(error.kind(), format!("the interface {name}: {error}"))
            }),
        }
    }

    /// Whether sockets can be bound here.
    pub(super) fn is_present(&self) -> bool {
        let domain = Domain::for_address(self.at(0));
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP));
        socket.is_ok_and(|socket| self.bind(&socket, 0).is_ok())
    }

    /// Whether the address exists and its interface is up.
    pub(super) fn check(&self) -> io::Result<()> {
        let interfaces = get_if_addrs()?;
        let fits = |interface: &&Interface| interface.ip() == self.addr;
        match interfaces.iter().find(fits) {
            Some(interface) if interface.is_oper_up() || interface.name == "lo" => Ok(()),
            Some(interface) => Err(unavailable(format!(
                "the interface {} is down",
                interface.name
            ))),
            None if self.addr.is_loopback() => Ok(()),
            None => Err(unavailable(format!(
                "no interface has the address {}",
                self.addr
            ))),
        }
    }
}

/// Whether a connection cannot receive any more, since its interface was removed or no interface has
/// its address: the socket stays bound to what is gone, also if the same is added again. `present`:
/// the addresses of all interfaces.
pub(crate) fn is_orphaned(socket: &impl AsFd, present: &[IpAddr]) -> bool {
    let socket = SockRef::from(socket);
    let ours = socket.local_addr().ok().and_then(|ours| ours.as_socket());
    has_lost_device(&socket) || ours.is_some_and(|ours| !present.contains(&ours.ip()))
}

/// The system knows no name for the interface to which the socket is bound.
#[cfg(target_os = "linux")]
fn has_lost_device(socket: &SockRef<'_>) -> bool {
    socket.device().is_err()
}

/// Other systems lack the option of Linux.
#[cfg(not(target_os = "linux"))]
fn has_lost_device(_: &SockRef<'_>) -> bool {
    false
}

#[cfg(target_os = "linux")]
fn bind_to_device(socket: &impl AsFd, device: Device) -> io::Result<()> {
    SockRef::from(socket).bind_device(Some(device.name().as_bytes()))
}

/// Other systems lack the option of Linux.
#[cfg(not(target_os = "linux"))]
fn bind_to_device(_: &impl AsFd, _: Device) -> io::Result<()> {
    Ok(())
}

/// An address that the user named, with its interface. If no interface has it, binding fails.
pub(super) fn of_addr(addr: IpAddr) -> Source {
    let is_anywhere = addr.is_unspecified() || addr.is_loopback();
    let interfaces = if is_anywhere {
        Vec::new()
    } else {
        get_if_addrs().unwrap_or_default()
    };
    // An address of loopback's interface may be reached through any other.
    let owner = interfaces
        .iter()
        .find(|interface| interface.ip() == addr && interface.name != "lo");
    let device = owner.and_then(|owner| Some((owner.name.parse().ok()?, owner.index)));
    Source { addr, device }
}

/// The first address of an interface; of IPv6, a global one if possible and never a link-local one.
pub(super) fn of_device(device: Device, is_v4: bool) -> io::Result<Source> {
    let interfaces = get_if_addrs()?;
    let name = device.name();
    let mut present = interfaces
        .iter()
        .filter(|interface| interface.name == name)
        .peekable();
    if present.peek().is_none() {
        return Err(unavailable(missing(name)));
    }
    let suits = |interface: &&Interface| match interface.ip() {
        IpAddr::V4(_) => is_v4,
        IpAddr::V6(v6) => !is_v4 && !v6.is_unicast_link_local(),
    };
    let best = present
        .filter(suits)
        .min_by_key(|interface| is_local(interface.ip()));
    let best = best.ok_or_else(|| {
        let family = if is_v4 { "IPv4" } else { "IPv6" };
        unavailable(format!("the interface {name} has no {family} address"))
    })?;
    Ok(Source {
        addr: best.ip(),
        device: Some((device, best.index)),
    })
}

/// Interfaces without an address are not listed, so it is looked up whether there is such a one.
fn missing(name: &str) -> String {
    if std::path::Path::new("/sys/class/net").join(name).exists() {
        format!("the interface {name} has no address")
    } else {
        format!("the interface {name} does not exist")
    }
}

fn unavailable(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::AddrNotAvailable, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_whose_address_no_interface_has_is_orphaned() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let present = |last| IpAddr::from([127, 0, 0, last]);
        assert!(!is_orphaned(&stream, &[present(2), present(1)]));
        assert!(is_orphaned(&stream, &[present(2)]));
    }

    #[test]
    fn names_of_interfaces_are_short_and_have_neither_space_nor_slash() {
        for name in [
            "lo",
            "tun0",
            "enp0s31f6.100",
            "wg-mullvad",
            "a23456789012345",
        ] {
            assert_eq!(name.parse::<Device>().unwrap().name(), name);
        }
        for name in ["", "a b", "../lo", "a234567890123456", "eth\u{301}"] {
            assert_eq!(name.parse::<Device>(), Err(DeviceNameError), "{name}");
        }
    }
}
