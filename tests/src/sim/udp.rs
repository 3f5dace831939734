//! Hosts that are reached over uTP: datagrams of core's own uTP through NATs. TCP is not modelled
//! for them, since it does not pass NATs.
//!
//! A datagram waits at its sender's access line and travels as long as the path takes. It is lost
//! as often as the lines' losses say, and where a NAT does not let it in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use aqueduct_core::connection::{Connection, Event, Line, Transport};
use aqueduct_core::types::{ConnId, InfoHashV1, PeerAddr};
use aqueduct_core::utp::{self, ConnectionId, Read, Socket};
use aqueduct_core::wire::{Handshake, Message};
use aqueduct_core::{CloseReason, DialKind, Handshaken, Input, Instant};
use bytes::BytesMut;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::host::{Host, HostId};
use super::nat::Nat;
use super::world::{ScheduledEvent, World};

/// The deadline for handshakes.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The size of IP and UDP headers, which take time on the line.
const HEADERS: u64 = 28;
/// The number of bytes read at a time.
const READ: usize = 64 << 10;

/// A host's UDP port.
#[derive(Debug)]
pub(super) struct Udp {
    socket: Socket,
    nat: Option<Nat>,
    ends: BTreeMap<ConnectionId, End>,
    /// The connections that the engine knows.
    ids: BTreeMap<ConnId, ConnectionId>,
    /// When [`ScheduledEvent::Udp`] is scheduled.
    timer: Option<Instant>,
    /// Every dial.
    dialled: Vec<(Instant, SocketAddr, DialKind)>,
}

/// A host's end of a connection.
#[derive(Debug)]
struct End {
    /// `None`: accepted, and the handshake is not complete.
    conn: Option<ConnId>,
    from: SocketAddr,
    connection: Connection,
    input: BytesMut,
    /// Encoded messages for which the socket has no room.
    unwritten: BytesMut,
    /// The number of bytes that the engine has queued and that were not reported as sent.
    unsent: u64,
}

impl End {
    fn new(conn: Option<ConnId>, from: SocketAddr, connection: Connection) -> Self {
        let (input, unwritten) = (BytesMut::new(), BytesMut::new());
        Self {
            conn,
            from,
            connection,
            input,
            unwritten,
            unsent: 0,
        }
    }

    /// Writes as much as the socket takes. Returns whether that was all.
    fn write(&mut self, socket: &mut Socket, id: ConnectionId) -> bool {
        while let Some(part) = self.connection.poll_part() {
            self.unwritten.extend_from_slice(&part);
        }
        let taken = socket.write(id, &self.unwritten).unwrap_or_default();
        let _ = self.unwritten.split_to(taken);
        self.unwritten.is_empty()
    }
}

impl Udp {
    /// The port of a host, if it has one.
    pub(super) fn of(host: &Host, rng: &mut ChaCha8Rng) -> Option<Self> {
        let nat = host.plan.nat.map(|kind| Nat::new(kind, host.addr().ip()));
        host.plan.utp.then(|| Self {
            socket: Socket::new(utp::Config::default(), rng.random()),
            nat,
            ends: BTreeMap::new(),
            ids: BTreeMap::new(),
            timer: None,
            dialled: Vec::new(),
        })
    }

    /// Forgets all connections, as a power loss does. The NAT stays.
    fn restart(&mut self, rng: &mut ChaCha8Rng) {
        self.socket = Socket::new(utp::Config::default(), rng.random());
        self.ends.clear();
        self.ids.clear();
    }

    fn end(&mut self, conn: ConnId) -> Option<(ConnectionId, &mut End, &mut Socket)> {
        let id = *self.ids.get(&conn)?;
        Some((id, self.ends.get_mut(&id)?, &mut self.socket))
    }
}

impl World {
    /// Every dial of a host with a UDP port, in order.
    #[must_use]
    pub fn dials_of(&self, id: HostId) -> &[(Instant, SocketAddr, DialKind)] {
        &self.udp[&id].dialled
    }

