//! All connections of one UDP port.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use bytes::Bytes;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::answers::Answers;
use super::close::CloseReason;
use super::config::Config;
use super::connection::{Route, UtpConnection};
use super::packet::{Header, Kind, Packet};
use super::sequence::Sequence;
use super::syn_cookies::{InitialNumbers, SynCookies};
use crate::types::Instant;

/// The number of datagrams that a connection may send before others get their turn.
const TURN: u8 = 32;

/// Identifies a connection of one [`Socket`]; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

/// An event for the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An incoming connection, whose sender has verified its address.
    Incoming(ConnectionId, SocketAddr),
    /// A dial succeeded.
    Connected(ConnectionId),
    /// A read that returned nothing would return something now.
    Readable(ConnectionId),
    /// A write that was incomplete has room now.
    Writable(ConnectionId),
    /// It ended without a FIN, and was removed.
    Closed(ConnectionId, CloseReason),
}

/// The result of a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// Bytes of the stream; never empty.
    Bytes(Bytes),
    /// Nothing yet: [`Event::Readable`] follows.
    Pending,
    /// The other side ended its stream.
    End,
}

/// There is no such connection, since it was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the uTP connection is closed")]
pub struct Closed;

/// The limit [`Config::max_connections`] is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are as many uTP connections as may be; close one")]
pub struct Full;

/// A datagram to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Its destination.
    pub to: SocketAddr,
    /// Whether it must not be fragmented, because it probes the maximum length. All others may be.
    pub is_probe: bool,
}

/// uTP over one UDP port, without I/O.
///
/// A driver passes datagrams to [`Socket::handle_datagram`], sends the datagrams of
/// [`Socket::poll_transmit`] after every call, and calls [`Socket::handle_timeout`] at the time
/// that [`Socket::poll_timeout`] returns. The same seed and inputs give the same outputs.
#[derive(Debug)]
pub struct Socket {
    config: Config,
    random: ChaCha8Rng,
    connections: BTreeMap<ConnectionId, Slot>,
    /// By address, and the id on which we receive.
    routes: BTreeMap<(SocketAddr, u16), ConnectionId>,
    cookies: SynCookies,
    answers: Answers,
    events: VecDeque<Event>,
    /// Connections that may have something to send, whose turn comes in this order.
    ready: VecDeque<ConnectionId>,
    /// The number of datagrams that the first of `ready` has sent in its turn.
    turn: u8,
    timers: BTreeSet<(Instant, ConnectionId)>,
    last_id: u64,
}

#[derive(Debug)]
struct Slot {
    connection: UtpConnection,
    due: Option<Instant>,
    is_ready: bool,
}

