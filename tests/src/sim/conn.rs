//! Connections between hosts: dials, ordered bytes, and closing.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use aqueduct_core::connection::{Connection, Event, Line, Transport};
use aqueduct_core::types::{ConnId, InfoHashV1, PeerAddr};
use aqueduct_core::wire::{Handshake, Message, RawBlock};
use aqueduct_core::{CloseReason, Handshaken, Input, Instant};
use bytes::{Bytes, BytesMut};
use rand::RngExt;

use super::host::HostId;
use super::misbehavior::Misbehavior;
use super::net::path;
use super::world::{ScheduledEvent, World};

/// How long a dial to an unused address takes to fail.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than any path takes. It is the connection machine's own deadline, which the simulation
/// never reaches.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection between two hosts.
#[derive(Debug)]
pub(super) struct Link {
    swarm: InfoHashV1,
    /// The dialling end, then the accepting end.
    ends: [End; 2],
}

/// One end of a connection.
#[derive(Debug)]
struct End {
    host: HostId,
    conn: ConnId,
    /// Whether the engine at this end considers the connection open.
    open: bool,
    /// The time of the last arrival here. Nothing arrives earlier, so bytes keep their order.
    last_arrival: Instant,
    /// Bytes that are queued at the access line: when they will have left, and how many.
    leaving: VecDeque<(Instant, u64)>,
    /// Blocks that this end requested and that were neither sent nor rejected.
    asked: BTreeSet<RawBlock>,
    /// In an encoded world all data pass through it, including the handshake.
    connection: Connection,
    undecoded: BytesMut,
}

/// What arrives over a link, and at which end.
#[derive(Debug)]
pub(super) enum Arrival {
    /// A dial reaches its target.
    Dialled,
    /// The dialled host answered; the dialling host learns of it.
    Answered,
    /// A message that has not passed the receiver's access line yet.
    Nears(usize, Message),
    /// A message.
    Message(usize, Message),
    /// A part of the byte stream.
    Bytes(usize, Bytes),
    /// The end of the stream, before the receiver's access line.
    EndNears(usize, CloseReason),
    /// The end of the stream.
    End(usize, CloseReason),
}

impl End {
    fn new(host: HostId, conn: ConnId, open: bool, connection: Connection) -> Self {
        let undecoded = BytesMut::new();
        Self {
            host,
            conn,
            open,
            last_arrival: Instant::ZERO,
            leaving: VecDeque::new(),
            asked: BTreeSet::new(),
            connection,
            undecoded,
        }
    }
}

impl World {
    /// Dials a host: SYN, SYN-ACK and the handshake travel there, the answer travels back.
    pub(super) fn dial_over_tcp(
        &mut self,
        from: HostId,
        conn: ConnId,
        swarm: InfoHashV1,
        addr: PeerAddr,
    ) {
        let target = addr
            .socket_addr()
            .and_then(|addr| self.addresses.get(&addr).copied())
            .filter(|to| self.hosts[to.0].plan.reachable);
        // An end without a host represents an unused address.
        let to = target.unwrap_or(from);
        let id = self.links_made;
        self.links_made += 1;
        let deadline = self.agenda.now() + HANDSHAKE_TIMEOUT;
        let dialling = Connection::dial(self.handshake_of(from, swarm), deadline);
        self.links.insert(
            id,
            Link {
                swarm,
                ends: [
                    End::new(from, conn, true, dialling),
                    End::new(to, ConnId::accepted(0), false, Connection::accept(deadline)),
                ],
            },
        );
        self.hosts[from.0].conns.insert(conn, (id, 0));
        match target {
            Some(to) => {
                let there = self.way(from, to) + self.way(from, to) + self.way(from, to);
                self.agenda
                    .after(there, ScheduledEvent::Arrives(id, Arrival::Dialled));
            }
            None => {
                let reason = CloseReason::Unreachable("timed out".to_owned());
                self.agenda.after(
                    DIAL_TIMEOUT,
                    ScheduledEvent::Arrives(id, Arrival::End(0, reason)),
                );
            }
        }
    }

    fn way(&mut self, a: HostId, b: HostId) -> Duration {
        path(
            &self.hosts[a.0].line.access,
            &self.hosts[b.0].line.access,
            &mut self.rng,
        )
    }