    /// The number of dials of a host with a UDP port that an introduction caused.
    #[must_use]
    pub fn holepunches(&self, id: HostId) -> usize {
        let dials = self.dials_of(id).iter();
        dials
            .filter(|(_, _, kind)| *kind == DialKind::Holepunch)
            .count()
    }

    /// Dials as a host with a UDP port does. Returns false if it has none.
    pub(super) fn dial_over_utp(
        &mut self,
        from: HostId,
        conn: ConnId,
        swarm: InfoHashV1,
        (addr, kind): (PeerAddr, DialKind),
    ) -> bool {
        let now = self.agenda.now();
        let ours = self.handshake_of(from, swarm);
        let (Some(udp), Some(addr)) = (self.udp.get_mut(&from), addr.socket_addr()) else {
            return false;
        };
        udp.dialled.push((now, addr, kind));
        let id = udp.socket.connect(now, addr).expect("there is room");
        let dialling = Connection::dial(ours, now + HANDSHAKE_TIMEOUT);
        let mut end = End::new(Some(conn), addr, dialling);
        assert!(end.write(&mut udp.socket, id), "a handshake always fits");
        udp.ends.insert(id, end);
        udp.ids.insert(conn, id);
        self.arm_udp(from, now);
        true
    }

    /// Sends a message over uTP. `bytes`: its length as the engine counts it. `None`: a bad peer
    /// sends nothing in its place. Returns false if this connection is not over uTP.
    pub(super) fn send_over_utp(
        &mut self,
        from: HostId,
        conn: ConnId,
        (message, bytes): (Option<&Message>, u64),
    ) -> bool {
        let now = self.agenda.now();
        let end = self.udp.get_mut(&from).and_then(|udp| udp.end(conn));
        let Some((id, end, socket)) = end else {
            return false;
        };
        end.unsent += bytes;
        // A host may be told to send while its dial is still in progress.
        if let Some(message) = message.filter(|_| end.connection.poll_timeout().is_none()) {
            end.connection.send(message);
        }
        end.write(socket, id);
        self.arm_udp(from, now);
        true
    }

    /// Whether a connection of a host is one with another host.
    pub(super) fn is_over_utp(&self, from: HostId, conn: ConnId, to: HostId) -> bool {
        let udp = self.udp.get(&from);
        let end = udp.and_then(|udp| udp.ends.get(udp.ids.get(&conn)?));
        end.is_some_and(|end| self.udp_host(end.from) == Some(to))
    }

    /// The connections over uTP that a host's engine knows.
    pub(super) fn utp_conns(&self, id: HostId) -> Vec<ConnId> {
        let udp = self.udp.get(&id);
        udp.map_or_else(Vec::new, |udp| udp.ids.keys().copied().collect())
    }

    /// Closes a connection over uTP. Returns false if there is none.
    pub(super) fn close_over_utp(&mut self, from: HostId, conn: ConnId) -> bool {
        let now = self.agenda.now();
        let Some(udp) = self.udp.get_mut(&from) else {
            return false;
        };
        let Some(id) = udp.ids.remove(&conn) else {
            return false;
        };
        udp.ends.remove(&id);
        udp.socket.close(now, id);
        self.hosts[from.0].routes.remove(&conn);
        self.arm_udp(from, now);
        true
    }

    /// A host's power fails.
    pub(super) fn break_utp(&mut self, id: HostId) {
        if let Some(udp) = self.udp.get_mut(&id) {
            udp.restart(&mut self.rng);
        }
    }

    /// The host that has this address outside, whether it is reached there or not.
    fn udp_host(&self, addr: SocketAddr) -> Option<HostId> {
        let is_there = |(id, udp): (&HostId, &Udp)| {
            let ours = self.hosts[id.0].addr();
            ours == addr || udp.nat.is_some() && ours.ip() == addr.ip()
        };
        let mut hosts = self.udp.iter();
        hosts.find(|entry| is_there(*entry)).map(|(id, _)| *id)
    }

    fn arm_udp(&mut self, id: HostId, due: Instant) {
        let Some(udp) = self.udp.get_mut(&id) else {
            return;
        };
        if udp.timer.is_none_or(|planned| due < planned) {
            udp.timer = Some(due);
            self.agenda.at(due, ScheduledEvent::Udp(id));
        }
    }

