//! Connections through a SOCKS5 proxy.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aqueduct_core::discovery::url::Host;
use aqueduct_core::net::{is_local, is_usable};
use aqueduct_core::socks::{Credentials, Destination, Exchange, SocksError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::bind::Bind;
use super::error::connect_words;
use super::policy::{OwnUser, Purpose, Target};
use super::proxy_error::{CONNECT_TIMEOUT, ProxyError};
use super::resolve::Resolver;

/// How long the proxy may take to be reached and to accept us.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest part of an answer in bytes.
const BUFFER: usize = 257;

/// A SOCKS5 proxy. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Proxy(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    host: Host,
    port: u16,
    credentials: Option<Credentials>,
    bind: Bind,
    resolver: Resolver,
    trouble: Mutex<Option<ProxyError>>,
    /// Why the last association failed.
    relay_trouble: Mutex<Option<ProxyError>>,
}

impl Proxy {
    /// A proxy, which is reached from `bind`. If its host is a name, that name is looked up from
    /// there, as the only one.
    #[must_use]
    pub fn new(host: Host, port: u16, credentials: Option<Credentials>, bind: Bind) -> Self {
        Self(Arc::new(Inner {
            host,
            port,
            credentials,
            bind,
            resolver: Resolver::from_addresses(bind),
            trouble: Mutex::default(),
            relay_trouble: Mutex::default(),
        }))
    }

    /// Where it is reached from.
    #[must_use]
    pub fn bind(&self) -> Bind {
        self.0.bind
    }

    /// Why the last connection failed, if the proxy itself was at fault, or what prevents reaching
    /// it.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        get(&self.0.trouble).map(|error| self.0.bind.trouble().unwrap_or(error))
    }

    /// Why datagrams are not relayed, if that was found out.
    #[must_use]
    pub fn relay_trouble(&self) -> Option<String> {
        get(&self.0.relay_trouble)
    }

    /// Connects to a destination.
    ///
    /// # Errors
    /// See [`ProxyError`].
    pub async fn connect(&self, to: &Destination) -> Result<TcpStream, ProxyError> {
        let machine = Exchange::connect(to, self.0.credentials.as_ref());
        let connected = self.exchange(machine, to).await;
        let trouble = match &connected {
            Err(error) if error.is_of_proxy() => Some(error.clone()),
            _ => None,
        };
        set(&self.0.trouble, trouble);
        connected.map(|(stream, _)| stream)
    }

    /// Asks for an association. Returns the connection that holds it, and where datagrams are
    /// relayed.
    ///
    /// # Errors
    /// See [`ProxyError`].
    pub(super) async fn associate(&self) -> Result<(TcpStream, SocketAddr), ProxyError> {
        let associated = self.exchange_for_relay().await;
        set(&self.0.relay_trouble, associated.as_ref().err().cloned());
        associated
    }

    async fn exchange_for_relay(&self) -> Result<(TcpStream, SocketAddr), ProxyError> {
        let machine = Exchange::associate(self.0.credentials.as_ref());
        let anywhere = SocketAddr::from(([0; 4], 0)).into();
        let associated = self.exchange(machine, &anywhere).await;
        let proxy = self.name();
        let (stream, bound) = associated.map_err(|error| match error {
            ProxyError::Socks {
                error: SocksError::Refused(refusal),
                ..
            } => ProxyError::NoRelay { proxy, refusal },
            ProxyError::ClosedMidway { proxy, .. } => ProxyError::Closed { proxy },
            ProxyError::TimedOut { proxy, .. } => ProxyError::Silent { proxy },
            other => other,
        })?;
        let peer = stream
            .peer_addr()
            .map_err(|_| ProxyError::Closed { proxy: self.name() })?;
        let relay = relay(bound.as_ref(), peer).map_err(|relay| ProxyError::Relay {
            proxy: self.name(),
            relay,
        })?;
        Ok((stream, relay))
    }

    /// Why an association ended.
    pub(super) fn relay_lost(&self) -> ProxyError {
        ProxyError::RelayLost { proxy: self.name() }
    }

    /// Connects to the proxy, and carries out a request. Returns the address that the proxy uses
    /// for it, too.
    async fn exchange(
        &self,
        mut machine: Exchange,
        to: &Destination,
    ) -> Result<(TcpStream, Option<Destination>), ProxyError> {
        let deadline = Instant::now() + ACCEPT_TIMEOUT;
        let reached = timeout_at(deadline, self.reach()).await;
        let mut stream = reached.map_err(|_| self.silent())??;
        let accepted = timeout_at(
            deadline,
            self.talk(&mut stream, &mut machine, Exchange::is_requested),
        );
        accepted.await.map_err(|_| self.silent())??;
        let granted = self.talk(&mut stream, &mut machine, Exchange::is_granted);
        let deadline = Instant::now() + CONNECT_TIMEOUT;
        match timeout_at(deadline, granted).await {
            Ok(Ok(())) => Ok((stream, machine.bound().cloned())),
            Ok(Err(ProxyError::Closed { proxy })) => Err(ProxyError::ClosedMidway {
                proxy,
                to: to.to_string(),
            }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ProxyError::TimedOut {
                proxy: self.name(),
                to: to.to_string(),
            }),
        }
    }

    /// Connects to the proxy itself.
    async fn reach(&self) -> Result<TcpStream, ProxyError> {
        let Inner {
            host,
            port,
            bind,
            resolver,
            ..
        } = &*self.0;
        let any = SocketAddr::from(([0, 0, 0, 0], *port));
        let target = Target::new(Purpose::TorrentFile, any);
        let addrs = resolver.resolve(host, *port, &OwnUser, &target).await;
        let addrs = addrs.map_err(|error| self.unreachable(error.to_string()))?;
        let mut failure = self.unreachable("it has no address".to_owned());
        for addr in addrs {
            match bind.connect(addr).await {
                Ok(stream) => {
                    // Without the option small messages wait for each other.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => failure = self.unreachable(connect_words(&error)),
            }
        }
        Err(failure)
    }

    /// Sends and receives until `is_done`.
    async fn talk(
        &self,
        stream: &mut TcpStream,
        machine: &mut Exchange,
        is_done: impl Fn(&Exchange) -> bool,
    ) -> Result<(), ProxyError> {
        let closed = |_| ProxyError::Closed { proxy: self.name() };
        let mut buffer = [0; BUFFER];
        loop {
            if let Some(bytes) = machine.poll_transmit() {
                stream.write_all(&bytes).await.map_err(closed)?;
            }
            if is_done(machine) {
                return Ok(());
            }
            let room = buffer.get_mut(..machine.missing()).unwrap_or_default();
            let count = stream.read(room).await.map_err(closed)?;
            if count == 0 {
                return Err(closed(io::ErrorKind::UnexpectedEof.into()));
            }
            let received = buffer.get(..count).unwrap_or_default();
            machine
                .handle_bytes(received)
                .map_err(|error| ProxyError::Socks {
                    proxy: self.name(),
                    error,
                })?;
        }
    }

    fn name(&self) -> String {
        match &self.0.host {
            Host::Addr(ip) => SocketAddr::new(*ip, self.0.port).to_string(),
            host @ Host::Name(_) => format!("{host}:{}", self.0.port),
        }
    }

    fn silent(&self) -> ProxyError {
        ProxyError::Silent { proxy: self.name() }
    }

    fn unreachable(&self, message: String) -> ProxyError {
        ProxyError::Unreachable {
            proxy: self.name(),
            message,
        }
    }
}

