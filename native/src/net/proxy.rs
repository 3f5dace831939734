//! Connections through a SOCKS5 proxy.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aqueduct_core::discovery::url::Host;
use aqueduct_core::socks::{Connect, Credentials, Destination};
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
        let trouble = self.0.trouble.lock();
        let trouble = trouble.unwrap_or_else(PoisonError::into_inner);
        let message = trouble.as_ref().map(ToString::to_string);
        message.map(|error| self.0.bind.trouble().unwrap_or(error))
    }

    /// Connects to a destination.
    ///
    /// # Errors
    /// See [`ProxyError`].
    pub async fn connect(&self, to: &Destination) -> Result<TcpStream, ProxyError> {
        let connected = self.exchange(to).await;
        let trouble = match &connected {
            Err(error) if error.is_of_proxy() => Some(error.clone()),
            _ => None,
        };
        *self
            .0
            .trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = trouble;
        connected
    }

    async fn exchange(&self, to: &Destination) -> Result<TcpStream, ProxyError> {
        let deadline = Instant::now() + ACCEPT_TIMEOUT;
        let reached = timeout_at(deadline, self.reach()).await;
        let mut stream = reached.map_err(|_| self.silent())??;
        let mut machine = Connect::new(to, self.0.credentials.as_ref());
        let accepted = timeout_at(
            deadline,
            self.talk(&mut stream, &mut machine, Connect::is_requested),
        );
        accepted.await.map_err(|_| self.silent())??;
        let connected = self.talk(&mut stream, &mut machine, Connect::is_connected);
        let deadline = Instant::now() + CONNECT_TIMEOUT;
        match timeout_at(deadline, connected).await {
            Ok(Ok(())) => Ok(stream),
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
        machine: &mut Connect,
        is_done: impl Fn(&Connect) -> bool,
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