    /// A datagram reaches a host, or its NAT.
    pub(super) fn datagram_arrives(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let now = self.agenda.now();
        let Some(id) = self.udp_host(to).filter(|id| self.hosts[id.0].alive) else {
            return;
        };
        let udp = self.udp.get_mut(&id).expect("it was found there");
        let nat = udp.nat.as_ref();
        if nat.is_none_or(|nat| nat.admits(now, from, to.port())) {
            udp.socket.handle_datagram(now, from, bytes);
            self.settle_udp(id);
        }
    }

    /// A host's UDP port has something to do.
    pub(super) fn wake_udp(&mut self, id: HostId) {
        let now = self.agenda.now();
        let udp = self.udp.get_mut(&id).expect("it asked to be woken");
        udp.timer = udp.timer.filter(|planned| *planned > now);
        if self.hosts[id.0].alive {
            udp.socket.handle_timeout(now);
            self.settle_udp(id);
        }
    }

    fn settle_udp(&mut self, id: HostId) {
        let now = self.agenda.now();
        while let Some(event) = self.poll_udp(id, Socket::poll_event) {
            self.handle_utp(id, event);
        }
        self.report_sent(id);
        let mut out = Vec::new();
        while let Some(sent) = self.poll_udp(id, |socket| socket.poll_transmit(now, &mut out)) {
            self.send_datagram(id, sent.to, std::mem::take(&mut out));
        }
        if let Some(due) = self.poll_udp(id, |socket| socket.poll_timeout()) {
            self.arm_udp(id, due);
        }
    }

    fn poll_udp<T>(
        &mut self,
        id: HostId,
        poll: impl FnOnce(&mut Socket) -> Option<T>,
    ) -> Option<T> {
        self.udp.get_mut(&id).and_then(|udp| poll(&mut udp.socket))
    }

    fn send_datagram(&mut self, id: HostId, to: SocketAddr, bytes: Vec<u8>) {
        let now = self.agenda.now();
        let length = bytes.len() as u64 + HEADERS;
        let departs = self.hosts[id.0].line.departs(now, length);
        let nat = self.udp.get_mut(&id).and_then(|udp| udp.nat.as_mut());
        let from = nat.map_or(self.hosts[id.0].addr(), |nat| nat.send(now, to));
        let Some(target) = self.udp_host(to) else {
            return;
        };
        let [ours, theirs] = [id, target].map(|id| self.hosts[id.0].line.access);
        let loss = 1.0 - (1.0 - ours.loss) * (1.0 - theirs.loss);
        if loss == 0.0 || !self.rng.random_bool(loss) {
            let arrives = departs + ours.latency + theirs.latency;
            let datagram = ScheduledEvent::UtpDatagram { from, to, bytes };
            self.agenda.at(arrives, datagram);
        }
    }

    fn handle_utp(&mut self, host: HostId, event: utp::Event) {
        match event {
            utp::Event::Incoming(id, from) => {
                let deadline = self.agenda.now() + HANDSHAKE_TIMEOUT;
                let end = End::new(None, from, Connection::accept(deadline));
                let udp = self.udp.get_mut(&host).expect("it has an event");
                udp.ends.insert(id, end);
                self.read_utp(host, id);
            }
            utp::Event::Connected(id) | utp::Event::Readable(id) => self.read_utp(host, id),
            utp::Event::Writable(_) => {}
            utp::Event::Closed(id, reason) => self.end_utp(host, id, closed(reason)),
        }
    }

    /// Writes what waits, and reports to the engine what was taken completely.
    fn report_sent(&mut self, host: HostId) {
        let Some(udp) = self.udp.get_mut(&host) else {
            return;
        };
        let mut sent = Vec::new();
        for (id, end) in udp.ends.iter_mut().filter(|(_, end)| end.unsent > 0) {
            if end.write(&mut udp.socket, *id) {
                let bytes = std::mem::take(&mut end.unsent);
                sent.extend(end.conn.map(|conn| Input::Sent { conn, bytes }));
            }
        }
        sent.into_iter()
            .for_each(|input| self.handle_engine(host, input));
    }

