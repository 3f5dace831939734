//! The machine of uTP with our UDP port. What comes there and is not uTP's goes to the node of the
//! DHT.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aqueduct_core::types;
use aqueduct_core::utp::{Config, ConnectionId, Event, Socket};
use bytes::Bytes;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};

use super::stream::{Readiness, UtpStream};
use crate::net::udp::{MAX_DATAGRAM, Sockets};
use crate::net::{Bind, Policy, Purpose, Target};

/// Datagrams that are taken before what they cause is sent, and others have their turn.
const TURN: usize = 64;
/// Connections that nobody has accepted yet; further ones are reset.
const MAX_INCOMING: usize = 64;
/// Datagrams for the DHT that wait; further ones are lost.
const MAX_REST: usize = 256;
/// Pause after the system's buffer was full.
const PAUSE: Duration = Duration::from_millis(1);
/// How a datagram begins that opens a connection: type 4, version 1.
const SYN: u8 = 0x41;

/// Our UDP port with all connections over uTP. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Endpoint {
    shared: Arc<Shared>,
}

/// What comes to the port and is not uTP's, and what the others there send.
#[derive(Debug)]
pub struct Rest {
    /// To send; datagrams come by [`Rest::receive`].
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

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    sockets: Arc<Sockets>,
    policy: Arc<dyn Policy>,
    /// The task has something to do: a deadline came nearer, or something could not be sent.
    changed: Notify,
    arrived: Notify,
}

#[derive(Debug)]
struct State {
    machine: Socket,
    start: Instant,
    /// Those of open streams, and of dials.
    readiness: HashMap<ConnectionId, Arc<Readiness>>,
    incoming: VecDeque<(ConnectionId, SocketAddr)>,
    unsent: Option<Unsent>,
    buffer: Vec<u8>,
    /// The deadline that the task waits for.
    armed: Option<Instant>,
}

/// A datagram that did not fit into the system's buffer.
#[derive(Debug)]
struct Unsent {
    to: SocketAddr,
    is_probe: bool,
    bytes: Vec<u8>,
}

impl Endpoint {
    /// Binds `port`, and no other, on the addresses of `bind`.
    ///
    /// # Errors
    /// The port is taken, or the system has no randomness.
    pub fn bind(
        bind: Bind,
        port: u16,
        config: Config,
        policy: Arc<dyn Policy>,
    ) -> io::Result<(Self, Rest)> {
        let sockets = Arc::new(Sockets::bind_only_at(bind, port)?);
        sockets.allow_fragments()?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| io::Error::other(error.to_string()))?;
        let state = State {
            machine: Socket::new(config, seed),
            start: Instant::now(),
            readiness: HashMap::new(),
            incoming: VecDeque::new(),
            unsent: None,
            buffer: Vec::new(),
            armed: None,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            sockets: Arc::clone(&sockets),
            policy,
            changed: Notify::new(),
            arrived: Notify::new(),
        });
        let (sender, datagrams) = mpsc::channel(MAX_REST);
        tokio::spawn(run(Arc::clone(&shared), sender));
        Ok((Self { shared }, Rest { sockets, datagrams }))
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.shared.sockets.port()
    }

    /// Dials.
    ///
    /// # Errors
    /// The peer refuses, or does not answer within seven seconds, or there are as many connections
    /// as may be.
    pub async fn connect(&self, to: SocketAddr) -> io::Result<UtpStream> {
        let readiness = Arc::<Readiness>::default();
        let id = {
            let mut state = self.shared.lock();
            let now = state.now();
            let id = state.machine.connect(now, to).map_err(io::Error::other)?;
            state.readiness.insert(id, Arc::clone(&readiness));
            state.settle(&self.shared);
            id
        };
        let stream = UtpStream::new(self.clone(), id, readiness);
        stream.connected().await
    }

    /// The next connection from outside. Cancel-safe.
    pub async fn accept(&self) -> (UtpStream, SocketAddr) {
        loop {
            let incoming = {
                let mut state = self.shared.lock();
                let next = state.incoming.pop_front();
                next.and_then(|(id, from)| Some((id, from, state.readiness.get(&id)?.clone())))
            };
            if let Some((id, from, readiness)) = incoming {
                return (UtpStream::new(self.clone(), id, readiness), from);
            }
            self.shared.arrived.notified().await;
        }
    }

    /// Lets the machine do something, and sends what follows.
    pub(super) fn turn<R>(&self, act: impl FnOnce(&mut Socket) -> R) -> R {
        let mut state = self.shared.lock();
        let result = act(&mut state.machine);
        state.settle(&self.shared);
        result
    }

    /// Nobody uses a connection any more.
    pub(super) fn forget(&self, id: ConnectionId) {
        let mut state = self.shared.lock();
        let now = state.now();
        state.readiness.remove(&id);
        state.machine.close(now, id);
        state.settle(&self.shared);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_allowed(&self, from: SocketAddr) -> bool {
        self.policy.check(&Target::new(Purpose::Peer, from)).is_ok()
    }

    fn send(&self, to: SocketAddr, is_probe: bool, bytes: &[u8]) -> io::Result<()> {
        if is_probe {
            self.sockets.try_send_whole(to, bytes)
        } else {
            self.sockets.try_send(to, bytes)
        }
    }
}

