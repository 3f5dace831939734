//! The state machine of uTP with our UDP port. Other datagrams at the port go to the DHT node.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aqueduct_core::utp::{Config, Socket};
use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

use super::port::{Port, SYN, State};
use super::readiness::Readiness;
use super::stream::UtpStream;
use crate::net::udp::{MAX_RECEIVED, Sockets};
use crate::net::{Bind, Policy};
use crate::until::until;

/// The number of datagrams that are handled before answers are sent and other tasks get a turn.
const TURN: usize = 64;
/// The number of datagrams that are handled before what is due: more than the system's buffer holds,
/// so that a flood does not delay it forever.
const MAX_WAITING: usize = 4096;
/// The maximum number of queued datagrams for the DHT; more are dropped.
const MAX_REST: usize = 256;

/// Our UDP port with all uTP connections. Clones share it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub(super) port: Arc<Port>,
}

/// Datagrams at the port that are not uTP's, and the sockets to send others.
#[derive(Debug)]
pub struct Rest {
    /// For sending; received datagrams come from [`Rest::receive`].
    pub sockets: Arc<Sockets>,
    datagrams: mpsc::Receiver<(SocketAddr, Bytes)>,
}

impl Rest {
    /// The next datagram. Nothing is lost if the future is dropped.
    pub async fn receive(&mut self) -> (SocketAddr, Bytes) {
        match self.datagrams.recv().await {
            Some(datagram) => datagram,
            None => pending().await,
        }
    }
}

impl Endpoint {
    /// Binds exactly `port` on the addresses of `bind`.
    ///
    /// # Errors
    /// The port is in use, or the system provides no random bytes.
    pub fn bind(
        bind: Bind,
        port: u16,
        config: Config,
        policy: Arc<dyn Policy>,
    ) -> io::Result<(Self, Rest)> {
        let sockets = Arc::new(Sockets::bind_only_at(bind, port)?);
        sockets.carry_payload()?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| io::Error::other(error.to_string()))?;
        let state = State::new(Socket::new(config, seed));
        let port = Arc::new(Port {
            state: Mutex::new(state),
            sockets: Arc::clone(&sockets),
            policy,
            changed: Notify::new(),
            arrived: Notify::new(),
        });
        let (sender, datagrams) = mpsc::channel(MAX_REST);
        tokio::spawn(run(Arc::clone(&port), sender));
        Ok((Self { port }, Rest { sockets, datagrams }))
    }

    /// The port number.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.sockets.port()
    }

    /// Dials.
    ///
    /// # Errors
    /// The peer refuses, does not answer within seven seconds, or the maximum number of connections
    /// is reached.
    pub async fn connect(&self, to: SocketAddr) -> io::Result<UtpStream> {
        let readiness = Arc::<Readiness>::default();
        let id = {
            let mut state = self.port.lock();
            let now = state.now();
            let id = state.machine.connect(now, to).map_err(io::Error::other)?;
            state.readiness.insert(id, Arc::clone(&readiness));
            state.settle(&self.port);
            id
        };
        let stream = UtpStream::new(Arc::clone(&self.port), id, readiness);
        stream.connected().await
    }

    /// The next incoming connection. Cancel-safe.
    pub async fn accept(&self) -> (UtpStream, SocketAddr) {
        loop {
            let incoming = {
                let mut state = self.port.lock();
                let next = state.incoming.pop_front();
                next.and_then(|(id, from)| Some((id, from, state.readiness.get(&id)?.clone())))
            };
            if let Some((id, from, readiness)) = incoming {
                return (UtpStream::new(Arc::clone(&self.port), id, readiness), from);
            }
            self.port.arrived.notified().await;
        }
    }
}

/// Receives datagrams and handles timeouts while other references to the endpoint exist.
async fn run(port: Arc<Port>, rest: mpsc::Sender<(SocketAddr, Bytes)>) {
    let mut buffer = vec![0; MAX_RECEIVED];
    while Arc::strong_count(&port) > 1 || !rest.is_closed() {
        let due = {
            let mut state = port.lock();
            state.armed = state.due();
            state.armed
        };
        tokio::select! {
            () = port.sockets.readable() => {
                if receive(&port, &rest, &mut buffer) >= TURN {
                    tokio::task::yield_now().await;
                }
            }
            () = until(due) => handle_due(&port, &rest, &mut buffer).await,
            () = port.changed.notified() => {}
        }
    }
}

/// Handles what is due, after the datagrams that wait: if this program did not run for a while, they
/// came before the deadline, and what they acknowledge must not count as lost.
async fn handle_due(port: &Port, rest: &mpsc::Sender<(SocketAddr, Bytes)>, buffer: &mut [u8]) {
    for _ in 0..MAX_WAITING / TURN {
        if receive(port, rest, buffer) < TURN {
            break;
        }
        tokio::task::yield_now().await;
    }
    let mut state = port.lock();
    let now = state.now();
    state.machine.handle_timeout(now);
    state.carry_out(port);
}

/// Handles available datagrams. Returns their number, at least [`TURN`] if there may be more.
fn receive(port: &Port, rest: &mpsc::Sender<(SocketAddr, Bytes)>, buffer: &mut [u8]) -> usize {
    let mut state = port.lock();
    let mut handled = 0;
    while handled < TURN
        && let Some(received) = port.sockets.try_receive(buffer)
    {
        let now = state.now();
        let bytes = buffer.get(..received.length).unwrap_or_default();
        let is_syn = bytes.first() == Some(&SYN);
        state
            .local_addresses
            .note(received.from, received.local, is_syn);
        for datagram in bytes.chunks(received.segment.max(1)) {
            handled += 1;
            if !state.handle(port, now, received.from, datagram) {
                // Lost, like any datagram, if it is not received in time.
                let _ = rest.try_send((received.from, Bytes::copy_from_slice(datagram)));
            }
        }
    }
    state.carry_out(port);
    handled
}
