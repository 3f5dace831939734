//! The transports by which peers are reached.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use aqueduct_core::DialKind;
use aqueduct_core::connection::Transport;
use tokio::time::timeout;

use super::CONNECT_TIMEOUT;
use crate::net::utp::Endpoint;
use crate::net::{Bind, Outbound};
use crate::transport::PeerStream;

/// How long uTP may still take after TCP has failed. The remote host answered or is unreachable, so
/// uTP's answer is due. A port without uTP is silent, and a dial would wait for seconds.
const GRACE: Duration = Duration::from_millis(500);

/// The transports in use.
#[derive(Clone, Debug)]
pub struct Ways {
    /// How TCP connects; `None`: TCP is not used.
    pub tcp: Option<Outbound>,
    /// Our UDP port for uTP; `None`: uTP is not used.
    pub utp: Option<Endpoint>,
}

impl Ways {
    /// TCP only, directly.
    #[must_use]
    pub fn tcp(bind: Bind) -> Self {
        Self {
            tcp: Some(Outbound::direct(bind)),
            utp: None,
        }
    }

    /// The transports for a dial of this kind.
    #[must_use]
    pub fn of_kind(&self, kind: DialKind) -> Self {
        let mut ways = self.clone();
        // A NAT lets a peer's datagrams in, but not its TCP connections.
        if kind == DialKind::Holepunch {
            ways.tcp = None;
        }
        ways
    }

    /// Connects over the other transport, to a remote host that was reachable a moment ago. `None`
    /// if no other transport is in use, or it does not answer soon.
    pub async fn connect_otherwise(
        &self,
        addr: SocketAddr,
        transport: Transport,
    ) -> Option<PeerStream> {
        let other = Self {
            tcp: self.tcp.clone().filter(|_| transport != Transport::Tcp),
            utp: self.utp.clone().filter(|_| transport != Transport::Utp),
        };
        timeout(GRACE, other.connect(addr)).await.ok()?.ok()
    }

    /// Connects over TCP and uTP at the same time, and keeps the first connection. If both fail,
    /// the error is that of TCP, or of the only transport in use.
    ///
    /// # Errors
    /// Neither connects within [`CONNECT_TIMEOUT`], or through the proxy within its limits.
    pub async fn connect(&self, addr: SocketAddr) -> io::Result<PeerStream> {
        match (&self.tcp, &self.utp) {
            (Some(tcp), Some(utp)) => either(over_tcp(tcp, addr), over_utp(utp, addr)).await,
            (Some(tcp), None) => over_tcp(tcp, addr).await,
            (None, Some(utp)) => over_utp(utp, addr).await,
            (None, None) => Err(io::Error::other("neither TCP nor uTP is used")),
        }
    }
}

async fn over_tcp(outbound: &Outbound, addr: SocketAddr) -> io::Result<PeerStream> {
    let stream = match outbound.proxy() {
        // It has its own limits of time: for reaching the proxy, and for the proxy's own dial.
        Some(proxy) => proxy.connect(&addr.into()).await?,
        None => {
            let connected = timeout(CONNECT_TIMEOUT, outbound.bind().connect(addr)).await;
            connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?
        }
    };
    stream.set_nodelay(true)?;
    Ok(stream.into())
}

async fn over_utp(utp: &Endpoint, addr: SocketAddr) -> io::Result<PeerStream> {
    let connected = timeout(CONNECT_TIMEOUT, utp.connect(addr)).await;
    let stream = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    Ok(stream.into())
}

/// The first success of the two, otherwise the first one's error. After the first one has failed,
/// the second has little time left.
async fn either<T>(
    first: impl Future<Output = io::Result<T>>,
    second: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    tokio::select! {
        result = &mut first => match result {
            Ok(value) => Ok(value),
            Err(error) => match timeout(GRACE, second).await {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(_)) | Err(_) => Err(error),
            },
        },
        result = &mut second => match result {
            Ok(value) => Ok(value),
            Err(_) => first.await,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::Arc;

    use aqueduct_core::utp::Config;
    use tokio::net::UdpSocket;
    use tokio::time::Instant;

    use super::*;
    use crate::net::OwnUser;

    fn failed(what: &str) -> io::Result<u8> {
        Err(io::Error::other(what.to_owned()))
    }

    #[tokio::test]
    async fn a_peer_behind_a_nat_is_dialled_over_utp_alone_from_the_port_that_accepts() {
        let bind = Bind::from(std::net::IpAddr::from([127, 0, 0, 1]));
        let (endpoint, rest) =
            Endpoint::bind(bind, 0, Config::default(), Arc::new(OwnUser)).unwrap();
        let ways = Ways {
            tcp: Some(Outbound::direct(bind)),
            utp: Some(endpoint),
        };
        let punching = ways.of_kind(DialKind::Holepunch);
        assert!(punching.tcp.is_none() && ways.of_kind(DialKind::Direct).tcp.is_some());
        let remote = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = remote.local_addr().unwrap();
        let mut buffer = [0; 100];
        tokio::select! {
            _ = punching.connect(addr) => panic!("nobody answers"),
            received = remote.recv_from(&mut buffer) => {
                let (_, from) = received.unwrap();
                assert_eq!(from.port(), rest.sockets.port());
            }
        }
    }

    #[tokio::test]
    async fn the_first_success_stays_whichever_it_is() {
        assert_eq!(either(ready(Ok(1)), pending()).await.unwrap(), 1);
        assert_eq!(either(pending(), ready(Ok(2))).await.unwrap(), 2);
        assert_eq!(either(ready(failed("a")), ready(Ok(2))).await.unwrap(), 2);
        assert_eq!(either(ready(Ok(1)), ready(failed("b"))).await.unwrap(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_that_is_silent_holds_up_the_firsts_error_for_half_a_second() {
        let start = Instant::now();
        let silent = either(ready(failed("a")), pending()).await;
        assert_eq!(silent.unwrap_err().to_string(), "a");
        assert_eq!(start.elapsed(), GRACE);
    }

    #[tokio::test]
    async fn if_both_fail_the_error_is_the_first_ones() {
        let both = either(ready(failed("a")), ready(failed("b"))).await;
        assert_eq!(both.unwrap_err().to_string(), "a");
    }
}