impl Socket {
    /// A port without connections. `seed` is for ids and initial sequence numbers, which other
    /// hosts must not be able to guess.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut random = ChaCha8Rng::from_seed(seed);
        Self {
            config,
            cookies: SynCookies::new(random.random()),
            answers: Answers::new(random.random()),
            random,
            connections: BTreeMap::new(),
            routes: BTreeMap::new(),
            events: VecDeque::new(),
            ready: VecDeque::new(),
            turn: 0,
            timers: BTreeSet::new(),
            last_id: 0,
        }
    }

    /// The number of current connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Dials. [`Event::Connected`] or [`Event::Closed`] follows; data written before are queued.
    ///
    /// # Errors
    /// There are too many connections.
    pub fn connect(&mut self, now: Instant, to: SocketAddr) -> Result<ConnectionId, Full> {
        if self.connections.len() >= self.config.max_connections {
            return Err(Full);
        }
        let receive_id = self.free_id(to).ok_or(Full)?;
        let route = Route {
            to,
            receive_id,
            send_id: receive_id.wrapping_add(1),
        };
        let first = Sequence(self.random.random());
        let connection = UtpConnection::dial(&self.config, route, first, now);
        Ok(self.insert(connection))
    }

    /// At most `limit` received bytes.
    ///
    /// # Errors
    /// There is no such connection.
    pub fn read(&mut self, id: ConnectionId, limit: usize) -> Result<Read, Closed> {
        let connection = self.connection(id)?;
        let read = match connection.read(limit) {
            None => Read::Pending,
            Some(bytes) if bytes.is_empty() => Read::End,
            Some(bytes) => Read::Bytes(bytes),
        };
        self.update(id);
        Ok(read)
    }

    /// Accepts as many bytes as there is room for, and returns their number. If that is not all,
    /// [`Event::Writable`] follows.
    ///
    /// # Errors
    /// There is no such connection.
    pub fn write(&mut self, id: ConnectionId, bytes: &[u8]) -> Result<usize, Closed> {
        let taken = self.connection(id)?.write(bytes);
        self.update(id);
        Ok(taken)
    }

    /// The number of bytes that a connection holds: received and not read, and written and not
    /// acknowledged. 0 if there is no such connection.
    #[must_use]
    pub fn buffered(&self, id: ConnectionId) -> usize {
        let slot = self.connections.get(&id);
        slot.map_or(0, |slot| slot.connection.buffered())
    }

    /// The remote side belongs to the application's protocol: the connection receives into
    /// [`Config::receive_buffer`] from here on.
    pub fn confirm(&mut self, id: ConnectionId) {
        let receive_buffer = self.config.receive_buffer;
        if let Ok(connection) = self.connection(id) {
            connection.widen(receive_buffer);
            self.update(id);
        }
    }

    /// Ends our stream after the written data: the other side reads its end. Their stream can still
    /// be read.
    pub fn finish(&mut self, id: ConnectionId) {
        if let Ok(connection) = self.connection(id) {
            connection.finish();
            self.update(id);
        }
    }

    /// Closes a connection: written data are still delivered, received data are dropped. The id
    /// must not be used any more; no event contains it.
    pub fn close(&mut self, now: Instant, id: ConnectionId) {
        if let Ok(connection) = self.connection(id) {
            connection.close(now);
            self.update(id);
        }
        self.events.retain(|event| event.id() != id);
    }

    /// Ends a connection immediately: written data are lost, and the other side receives a reset.
    pub fn abort(&mut self, now: Instant, id: ConnectionId) {
        if let Some(slot) = self.connections.get(&id) {
            let reset = slot.connection.reset(now);
            self.answers.push(slot.connection.route().to, &reset);
            self.remove(id);
        }
        self.events.retain(|event| event.id() != id);
    }

    /// Handles a datagram. Returns whether it is a uTP datagram; if not, it is for another protocol
    /// on the port.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> bool {
        let Ok(packet) = Packet::parse(datagram) else {
            return false;
        };
        if from.port() == 0 {
            return true;
        }
        let header = &packet.header;
        if let Some(id) = self.find(from, header) {
            self.handle_packet(now, id, &packet);
        } else if header.kind == Kind::Syn {
            self.handle_syn(now, from, &packet);
        } else if let Some(proven) = self.cookies.verify(now, from, header) {
            self.accept(now, from, proven, &packet);
        } else if header.kind != Kind::Reset {
            self.answers.reset(now, from, header);
        }
        true
    }

    /// Handles what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, id)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, id));
            let Some(slot) = self.connections.get_mut(&id) else {
                continue;
            };
            slot.due = None;
            if slot.connection.handle_timeout(now) {
                let reset = slot.connection.reset(now);
                self.answers.push(slot.connection.route().to, &reset);
            }
            self.update(id);
        }
    }

    /// Records that there is no route to this address: dials fail immediately.
    pub fn handle_unreachable(&mut self, to: SocketAddr) {
        self.handle_each(to, UtpConnection::handle_unreachable);
    }

    /// Records that the system refused to send a probe of this length without fragmenting it.
    pub fn handle_too_long(&mut self, to: SocketAddr, length: usize) {
        let length = u16::try_from(length).unwrap_or(u16::MAX);
        self.handle_each(to, |connection| connection.handle_too_long(length));
    }

    /// The next datagram to send, which is appended to `out`.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Transmit> {
        if let Some((to, answer)) = self.answers.poll() {
            out.extend_from_slice(&answer);
            let is_probe = false;
            return Some(Transmit { to, is_probe });
        }
        while let Some(id) = self.ready.pop_front() {
            let Some(slot) = self.connections.get_mut(&id) else {
                continue;
            };
            let to = slot.connection.route().to;
            let is_probe = slot.connection.poll_transmit(now, out);
            slot.is_ready = is_probe.is_some();
            self.requeue(id, is_probe.is_some());
            self.schedule(id);
            if let Some(is_probe) = is_probe {
                return Some(Transmit { to, is_probe });
            }
        }
        None
    }

    /// Gives the connection that had the turn the next one, too, or puts it last. Datagrams in a row
    /// to one address take fewer calls of the system.
    fn requeue(&mut self, id: ConnectionId, is_ready: bool) {
        self.turn = if is_ready { (self.turn + 1) % TURN } else { 0 };
        match (is_ready, self.turn) {
            (true, 0) => self.ready.push_back(id),
            (true, _) => self.ready.push_front(id),
            (false, _) => {}
        }
    }

    /// The next event for the application.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Socket::handle_timeout`] must be called; `None` if there is nothing to wait for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    fn connection(&mut self, id: ConnectionId) -> Result<&mut UtpConnection, Closed> {
        let slot = self.connections.get_mut(&id).ok_or(Closed)?;
        Ok(&mut slot.connection)
    }

    /// The connection of a datagram. Of a reset both ids are known: some clients answer with the id
    /// that they receive on, others with the one that they do not know.
    fn find(&self, from: SocketAddr, header: &Header) -> Option<ConnectionId> {
        let id = header.connection_id;
        match header.kind {
            // A SYN names the id on which its sender receives.
            Kind::Syn => self.routes.get(&(from, id.wrapping_add(1))).copied(),
            Kind::Reset => [id, id.wrapping_sub(1), id.wrapping_add(1)]
                .iter()
                .filter_map(|receive| self.routes.get(&(from, *receive)))
                .find(|found| self.has_id(**found, id))
                .copied(),
            Kind::Data | Kind::Fin | Kind::State => self.routes.get(&(from, id)).copied(),
        }
    }

    fn has_id(&self, connection: ConnectionId, id: u16) -> bool {
        self.connections.get(&connection).is_some_and(|slot| {
            let route = slot.connection.route();
            route.receive_id == id || route.send_id == id
        })
    }

    /// An id on which nothing is received from this address, nor will be.
    fn free_id(&mut self, to: SocketAddr) -> Option<u16> {
        (0..100)
            .map(|_| self.random.random())
            .find(|id| !self.routes.contains_key(&(to, *id)))
    }

    fn handle_packet(&mut self, now: Instant, id: ConnectionId, packet: &Packet<'_>) {
        if let Ok(connection) = self.connection(id) {
            connection.handle_packet(now, packet);
            self.update(id);
        }
    }

    fn handle_syn(&mut self, now: Instant, from: SocketAddr, packet: &Packet<'_>) {
        let syn = &packet.header;
        if !packet.payload.is_empty() {
            return;
        }
        if self.connections.len() >= self.config.max_connections {
            self.answers.reset(now, from, syn);
        } else if self.answers.admits(now, from) {
            let ours = self.cookies.number(now, from, syn);
            let window = u32::try_from(self.config.first_window()).unwrap_or(u32::MAX);
            self.answers.accept(now, from, syn, (ours, window));
        }
    }

    /// The datagram that proves an address is the connection's first.
    fn accept(
        &mut self,
        now: Instant,
        from: SocketAddr,
        proven: InitialNumbers,
        packet: &Packet<'_>,
    ) {
        if self.connections.len() >= self.config.max_connections {
            return self.answers.reset(now, from, &packet.header);
        }
        let receive_id = packet.header.connection_id;
        let route = Route {
            to: from,
            receive_id,
            send_id: receive_id.wrapping_sub(1),
        };
        let connection = UtpConnection::accept(&self.config, route, proven, now);
        let id = self.insert(connection);
        self.events.push_back(Event::Incoming(id, from));
        self.handle_packet(now, id, packet);
    }

    fn handle_each(&mut self, to: SocketAddr, mut what: impl FnMut(&mut UtpConnection)) {
        let ids: Vec<_> = self
            .routes
            .range((to, 0)..=(to, u16::MAX))
            .map(|(_, id)| *id)
            .collect();
        for id in ids {
            if let Ok(connection) = self.connection(id) {
                what(connection);
                self.update(id);
            }
        }
    }

    fn insert(&mut self, connection: UtpConnection) -> ConnectionId {
        self.last_id += 1;
        let id = ConnectionId(self.last_id);
        let route = connection.route();
        self.routes.insert((route.to, route.receive_id), id);
        let slot = Slot {
            connection,
            due: None,
            is_ready: false,
        };
        self.connections.insert(id, slot);
        self.update(id);
        id
    }

    /// After every call of a connection: tells what changed, and finds out what it waits for.
    fn update(&mut self, id: ConnectionId) {
        let Some(slot) = self.connections.get_mut(&id) else {
            return;
        };
        let changes = slot.connection.take_changes();
        let events = [
            changes.connected.then_some(Event::Connected(id)),
            changes.readable.then_some(Event::Readable(id)),
            changes.writable.then_some(Event::Writable(id)),
            changes.closed.map(|reason| Event::Closed(id, reason)),
        ];
        self.events.extend(events.into_iter().flatten());
        if slot.connection.is_over() {
            return self.remove(id);
        }
        if !slot.is_ready {
            slot.is_ready = true;
            self.ready.push_back(id);
        }
        self.schedule(id);
    }

    fn schedule(&mut self, id: ConnectionId) {
        let Some(slot) = self.connections.get_mut(&id) else {
            return;
        };
        let due = slot.connection.poll_timeout();
        if due == slot.due {
            return;
        }
        if let Some(old) = std::mem::replace(&mut slot.due, due) {
            self.timers.remove(&(old, id));
        }
        self.timers.extend(due.map(|due| (due, id)));
    }

    fn remove(&mut self, id: ConnectionId) {
        if let Some(slot) = self.connections.remove(&id) {
            let route = slot.connection.route();
            self.routes.remove(&(route.to, route.receive_id));
            if let Some(due) = slot.due {
                self.timers.remove(&(due, id));
            }
        }
    }
}

impl Event {
    /// The connection.
    #[must_use]
    pub const fn id(&self) -> ConnectionId {
        match *self {
            Self::Incoming(id, _)
            | Self::Connected(id)
            | Self::Readable(id)
            | Self::Writable(id)
            | Self::Closed(id, _) => id,
        }
    }
}