impl State {
    fn now(&self) -> types::Instant {
        types::Instant::ZERO + self.start.elapsed()
    }

    /// Tells streams what is new, and sends what is to be sent.
    fn settle(&mut self, shared: &Shared) {
        self.send(shared);
        while let Some(event) = self.machine.poll_event() {
            self.tell(shared, event);
        }
        // A connection that nobody takes was reset.
        self.send(shared);
        let due = self.due();
        let is_nearer = due.is_some_and(|due| self.armed.is_none_or(|armed| due < armed));
        if is_nearer {
            shared.changed.notify_one();
        }
    }

    fn tell(&mut self, shared: &Shared, event: Event) {
        if let Event::Incoming(id, from) = event {
            return self.welcome(shared, id, from);
        }
        let Some(readiness) = self.readiness.get(&event.id()) else {
            return;
        };
        match event {
            Event::Connected(_) => readiness.set_connected(),
            Event::Readable(_) => readiness.set_readable(),
            Event::Writable(_) => readiness.set_writable(),
            Event::Closed(id, reason) => {
                readiness.set_closed(reason);
                let waiting = self.incoming.len();
                self.incoming.retain(|(incoming, _)| *incoming != id);
                if self.incoming.len() < waiting {
                    self.readiness.remove(&id);
                }
            }
            Event::Incoming(..) => {}
        }
    }

    fn welcome(&mut self, shared: &Shared, id: ConnectionId, from: SocketAddr) {
        if self.incoming.len() >= MAX_INCOMING || !shared.is_allowed(from) {
            return self.machine.abort(self.now(), id);
        }
        self.readiness.insert(id, Arc::new(Readiness::open()));
        self.incoming.push_back((id, from));
        shared.arrived.notify_one();
    }

    fn send(&mut self, shared: &Shared) {
        loop {
            if self.unsent.is_none() {
                let now = self.now();
                let Some(transmit) = self.machine.poll_transmit(now, &mut self.buffer) else {
                    return;
                };
                self.unsent = Some(Unsent {
                    to: transmit.to,
                    is_probe: transmit.is_probe,
                    bytes: std::mem::take(&mut self.buffer),
                });
            }
            let Some(unsent) = self.unsent.take() else {
                return;
            };
            match shared.send(unsent.to, unsent.is_probe, &unsent.bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.unsent = Some(unsent);
                    return;
                }
                Err(error) => self.handle_failure(&unsent, &error),
                Ok(()) => {}
            }
            self.buffer = unsent.bytes;
        }
    }

    fn handle_failure(&mut self, unsent: &Unsent, error: &io::Error) {
        tracing::trace!(to = %unsent.to, %error, "a datagram of uTP was not sent");
        if unsent.is_probe {
            self.machine.handle_too_long(unsent.to, unsent.bytes.len());
        } else {
            self.machine.handle_unreachable(unsent.to);
        }
    }

    fn handle(&mut self, shared: &Shared, from: SocketAddr, datagram: &[u8]) -> bool {
        if datagram.first() == Some(&SYN) && !shared.is_allowed(from) {
            return true;
        }
        let now = self.now();
        self.machine.handle_datagram(now, from, datagram)
    }

    /// When the task is to look again.
    fn due(&self) -> Option<Instant> {
        if self.unsent.is_some() {
            return Some(Instant::now() + PAUSE);
        }
        let due = self.machine.poll_timeout()?;
        Some(self.start + due.since(types::Instant::ZERO))
    }
}

/// Receives what comes to the port, and does what is due, for as long as anybody else has the
/// endpoint.
async fn run(shared: Arc<Shared>, rest: mpsc::Sender<(SocketAddr, Bytes)>) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    while Arc::strong_count(&shared) > 1 || !rest.is_closed() {
        let due = {
            let mut state = shared.lock();
            state.armed = state.due();
            state.armed
        };
        tokio::select! {
            () = shared.sockets.readable() => receive(&shared, &rest, &mut buffer),
            () = until(due) => {
                let mut state = shared.lock();
                let now = state.now();
                state.machine.handle_timeout(now);
                state.settle(&shared);
            }
            () = shared.changed.notified() => {}
        }
        tokio::task::yield_now().await;
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

fn receive(shared: &Shared, rest: &mpsc::Sender<(SocketAddr, Bytes)>, buffer: &mut [u8]) {
    let mut state = shared.lock();
    for _ in 0..TURN {
        let Some((from, length)) = shared.sockets.try_receive(buffer) else {
            break;
        };
        let datagram = buffer.get(..length).unwrap_or_default();
        if !state.handle(shared, from, datagram) {
            // Lost, like any datagram, if nobody takes it in time.
            let _ = rest.try_send((from, Bytes::copy_from_slice(datagram)));
        }
    }
    state.settle(shared);
}
