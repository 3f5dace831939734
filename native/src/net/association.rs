//! Datagrams through a SOCKS5 proxy (RFC 1928, UDP ASSOCIATE).
//!
//! An association exists while it is used: the first datagram asks for it, and it ends when none was
//! sent for two minutes. The proxy ends it by closing the connection that holds it; then it is made
//! again, after a pause that doubles each time. All datagrams go to the relay, and only the relay's
//! are received, since the socket is connected to it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use aqueduct_core::socks::{Datagram, Destination, encapsulate};
use bytes::Bytes;
use socket2::SockRef;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::proxy::Proxy;
use super::proxy_error::ProxyError;
use super::udp::{self, MAX_DATAGRAM};

/// Datagrams that wait for the association, or for being taken; more are dropped.
const MAX_WAITING: usize = 64;
/// How long an association is held after the last datagram.
const IDLE: Duration = Duration::from_secs(120);
/// The pause before an association is made again; it doubles each time that one failed, or ended
/// before [`IDLE`] was over.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(300);

/// What came of a datagram.
#[derive(Debug)]
pub(crate) enum Relayed {
    /// One arrived, from this address according to the proxy. If the proxy tells a name, the address
    /// is unspecified.
    Datagram(SocketAddr, Bytes),
    /// What was sent there was not relayed.
    Failed(Destination, ProxyError),
}

/// Datagrams through one proxy. Its task ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Association {
    outgoing: mpsc::Sender<(Destination, Bytes)>,
    replies: mpsc::Receiver<Relayed>,
    task: AbortHandle,
}

impl Association {
    /// Starts without an association. Within a tokio runtime.
    pub(crate) fn new(proxy: Proxy) -> Self {
        let (outgoing, waiting) = mpsc::channel(MAX_WAITING);
        let (sender, replies) = mpsc::channel(MAX_WAITING);
        let task = Task {
            proxy,
            outgoing: waiting,
            replies: sender,
            asked: Vec::new(),
            pause: FIRST_PAUSE,
            again: Instant::now(),
            refusal: None,
        };
        let task = tokio::spawn(task.run()).abort_handle();
        Self {
            outgoing,
            replies,
            task,
        }
    }

    /// Sends without waiting. What is too much is lost, as datagrams are.
    pub(crate) fn send(&self, to: Destination, bytes: Bytes) {
        if self.outgoing.try_send((to, bytes)).is_err() {
            tracing::debug!("a datagram to the proxy is dropped");
        }
    }

    /// The next reply. Nothing is lost if the future is dropped.
    pub(crate) async fn receive(&mut self) -> Relayed {
        match self.replies.recv().await {
            Some(reply) => reply,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Association {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Task {
    proxy: Proxy,
    outgoing: mpsc::Receiver<(Destination, Bytes)>,
    replies: mpsc::Sender<Relayed>,
    /// Where datagrams went that were not answered in this association.
    asked: Vec<Destination>,
    pause: Duration,
    /// When an association may be made again.
    again: Instant,
    /// Why there was none the last time; `None`: there was one.
    refusal: Option<ProxyError>,
}

impl Task {
    async fn run(mut self) {
        while let Some((to, bytes)) = self.outgoing.recv().await {
            self.asked.push(to.clone());
            let refusal = self.refusal.clone();
            if let Some(refusal) = refusal.filter(|_| Instant::now() < self.again) {
                self.fail(&refusal).await;
                continue;
            }
            sleep_until(self.again).await;
            let began = Instant::now();
            let ended = match self.proxy.associate().await {
                Ok((held, relay)) => {
                    self.refusal = None;
                    self.relay(held, relay, (to, bytes)).await
                }
                Err(error) => {
                    self.refusal = Some(error.clone());
                    Err(error)
                }
            };
            let Err(error) = ended else {
                self.asked.clear();
                self.pause = FIRST_PAUSE;
                continue;
            };
            tracing::debug!(%error, "no datagrams through the proxy");
            if began.elapsed() >= IDLE {
                self.pause = FIRST_PAUSE;
            }
            self.fail(&error).await;
            self.again = Instant::now() + self.pause;
            self.pause = (self.pause * 2).min(MAX_PAUSE);
        }
    }

    /// Tells that no answers come to what was sent, or waits to be.
    async fn fail(&mut self, error: &ProxyError) {
        while let Ok((to, _)) = self.outgoing.try_recv() {
            self.asked.push(to);
        }
        for to in std::mem::take(&mut self.asked) {
            // The receiver may be gone.
            let _ = self.replies.send(Relayed::Failed(to, error.clone())).await;
        }
    }

    /// Relays datagrams until none was sent for a while.
    ///
    /// # Errors
    /// The association ended otherwise.
    async fn relay(
        &mut self,
        mut held: TcpStream,
        relay: SocketAddr,
        first: (Destination, Bytes),
    ) -> Result<(), ProxyError> {
        let lost = |error: io::Error| {
            tracing::debug!(%error, "the relay of the proxy");
            self.proxy.relay_lost()
        };
        let socket = open(&self.proxy, relay).map_err(lost)?;
        let mut buffer = vec![0; MAX_DATAGRAM];
        let mut next = Some(first);
        let mut idle = Instant::now() + IDLE;
        loop {
            if let Some((to, bytes)) = next.take() {
                send(&socket, &encapsulate(&to, &bytes)).map_err(lost)?;
                idle = Instant::now() + IDLE;
            }
            tokio::select! {
                outgoing = self.outgoing.recv() => match outgoing {
                    Some((to, bytes)) => {
                        note(&mut self.asked, &to);
                        next = Some((to, bytes));
                    }
                    None => return Ok(()),
                },
                received = socket.recv(&mut buffer) => {
                    let received = received.map_err(lost)?;
                    let bytes = buffer.get(..received).unwrap_or_default();
                    if let Some(datagram) = Datagram::read(bytes) {
                        self.asked.clear();
                        pass_on(&self.replies, &datagram);
                    }
                }
                // The connection serves to hold the association alone: whatever comes, it is over.
                _ = held.read_u8() => return Err(self.proxy.relay_lost()),
                () = sleep_until(idle) => return Ok(()),
            }
        }
    }
}

/// Remembers who is waited for, within bounds.
fn note(asked: &mut Vec<Destination>, to: &Destination) {
    if asked.len() < MAX_WAITING && !asked.contains(to) {
        asked.push(to.clone());
    }
}

/// Datagrams may be lost, here too, if they come faster than they are taken.
fn pass_on(replies: &mpsc::Sender<Relayed>, datagram: &Datagram<'_>) {
    let from = match datagram.from {
        Destination::Addr(addr) => addr,
        Destination::Name(_, port) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
    };
    let payload = Bytes::copy_from_slice(datagram.payload);
    let _ = replies.try_send(Relayed::Datagram(from, payload));
}

/// A socket that sends to the relay alone, and receives from it alone.
fn open(proxy: &Proxy, relay: SocketAddr) -> io::Result<UdpSocket> {
    let socket = udp::open(proxy.bind().for_remote(relay)?, 0)?;
    SockRef::from(&socket).connect(&relay.into())?;
    Ok(socket)
}

/// Sends without waiting. What does not fit into the system's buffer is lost.
fn send(socket: &UdpSocket, bytes: &[u8]) -> io::Result<()> {
    match SockRef::from(socket).send(bytes) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}
