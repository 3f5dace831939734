//! Which of the machine's addresses and interfaces are used.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use super::source::{self, Device, RECHECK, Source};

/// Our address of each family; a family without one is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind {
    /// IPv4; unspecified: the system chooses.
    pub v4: Option<Ipv4Addr>,
    /// IPv6; unspecified: the system chooses.
    pub v6: Option<Ipv6Addr>,
    /// The interface whose addresses are used instead.
    device: Option<Device>,
}

impl Default for Bind {
    fn default() -> Self {
        Self {
            v4: Some(Ipv4Addr::UNSPECIFIED),
            v6: Some(Ipv6Addr::UNSPECIFIED),
            device: None,
        }
    }
}

impl From<IpAddr> for Bind {
    /// This address and none of the other family (`--bind`): a user who binds to an address wants
    /// no traffic from others. Where the system permits it, nothing passes through another
    /// interface than the one with this address.
    fn from(addr: IpAddr) -> Self {
        let (v4, v6) = match addr {
            IpAddr::V4(v4) => (Some(v4), None),
            IpAddr::V6(v6) => (None, Some(v6)),
        };
        Self {
            v4,
            v6,
            device: None,
        }
    }
}

impl From<Device> for Bind {
    /// The addresses that an interface has at the time when a socket is opened. While it does not
    /// exist or has none, nothing is sent.
    fn from(device: Device) -> Self {
        Self {
            device: Some(device),
            ..Self::default()
        }
    }
}

impl Bind {
    /// No address: no socket is opened.
    pub const NONE: Self = Self {
        v4: None,
        v6: None,
        device: None,
    };

    /// Whether sockets are bound to more than a family, so that they must be opened again when
    /// addresses or interfaces change.
    #[must_use]
    pub fn is_specific(&self) -> bool {
        let is_specific = |ours: IpAddr| !ours.is_unspecified() && !ours.is_loopback();
        let v4 = self.v4.map(IpAddr::V4).is_some_and(is_specific);
        v4 || self.v6.map(IpAddr::V6).is_some_and(is_specific) || self.device.is_some()
    }

    /// Whether the system chooses the address of a family.
    #[must_use]
    pub fn is_any(&self, is_v4: bool) -> bool {
        let is_unspecified = if is_v4 {
            self.v4.is_some_and(|v4| v4.is_unspecified())
        } else {
            self.v6.is_some_and(|v6| v6.is_unspecified())
        };
        is_unspecified && self.device.is_none()
    }

    /// Where sockets of a family are bound at present.
    ///
    /// # Errors
    /// The family is not used, or the interface does not exist or has no address of the family.
    pub fn source(&self, is_v4: bool) -> io::Result<Source> {
        let ours = if is_v4 {
            self.v4.map(IpAddr::V4)
        } else {
            self.v6.map(IpAddr::V6)
        };
        let ours = ours.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                "no address of this family is bound",
            )
        })?;
        match self.device {
            Some(device) => source::of_device(device, is_v4),
            None => Ok(source::of_addr(ours)),
        }
    }

    /// The same, but loopback while the interface or the address is missing: sockets that stay open
    /// hold their port there until they can be opened again.
    ///
    /// # Errors
    /// As for [`Bind::source`], except for a missing interface.
    pub fn source_or_stand_in(&self, is_v4: bool) -> io::Result<Source> {
        if self.device.is_some_and(|device| !device.exists()) {
            return Ok(Source::stand_in(is_v4));
        }
        let source = self.source(is_v4)?;
        if self.is_specific() && !source.is_present() {
            return Ok(Source::stand_in(is_v4));
        }
        Ok(source)
    }

    /// Whether a socket at this source only holds its port until an interface is back.
    pub(super) fn is_stand_in(&self, source: Source) -> bool {
        self.is_specific() && source.is_stand_in()
    }

    /// Where sockets for `remote` are bound at present.
    ///
    /// # Errors
    /// As for [`Bind::source`].
    pub fn for_remote(&self, remote: SocketAddr) -> io::Result<Source> {
        self.source(remote.is_ipv4())
    }

    /// Whether an address of an interface is used.
    #[must_use]
    pub fn uses(&self, interface: &str, ip: IpAddr) -> bool {
        let ours = match ip {
            IpAddr::V4(_) => self.v4.map(IpAddr::V4),
            IpAddr::V6(_) => self.v6.map(IpAddr::V6),
        };
        let fits = ours.is_some_and(|ours| ours.is_unspecified() || ours == ip);
        fits && self.device.is_none_or(|device| device.name() == interface)
    }

    /// What prevents sending, in a sentence; `None`: nothing is known to.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        if !self.is_specific() {
            return None;
        }
        let families = [(self.v4.is_some(), true), (self.v6.is_some(), false)];
        let mut trouble = None;
        for (_, is_v4) in families.into_iter().filter(|(is_used, _)| *is_used) {
            match self.source(is_v4).and_then(|source| source.check()) {
                Ok(()) => return None,
                Err(error) => trouble = trouble.or(Some(error)),
            }
        }
        let waits = "nothing is sent or received until that changes";
        trouble.map(|error| format!("{error}; {waits}"))
    }

    /// Waits until nothing is known to prevent sending.
    pub async fn usable(&self) {
        while self.trouble().is_some() {
            sleep(RECHECK).await;
        }
    }

    /// Connects from our address.
    ///
    /// # Errors
    /// As for [`Bind::source`], and the system's.
    pub async fn connect(&self, remote: SocketAddr) -> io::Result<TcpStream> {
        self.connect_with(remote, |_| Ok(())).await
    }

    /// The same over a socket that `prepare` has set up.
    ///
    /// # Errors
    /// The system's, or that of `prepare`.
    pub async fn connect_with(
        &self,
        remote: SocketAddr,
        prepare: impl FnOnce(&TcpSocket) -> io::Result<()>,
    ) -> io::Result<TcpStream> {
        let source = self.for_remote(remote)?;
        let socket = if remote.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        if !source.is_any() {
            source.bind(&socket, 0)?;
        }
        prepare(&socket)?;
        socket.connect(remote).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str) -> Device {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn without_its_interface_nothing_is_connected_and_the_reason_names_it() {
        let bind = Bind::from(device("aq-missing"));
        let remote = SocketAddr::from(([127, 0, 0, 1], 9));
        let error = bind.connect(remote).await.unwrap_err();
        assert!(error.to_string().contains("aq-missing"), "{error}");
        let trouble = bind.trouble().unwrap();
        assert!(trouble.contains("does not exist"), "{trouble}");
        let lo = Bind::from(device("lo"));
        assert_eq!(lo.trouble(), None);
        assert!(lo.uses("lo", [127, 0, 0, 1].into()) && !lo.uses("eth0", [127, 0, 0, 1].into()));
    }

    #[tokio::test]
    async fn a_connection_comes_from_the_bound_address() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let remote = listener.local_addr().unwrap();
        for bind in [
            Bind::from(device("lo")),
            Bind::from(IpAddr::from([127, 0, 0, 7])),
        ] {
            let stream = bind.connect(remote).await.unwrap();
            let ours = bind.v4.filter(|ours| !ours.is_unspecified());
            let expected = ours.unwrap_or(Ipv4Addr::LOCALHOST);
            assert_eq!(stream.local_addr().unwrap().ip(), IpAddr::V4(expected));
        }
        let other_family = Bind::from(IpAddr::from(Ipv6Addr::LOCALHOST));
        assert!(other_family.connect(remote).await.is_err());
        assert!(Bind::NONE.connect(remote).await.is_err());
    }
}
