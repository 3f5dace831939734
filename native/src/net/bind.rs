//! Which of the machine's addresses are used.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpSocket, TcpStream};

/// Our address of each family; a family without one is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind {
    /// IPv4; unspecified: the system chooses.
    pub v4: Option<Ipv4Addr>,
    /// IPv6; unspecified: the system chooses.
    pub v6: Option<Ipv6Addr>,
}

impl Default for Bind {
    fn default() -> Self {
        Self {
            v4: Some(Ipv4Addr::UNSPECIFIED),
            v6: Some(Ipv6Addr::UNSPECIFIED),
        }
    }
}

impl From<IpAddr> for Bind {
    /// This address and none of the other family (`--bind`): a user who binds to an address wants
    /// no traffic from others.
    fn from(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(v4) => Self {
                v4: Some(v4),
                v6: None,
            },
            IpAddr::V6(v6) => Self {
                v4: None,
                v6: Some(v6),
            },
        }
    }
}

impl Bind {
    /// Our address for reaching `remote`.
    ///
    /// # Errors
    /// Its family is not used.
    pub fn for_remote(&self, remote: SocketAddr) -> io::Result<IpAddr> {
        let ours = if remote.is_ipv4() {
            self.v4.map(IpAddr::V4)
        } else {
            self.v6.map(IpAddr::V6)
        };
        ours.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                "no address of this family is bound",
            )
        })
    }

    /// Connects from our address.
    ///
    /// # Errors
    /// The system's.
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
        let ours = self.for_remote(remote)?;
        let socket = if remote.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        if !ours.is_unspecified() {
            socket.bind(SocketAddr::new(ours, 0))?;
        }
        prepare(&socket)?;
        socket.connect(remote).await
    }
}