    fn read_utp(&mut self, host: HostId, id: ConnectionId) {
        loop {
            match self.udp.get_mut(&host).map(|udp| udp.socket.read(id, READ)) {
                Some(Ok(Read::Bytes(bytes))) => {
                    let udp = self.udp.get_mut(&host).expect("it was read from");
                    let Some(end) = udp.ends.get_mut(&id) else {
                        return;
                    };
                    end.input.extend_from_slice(&bytes);
                    self.understand(host, id);
                }
                Some(Ok(Read::End)) => return self.end_utp(host, id, CloseReason::Remote),
                Some(Ok(Read::Pending) | Err(_)) | None => return,
            }
        }
    }

    /// Passes on what the received bytes mean. The engine may close the connection meanwhile.
    fn understand(&mut self, host: HostId, id: ConnectionId) {
        loop {
            let end = self
                .udp
                .get_mut(&host)
                .and_then(|udp| udp.ends.get_mut(&id));
            let Some(end) = end else {
                return;
            };
            match end.connection.poll_event(&mut end.input) {
                Ok(Some(Event::Message(message))) => self.hear(host, id, message),
                Ok(Some(Event::Wanted(swarm))) => self.answer_utp(host, id, swarm),
                Ok(Some(Event::Handshaken(theirs))) => self.greet(host, id, theirs),
                Ok(Some(other)) => panic!("{other:?}: nothing is encrypted here"),
                Ok(None) => return,
                Err(broken) => return self.end_utp(host, id, CloseReason::Protocol(broken)),
            }
        }
    }

    fn hear(&mut self, host: HostId, id: ConnectionId, message: Message) {
        let conn = self.udp[&host].ends[&id].conn;
        let conn = conn.expect("messages follow the handshake");
        if let Message::Extended { id, payload } = &message {
            self.hosts[host.0].heard.push((*id, payload.clone()));
        }
        self.handle_engine(host, Input::Message { conn, message });
    }

    fn answer_utp(&mut self, host: HostId, id: ConnectionId, swarm: InfoHashV1) {
        let ours = self.handshake_of(host, swarm);
        let udp = self.udp.get_mut(&host).expect("it was asked");
        let end = udp.ends.get_mut(&id).expect("it was asked over this one");
        end.connection.answer(ours);
        end.write(&mut udp.socket, id);
    }

    /// A handshake is complete.
    fn greet(&mut self, host: HostId, id: ConnectionId, theirs: Handshake) {
        let handshake = Handshaken::new(theirs, Line::clear(Transport::Utp));
        let udp = self.udp.get_mut(&host).expect("it has the connection");
        let end = udp.ends.get_mut(&id).expect("it is there");
        if let Some(conn) = end.conn {
            return self.handle_engine(host, Input::Connected { conn, handshake });
        }
        let conn = ConnId::accepted(self.hosts[host.0].accepted);
        self.hosts[host.0].accepted += 1;
        end.conn = Some(conn);
        udp.ids.insert(conn, id);
        let addr = end.from.into();
        self.handle_engine(
            host,
            Input::Accepted {
                conn,
                addr,
                dialled: false,
                handshake,
            },
        );
    }

    /// A connection ended by itself.
    fn end_utp(&mut self, host: HostId, id: ConnectionId, reason: CloseReason) {
        let now = self.agenda.now();
        let udp = self.udp.get_mut(&host).expect("it had the connection");
        udp.socket.close(now, id);
        let conn = udp.ends.remove(&id).and_then(|end| end.conn);
        if let Some(conn) = conn {
            udp.ids.remove(&conn);
            self.handle_engine(host, Input::Closed { conn, reason });
            self.hosts[host.0].routes.remove(&conn);
        }
    }
}

fn closed(reason: utp::CloseReason) -> CloseReason {
    match reason {
        utp::CloseReason::Refused => CloseReason::Refused,
        utp::CloseReason::TimedOut => CloseReason::TimedOut,
        utp::CloseReason::Reset => CloseReason::Remote,
        utp::CloseReason::Unreachable => CloseReason::Unreachable("no route".to_owned()),
    }
}
