//! Our UDP port with the state machine of uTP: the state shared by its connections and its task.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aqueduct_core::types;
use aqueduct_core::utp::{ConnectionId, Event, Socket, Transmit};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::local_addresses::LocalAddresses;
use super::readiness::Readiness;
use super::unsent::{Batch, Unsent};
use crate::net::udp::Sockets;
use crate::net::{Policy, Purpose, Target};

/// The maximum number of connections that wait to be accepted; more are reset.
const MAX_INCOMING: usize = 64;
/// The pause after the system's buffer was full.
const PAUSE: Duration = Duration::from_millis(1);
/// The first byte of a datagram that opens a connection: type 4, version 1.
pub(super) const SYN: u8 = 0x41;

#[derive(Debug)]
pub(super) struct Port {
    pub(super) state: Mutex<State>,
    pub(super) sockets: Arc<Sockets>,
    pub(super) policy: Arc<dyn Policy>,
    /// Notified when a deadline is earlier, or something could not be sent.
    pub(super) changed: Notify,
    pub(super) arrived: Notify,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) machine: Socket,
    start: Instant,
    /// The readiness of open streams and of dials.
    pub(super) readiness: HashMap<ConnectionId, Arc<Readiness>>,
    pub(super) incoming: VecDeque<(ConnectionId, SocketAddr)>,
    unsent: Unsent,
    pub(super) local_addresses: LocalAddresses,
    /// The deadline that the task waits for.
    pub(super) armed: Option<Instant>,
}

impl Port {
    /// Calls the state machine, and sends the resulting datagrams.
    pub(super) fn turn<R>(&self, act: impl FnOnce(&mut Socket) -> R) -> R {
        let mut state = self.lock();
        let result = act(&mut state.machine);
        state.settle(self);
        result
    }

    /// Removes the state of a connection that is no longer used.
    pub(super) fn forget(&self, id: ConnectionId) {
        let mut state = self.lock();
        let now = state.now();
        state.readiness.remove(&id);
        state.machine.close(now, id);
        state.settle(self);
    }

    /// Ends a connection immediately, and removes its state.
    pub(super) fn abort(&self, id: ConnectionId) {
        let mut state = self.lock();
        let now = state.now();
        state.readiness.remove(&id);
        state.machine.abort(now, id);
        state.settle(self);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_allowed(&self, from: SocketAddr) -> bool {
        self.policy.check(&Target::new(Purpose::Peer, from)).is_ok()
    }

    /// Whether this datagram may be sent. The policy counts those that open a connection, since
    /// their recipient has not answered yet.
    fn may_send(&self, to: SocketAddr, datagram: &[u8]) -> bool {
        datagram.first() != Some(&SYN)
            || self.policy.check(&Target::new(Purpose::UtpSyn, to)).is_ok()
    }

    /// Sends datagrams from our address `local`. Returns the number of bytes sent.
    fn send(&self, batch: &Batch<'_>, local: Option<IpAddr>) -> io::Result<usize> {
        if batch.is_probe {
            let sent = self.sockets.try_send_whole(batch.to, local, batch.bytes);
            sent.map(|()| batch.bytes.len())
        } else {
            let Batch {
                to, bytes, segment, ..
            } = *batch;
            self.sockets.try_send_many(to, local, bytes, segment)
        }
    }
}

impl State {
    pub(super) fn new(machine: Socket) -> Self {
        Self {
            machine,
            start: Instant::now(),
            readiness: HashMap::new(),
            incoming: VecDeque::new(),
            unsent: Unsent::default(),
            local_addresses: LocalAddresses::default(),
            armed: None,
        }
    }

    pub(super) fn now(&self) -> types::Instant {
        types::Instant::ZERO + self.start.elapsed()
    }

    /// Notifies streams of changes, sends pending datagrams, and wakes the task for an earlier
    /// deadline.
    pub(super) fn settle(&mut self, port: &Port) {
        self.carry_out(port);
        let due = self.due();
        let is_nearer = due.is_some_and(|due| self.armed.is_none_or(|armed| due < armed));
        if is_nearer {
            port.changed.notify_one();
        }
    }

    /// The same within the task, which looks at the deadline itself.
    pub(super) fn carry_out(&mut self, port: &Port) {
        self.send(port);
        while let Some(event) = self.machine.poll_event() {
            self.pass_on(port, event);
        }
        // A connection that could not be queued was reset.
        self.send(port);
    }

    fn pass_on(&mut self, port: &Port, event: Event) {
        if let Event::Incoming(id, from) = event {
            return self.welcome(port, id, from);
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

    fn welcome(&mut self, port: &Port, id: ConnectionId, from: SocketAddr) {
        if self.incoming.len() >= MAX_INCOMING || !port.is_allowed(from) {
            return self.machine.abort(self.now(), id);
        }
        self.readiness.insert(id, Arc::new(Readiness::open()));
        self.incoming.push_back((id, from));
        port.arrived.notify_one();
    }

    fn send(&mut self, port: &Port) {
        let now = self.now();
        while let Some(batch) = self
            .unsent
            .next(|out| poll(&mut self.machine, port, now, out))
        {
            match port.send(&batch, self.local_addresses.of(batch.to)) {
                Ok(sent) => self.unsent.handle_sent(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    let (to, probe) = (batch.to, batch.is_probe.then_some(batch.bytes.len()));
                    self.unsent.clear();
                    self.handle_failure(to, probe, &error);
                }
            }
        }
    }

    /// `probe`: the length of a datagram that must not be fragmented.
    fn handle_failure(&mut self, to: SocketAddr, probe: Option<usize>, error: &io::Error) {
        tracing::trace!(%to, %error, "a datagram of uTP was not sent");
        match probe {
            Some(length) => self.machine.handle_too_long(to, length),
            None => self.machine.handle_unreachable(to),
        }
    }

    pub(super) fn handle(
        &mut self,
        port: &Port,
        now: types::Instant,
        from: SocketAddr,
        datagram: &[u8],
    ) -> bool {
        if datagram.first() == Some(&SYN) && !port.is_allowed(from) {
            return true;
        }
        self.machine.handle_datagram(now, from, datagram)
    }

    /// When the task must run again.
    pub(super) fn due(&self) -> Option<Instant> {
        if !self.unsent.is_empty() {
            return Some(Instant::now() + PAUSE);
        }
        let due = self.machine.poll_timeout()?;
        Some(self.start + due.since(types::Instant::ZERO))
    }
}

/// The next datagram that may be sent, which is appended to `out`. One that may not be sent counts
/// as lost, and is repeated.
fn poll(
    machine: &mut Socket,
    port: &Port,
    now: types::Instant,
    out: &mut Vec<u8>,
) -> Option<Transmit> {
    loop {
        let start = out.len();
        let transmit = machine.poll_transmit(now, out)?;
        let datagram = out.get(start..).unwrap_or_default();
        if port.may_send(transmit.to, datagram) {
            return Some(transmit);
        }
        out.truncate(start);
    }
}