    /// Handles a dial at the listening host.
    fn dialled(&mut self, id: u64) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let (from, to, swarm) = (link.ends[0].host, link.ends[1].host, link.swarm);
        let back = self.way(from, to);
        if !self.hosts[to.0].alive || self.hosts[to.0].torrent_of(swarm).is_none() {
            let refused = CloseReason::Unreachable("connection refused".to_owned());
            return self
                .agenda
                .after(back, ScheduledEvent::Arrives(id, Arrival::End(0, refused)));
        }
        let conn = ConnId::accepted(self.hosts[to.0].accepted);
        self.hosts[to.0].accepted += 1;
        self.hosts[to.0].conns.insert(conn, (id, 1));
        let now = self.agenda.now();
        let link = self.links.get_mut(&id).unwrap();
        (
            link.ends[1].conn,
            link.ends[1].open,
            link.ends[0].last_arrival,
        ) = (conn, true, now + back);
        let still_wanted = link.ends[0].open;
        self.agenda
            .after(back, ScheduledEvent::Arrives(id, Arrival::Answered));
        let ephemeral = u16::try_from(49152 + id % 16384).unwrap();
        let addr = PeerAddr::from((self.hosts[from.0].addr().ip(), ephemeral));
        let handshake = self.heard_handshake(id, 1);
        self.handle_engine(
            to,
            Input::Accepted {
                conn,
                addr,
                dialled: false,
                handshake,
            },
        );
        if !still_wanted {
            self.end_arrives(id, 1, CloseReason::Remote);
        }
    }

    pub(super) fn handshake_of(&self, id: HostId, info_hash: InfoHashV1) -> Handshake {
        let host = &self.hosts[id.0];
        Handshake {
            info_hash,
            peer_id: host.peer_id,
            reserved: host.engine().reserved(info_hash),
        }
    }

    /// The content of the other end's handshake, as this end receives it.
    fn heard_handshake(&mut self, id: u64, side: usize) -> Handshaken {
        let [ours, theirs] = [side, 1 - side].map(|side| self.links[&id].ends[side].host);
        let swarm = self.links[&id].swarm;
        if !self.encoded {
            return Handshaken::new(
                self.handshake_of(theirs, swarm),
                Line::clear(Transport::Pipe),
            );
        }
        let (ours, parts) = (
            self.handshake_of(ours, swarm),
            self.cut_anywhere(id, 1 - side),
        );
        let end = &mut self.links.get_mut(&id).unwrap().ends[side];
        let mut heard = None;
        for part in parts {
            end.undecoded.extend_from_slice(&part);
            while let Some(event) = end.connection.poll_event(&mut end.undecoded).unwrap() {
                match event {
                    Event::Wanted(_) => end.connection.answer(ours),
                    Event::Handshaken(theirs) => heard = Some(theirs),
                    other => panic!("{other:?} came with the handshake"),
                }
            }
        }
        Handshaken::new(
            heard.expect("a whole handshake was sent"),
            Line::clear(Transport::Pipe),
        )
    }

    /// Queues a message at the sender's access line. `bytes`: its length as the engine counts it.
    /// `None`: a bad peer sends nothing in its place.
    pub(super) fn send_over_tcp(
        &mut self,
        from: HostId,
        conn: ConnId,
        message: Option<Message>,
        bytes: u64,
    ) {
        let Some(&(id, side)) = self.hosts[from.0].conns.get(&conn) else {
            return;
        };
        let departs = self.hosts[from.0]
            .line
            .departs(self.agenda.now(), if message.is_some() { bytes } else { 0 });
        let link = self.links.get_mut(&id).unwrap();
        if let Some(Message::Request(raw)) = &message {
            link.ends[side].asked.insert(*raw);
        }
        let leaving = &mut link.ends[side].leaving;
        match leaving.back_mut().filter(|(when, _)| *when == departs) {
            Some((_, queued)) => *queued += bytes,
            None => {
                leaving.push_back((departs, bytes));
                self.agenda
                    .at(departs, ScheduledEvent::Departed { link: id, side });
            }
        }
        if let Some(message) = message {
            self.travel(id, side, departs, message);
        }
    }

    /// Whether a connection of a host is one with another host.
    pub(super) fn is_over_tcp(&self, from: HostId, conn: ConnId, to: HostId) -> bool {
        let end = self.hosts[from.0].conns.get(&conn);
        let end = end.and_then(|(id, side)| Some(&self.links.get(id)?.ends[1 - side]));
        end.is_some_and(|end| end.host == to)
    }

    /// Sends a message from one end's access line towards the other end.
    fn travel(&mut self, id: u64, side: usize, departs: Instant, message: Message) {
        let (from, to) = (
            self.links[&id].ends[side].host,
            self.links[&id].ends[1 - side].host,
        );
        let way = self.way(from, to);
        let end = &mut self.links.get_mut(&id).unwrap().ends[1 - side];
        end.last_arrival = end.last_arrival.max(departs + way);
        let nears = end.last_arrival;
        self.agenda.at(
            nears,
            ScheduledEvent::Arrives(id, Arrival::Nears(1 - side, message)),
        );
    }

    /// A message reaches the far side of its receiver's access line, and is queued there only now.
    /// Messages that still wait at other senders do not delay it.
    fn nears(&mut self, id: u64, side: usize, message: Message) {
        let Some(to) = self.links.get(&id).map(|link| link.ends[side].host) else {
            return;
        };
        let arrives = self.hosts[to.0]
            .line
            .arrives(self.agenda.now(), message.wire_len());
        if !self.encoded {
            return self.agenda.at(
                arrives,
                ScheduledEvent::Arrives(id, Arrival::Message(side, message)),
            );
        }
        let sender = &mut self.links.get_mut(&id).unwrap().ends[1 - side].connection;
        // A host may be told to send while its dial is still in progress.
        if sender.poll_timeout().is_some() {
            return;
        }
        sender.send(&message);
        for part in self.cut_anywhere(id, 1 - side) {
            self.agenda.at(
                arrives,
                ScheduledEvent::Arrives(id, Arrival::Bytes(side, part)),
            );
        }
    }

    fn end_nears(&mut self, id: u64, side: usize, reason: CloseReason) {
        let Some(to) = self.links.get(&id).map(|link| link.ends[side].host) else {
            return;
        };
        let arrives = self.hosts[to.0].line.arrives(self.agenda.now(), 0);
        self.agenda.at(
            arrives,
            ScheduledEvent::Arrives(id, Arrival::End(side, reason)),
        );
    }

    /// The queued data of an end, split into up to three parts.
    fn cut_anywhere(&mut self, id: u64, side: usize) -> Vec<Bytes> {
        let connection = &mut self.links.get_mut(&id).unwrap().ends[side].connection;
        let parts: Vec<Bytes> = std::iter::from_fn(|| connection.poll_part()).collect();
        let mut rest = Bytes::from(parts.concat());
        let first = rest.split_to(self.rng.random_range(0..=rest.len()));
        let second = rest.split_to(self.rng.random_range(0..=rest.len()));
        vec![first, second, rest]
    }

    pub(super) fn departed(&mut self, id: u64, side: usize) {
        let now = self.agenda.now();
        let Some(end) = self.links.get_mut(&id).map(|link| &mut link.ends[side]) else {
            return;
        };
        let Some((_, bytes)) = end.leaving.pop_front_if(|(when, _)| *when <= now) else {
            return;
        };
        let (host, conn, open) = (end.host, end.conn, end.open);
        if open {
            self.handle_engine(host, Input::Sent { conn, bytes });
        }
    }

    pub(super) fn arrives(&mut self, id: u64, arrival: Arrival) {
        match arrival {
            Arrival::Dialled => self.dialled(id),
            Arrival::Answered => self.answered(id),
            Arrival::Nears(side, message) => self.nears(id, side, message),
            Arrival::EndNears(side, reason) => self.end_nears(id, side, reason),
            Arrival::Message(side, message) => self.message_arrives(id, side, message),
            Arrival::Bytes(side, bytes) => self.bytes_arrive(id, side, &bytes),
            Arrival::End(side, reason) => self.end_arrives(id, side, reason),
        }
    }

    fn answered(&mut self, id: u64) {
        let Some((host, conn)) = self.open_end(id, 0) else {
            return;
        };
        let handshake = self.heard_handshake(id, 0);
        self.handle_engine(host, Input::Connected { conn, handshake });
    }

    fn open_end(&self, id: u64, side: usize) -> Option<(HostId, ConnId)> {
        let end = &self.links.get(&id)?.ends[side];
        end.open.then_some((end.host, end.conn))
    }

    fn message_arrives(&mut self, id: u64, side: usize, message: Message) {
        let Some((host, conn)) = self.open_end(id, side) else {
            return;
        };
        if let Message::Extended { id, payload } = &message {
            self.hosts[host.0].heard.push((*id, payload.clone()));
        }
        if let Some(answered) = answers(&message) {
            self.links.get_mut(&id).unwrap().ends[side]
                .asked
                .remove(&answered);
        }
        self.handle_engine(host, Input::Message { conn, message });
    }

    /// Asserts that every request on every open connection was answered with its block or rejected
    /// (BEP 6). Call it when a swarm has become idle.
    ///
    /// # Panics
    /// A request between two honest hosts was not.
    pub fn assert_nothing_unanswered(&self) {
        let honest =
            |end: &End| end.open && self.host(end.host).plan.misbehavior == Misbehavior::None;
        let links = self
            .links
            .values()
            .filter(|link| link.ends.iter().all(honest));
        for end in links.flat_map(|link| &link.ends) {
            assert!(
                end.asked.is_empty(),
                "{} still waits on {:?} for {:?}",
                self.host(end.host).name(),
                end.conn,
                end.asked
            );
        }
    }

    fn bytes_arrive(&mut self, id: u64, side: usize, bytes: &[u8]) {
        let Some(end) = self.links.get_mut(&id).map(|link| &mut link.ends[side]) else {
            return;
        };
        end.undecoded.extend_from_slice(bytes);
        loop {
            let Some(end) = self
                .links
                .get_mut(&id)
                .map(|link| &mut link.ends[side])
                .filter(|end| end.open)
            else {
                return;
            };
            match end.connection.poll_event(&mut end.undecoded) {
                Ok(Some(Event::Message(message))) => self.message_arrives(id, side, message),
                Ok(_) => return,
                Err(broken) => {
                    self.hang_up(id, side);
                    return self.end_arrives(id, side, CloseReason::Protocol(broken));
                }
            }
        }
    }

    /// Tells an engine that its connection is closed.
    fn end_arrives(&mut self, id: u64, side: usize, reason: CloseReason) {
        let Some((host, conn)) = self.open_end(id, side) else {
            return;
        };
        self.shut(id, side);
        self.handle_engine(host, Input::Closed { conn, reason });
    }

    /// An engine closes its connection.
    pub(super) fn close_over_tcp(&mut self, from: HostId, conn: ConnId) {
        let Some(&(id, side)) = self.hosts[from.0].conns.get(&conn) else {
            return;
        };
        self.hang_up(id, side);
        self.shut(id, side);
    }

    /// Schedules the close at the other end, after all data that were sent before.
    fn hang_up(&mut self, id: u64, side: usize) {
        let (from, to) = (
            self.links[&id].ends[side].host,
            self.links[&id].ends[1 - side].host,
        );
        let when = (self.agenda.now() + self.way(from, to))
            .max(self.links[&id].ends[1 - side].last_arrival);
        self.agenda.at(
            when,
            ScheduledEvent::Arrives(id, Arrival::EndNears(1 - side, CloseReason::Remote)),
        );
    }

    fn shut(&mut self, id: u64, side: usize) {
        let link = self.links.get_mut(&id).unwrap();
        link.ends[side].open = false;
        let (host, conn, dead) = (
            link.ends[side].host,
            link.ends[side].conn,
            !link.ends[1 - side].open,
        );
        self.hosts[host.0].conns.remove(&conn);
        self.hosts[host.0].routes.remove(&conn);
        // A dial in progress has only one open end. When it arrives, it still needs the link, to
        // find it closed.
        if dead && link.ends[1].last_arrival > Instant::ZERO {
            self.links.remove(&id);
        }
    }

    /// Breaks all connections of a host that stopped.
    pub(super) fn break_links(&mut self, of: HostId) {
        let conns = std::mem::take(&mut self.hosts[of.0].conns);
        for (id, side) in conns.into_values() {
            self.hang_up(id, side);
            if let Some(link) = self.links.get_mut(&id) {
                link.ends[side].open = false;
            }
        }
    }
}

/// The request that a message answers, if any.
fn answers(message: &Message) -> Option<RawBlock> {
    match message {
        Message::Piece { index, begin, data } => Some(RawBlock {
            index: *index,
            begin: *begin,
            length: u32::try_from(data.len()).unwrap(),
        }),
        Message::Reject(raw) => Some(*raw),
        _ => None,
    }
}