fn get(trouble: &Mutex<Option<ProxyError>>) -> Option<String> {
    let trouble = trouble.lock().unwrap_or_else(PoisonError::into_inner);
    trouble.as_ref().map(ToString::to_string)
}

fn set(trouble: &Mutex<Option<ProxyError>>, error: Option<ProxyError>) {
    *trouble.lock().unwrap_or_else(PoisonError::into_inner) = error;
}

/// Where datagrams are sent, if the proxy at `proxy` says that its relay is at `bound`: without an
/// address at its own one (RFC 1928, section 6).
///
/// # Errors
/// It is a name, has port 0, or is inside a network that the proxy is not in, so that it would make
/// us send datagrams to machines of our own network.
fn relay(bound: Option<&Destination>, proxy: SocketAddr) -> Result<SocketAddr, Option<SocketAddr>> {
    let Some(Destination::Addr(bound)) = bound else {
        return Err(None);
    };
    let at_proxy = {
        let mut at_proxy = proxy;
        at_proxy.set_port(bound.port());
        at_proxy
    };
    let (ip, proxy) = (bound.ip(), proxy.ip().to_canonical());
    if bound.port() == 0 {
        return Err(Some(*bound));
    }
    if ip.is_unspecified() || ip == proxy {
        return Ok(at_proxy);
    }
    let is_outside = is_usable(*bound)
        && (!ip.is_loopback() || proxy.is_loopback())
        && (!is_local(ip) || is_local(proxy));
    is_outside.then_some(*bound).ok_or(Some(*bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_is_at_the_proxy_unless_it_is_named_and_never_further_inside() {
        let of = |bound: &str, proxy: &str| {
            let bound: SocketAddr = bound.parse().unwrap();
            relay(Some(&bound.into()), proxy.parse().unwrap())
                .map(|relay| relay.to_string())
                .map_err(|relay| relay.map(|relay| relay.to_string()))
        };
        let ok = |text: &str| Ok(text.to_owned());
        let no = |text: &str| Err(Some(text.to_owned()));
        assert_eq!(of("0.0.0.0:9", "203.0.113.5:1080"), ok("203.0.113.5:9"));
        assert_eq!(of("[::]:9", "[2001:db8::5]:1080"), ok("[2001:db8::5]:9"));
        assert_eq!(of("0.0.0.0:9", "[2001:db8::5]:1080"), ok("[2001:db8::5]:9"));
        assert_eq!(of("198.51.100.7:9", "203.0.113.5:1"), ok("198.51.100.7:9"));
        assert_eq!(of("192.168.1.6:9", "192.168.1.5:1"), ok("192.168.1.6:9"));
        assert_eq!(of("10.0.0.1:9", "127.0.0.1:1080"), ok("10.0.0.1:9"));
        for inside in [
            "192.168.1.6:9",
            "127.0.0.1:9",
            "224.0.0.1:9",
            "203.0.113.5:0",
        ] {
            assert_eq!(of(inside, "203.0.113.5:1080"), no(inside));
        }
        assert_eq!(of("127.0.0.1:9", "192.168.1.5:1"), no("127.0.0.1:9"));
        let name = Destination::name("relay.example", 9).unwrap();
        let proxy = SocketAddr::from(([203, 0, 113, 5], 1080));
        assert_eq!(relay(Some(&name), proxy), Err(None));
        assert_eq!(relay(None, proxy), Err(None));
    }
}
