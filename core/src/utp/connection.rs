//! One connection: a stream of bytes in each direction over datagrams that may be lost.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::acknowledgement::Acknowledgement;
use super::close::CloseReason;
use super::config::Config;
use super::packet::{Header, Kind, Packet, clock};
use super::receive_buffer::{Body, ReceiveBuffer};
use super::send_buffer::Segment;
use super::sender::Sender;
use super::sequence::Sequence;
use super::syn_cookies::InitialNumbers;
use super::timers::Timers;
use crate::types::Instant;

/// The maximum number of SYNs: a dial fails after 1, 2 and 4 seconds.
const MAX_SYNS: u8 = 3;
/// The number of consecutive timeouts without a datagram from the other side after which it counts
/// as gone: half a minute.
const MAX_TIMEOUTS: u8 = 6;
/// How long a closed connection may take to deliver its written data.
const CLOSE: Duration = Duration::from_secs(30);
/// How long an ended connection answers repetitions of the other side's FIN.
const LINGER: Duration = Duration::from_secs(3);
/// The state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// We sent SYNs, or are about to.
    Dialing { due: bool, sent: Instant },
    /// Both directions are open, or ended with a FIN.
    Open,
    /// The application has closed it; its written data are still delivered.
    Closing,
    /// Both directions have ended, and the other side may not know it yet.
    Lingering,
    /// It can be removed.
    Over,
}

/// Changes for the application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) connected: bool,
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) closed: Option<CloseReason>,
}

/// The two ids of a connection, and the other side's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) to: SocketAddr,
    /// The id in datagrams that we receive.
    pub(super) receive_id: u16,
    /// The id in datagrams that we send, except SYN.
    pub(super) send_id: u16,
}

/// The connection.
#[derive(Debug)]
pub(super) struct UtpConnection {
    route: Route,
    phase: Phase,
    sender: Sender,
    receive: ReceiveBuffer,
    timers: Timers,
    /// The one-way delay of the other side's last datagram, by both clocks, in microseconds.
    timestamp_difference: u32,
    acknowledgement: Acknowledgement,
    waits: Waits,
    changes: Changes,
}

/// A connection that we open. `first`: a random sequence number for SYN.
#[derive(Clone, Copy, Debug)]
struct Waits {
    read: bool,
    write: bool,
}

impl UtpConnection {
    /// We open it. `first`: a random number for SYN.
    pub(super) fn dial(config: &Config, route: Route, first: Sequence, now: Instant) -> Self {
        let phase = Phase::Dialing {
            due: true,
            sent: now,
        };
        // SYN's number is used up; that of the other side comes with its answer.
        let receive = ReceiveBuffer::new(config.first_window(), Sequence(0));
        Self::new(config, route, phase, (first.plus(1), receive), now)
    }

    /// A connection that the other side opened after it has verified its address.
    pub(super) fn accept(
        config: &Config,
        route: Route,
        proven: InitialNumbers,
        now: Instant,
    ) -> Self {
        let receive = ReceiveBuffer::new(config.first_window(), proven.theirs.plus(1));
        Self::new(config, route, Phase::Open, (proven.ours, receive), now)
    }

    fn new(
        config: &Config,
        route: Route,
        phase: Phase,
        (first, receive): (Sequence, ReceiveBuffer),
        now: Instant,
    ) -> Self {
        Self {
            sender: Sender::new(config, route.to, first, now),
            route,
            phase,
            receive,
            timers: Timers::new(now),
            timestamp_difference: 0,
            acknowledgement: Acknowledgement::default(),
            waits: Waits {
                read: true,
                write: true,
            },
            changes: Changes::default(),
        }
    }

    pub(super) const fn route(&self) -> Route {
        self.route
    }

    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// What changed since the last call.
    pub(super) fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// When [`UtpConnection::handle_timeout`] must be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let others = [
            self.sender.poll_timeout(),
            self.acknowledgement.poll_timeout(),
        ];
        let next = others
            .into_iter()
            .flatten()
            .fold(self.timers.next(), Instant::min);
        (!self.is_over()).then_some(next)
    }

    // Calls by the application.

    /// At most `limit` received bytes; `None` if there are none yet. Empty: the stream has ended.
    pub(super) fn read(&mut self, limit: usize) -> Option<Bytes> {
        let bytes = self.receive.read(limit);
        if bytes.is_empty() && !self.receive.is_at_end() {
            self.waits.read = true;
            return None;
        }
        if self.receive.has_news() {
            self.acknowledgement.demand();
        }
        Some(bytes)
    }

    /// Accepts as many bytes as there is room for. Returns their number.
    pub(super) fn write(&mut self, bytes: &[u8]) -> usize {
        let taken = self.sender.buffer.write(bytes);
        self.waits.write |= taken < bytes.len();
        taken
    }

    /// The number of bytes held in both directions.
    pub(super) fn buffered(&self) -> usize {
        self.receive.buffered() + self.sender.buffer.buffered()
    }

    /// Sets the size of the receive buffer, and tells the other side.
    pub(super) fn widen(&mut self, receive_buffer: usize) {
        self.receive.widen(receive_buffer);
        if self.receive.has_news() {
            self.acknowledgement.demand();
        }
    }

    /// Ends our stream: the other side reads its end.
    pub(super) fn finish(&mut self) {
        self.sender.buffer.finish();
    }

    /// Closes the connection: written data are delivered, received data are dropped.
    pub(super) fn close(&mut self, now: Instant) {
        match self.phase {
            Phase::Open => {
                self.sender.buffer.finish();
                self.receive.discard();
                self.phase = Phase::Closing;
                self.timers.close = Some(now + CLOSE);
                self.linger_if_ended(now);
            }
            Phase::Dialing { .. } => self.phase = Phase::Over,
            Phase::Closing | Phase::Lingering | Phase::Over => {}
        }
    }

    /// A datagram that also ends the connection at the other side.
    pub(super) fn reset(&self, now: Instant) -> Header {
        self.header(now, Kind::Reset, self.sender.buffer.next_sequence())
    }

    // Inputs from the network.

    pub(super) fn handle_packet(&mut self, now: Instant, packet: &Packet<'_>) {
        match (packet.header.kind, self.phase) {
            // A repetition of the SYN that opened this connection.
            (Kind::Syn, _) | (_, Phase::Over) => {}
            (Kind::Reset, _) => self.handle_reset(&packet.header),
            (Kind::State, Phase::Dialing { sent, .. }) => {
                self.handle_accepted(now, sent, &packet.header);
            }
            // Its number has no meaning while the first one is unknown.
            (_, Phase::Dialing { .. }) => {}
            _ => self.handle_stream(now, packet),
        }
    }

    /// Records that nothing can be sent to the other side.
    pub(super) fn handle_unreachable(&mut self) {
        if matches!(self.phase, Phase::Dialing { .. }) {
            self.fail(CloseReason::Unreachable);
        }
    }

    /// Records that the system refuses a probe of this length.
    pub(super) fn handle_too_long(&mut self, length: u16) {
        self.sender.handle_too_long(length);
    }

    /// Handles a reset. Only a host that sees our datagrams knows their numbers.
    fn handle_reset(&mut self, header: &Header) {
        let named = Sequence(header.acknowledgement);
        let next = self.sender.buffer.next_sequence();
        let is_dialing = matches!(self.phase, Phase::Dialing { .. });
        if is_dialing && named == next.previous() {
            self.fail(CloseReason::Refused);
        } else if !is_dialing
            && [self.sender.buffer.first_sequence(), next.previous(), next].contains(&named)
        {
            self.fail(CloseReason::Reset);
        }
    }

    /// The answer to SYN names its number. Its own number is that of the first DATA to come.
    fn handle_accepted(&mut self, now: Instant, sent: Instant, header: &Header) {
        if Sequence(header.acknowledgement) != self.sender.buffer.first_sequence().previous() {
            return;
        }
        let is_single = self.timers.timeouts() == 0;
        let round_trip = is_single.then(|| now.since(sent));
        self.sender.handle_accepted(now, round_trip);
        self.sender.handle_window(header);
        self.phase = Phase::Open;
        self.receive.start(Sequence(header.sequence));
        self.hear(now, header);
        self.acknowledgement.demand();
        self.changes.connected = true;
    }

    fn handle_stream(&mut self, now: Instant, packet: &Packet<'_>) {
        let Ok(has_room) = self.sender.handle_packet(now, packet) else {
            return;
        };
        self.hear(now, &packet.header);
        self.changes.writable |= has_room && std::mem::take(&mut self.waits.write);
        self.receive(now, &packet.header, packet.payload);
        self.linger_if_ended(now);
    }

    /// Handles the fields that every datagram contains.
    fn hear(&mut self, now: Instant, header: &Header) {
        self.timers.handle_heard();
        self.timestamp_difference = clock(now).wrapping_sub(header.timestamp);
    }

    fn receive(&mut self, now: Instant, header: &Header, payload: &[u8]) {
        let body = match header.kind {
            Kind::Data if !payload.is_empty() => Body::Data(payload),
            Kind::Fin => Body::Fin,
            Kind::Data | Kind::State | Kind::Reset | Kind::Syn => return,
        };
        let had_gap = self.receive.has_gap();
        let is_next = self.receive.handle(Sequence(header.sequence), body);
        if is_next {
            self.changes.readable |= std::mem::take(&mut self.waits.read);
        }
        // Dropped datagrams are acknowledged too, since the other side may not know that they
        // arrived before.
        match (is_next, had_gap) {
            (true, false) if header.kind == Kind::Data => self.acknowledgement.handle_next(now),
            (false, _) if self.receive.has_gap() => self.acknowledgement.handle_early(),
            _ => self.acknowledgement.demand(),
        }
    }

    fn linger_if_ended(&mut self, now: Instant) {
        let ended = self.sender.buffer.is_finished() && self.receive.has_ended();
        if self.phase == Phase::Closing && ended {
            self.phase = Phase::Lingering;
            self.timers.close = Some(now + LINGER);
        }
    }

    fn fail(&mut self, reason: CloseReason) {
        self.phase = Phase::Over;
        self.changes.closed = Some(reason);
    }

    // Time.

    /// Handles what is due. Returns whether the other side must be told that the connection has
    /// ended.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        if self.timers.close.is_some_and(|at| at <= now) {
            let is_cut = self.phase == Phase::Closing;
            self.phase = Phase::Over;
            return is_cut;
        }
        self.acknowledgement.handle_timeout(now);
        if self.timers.take_silence(now) {
            self.acknowledgement.demand();
        }
        if self.sender.is_overdue(now) {
            self.handle_unacknowledged(now);
        } else {
            self.sender.probe_tail(now);
        }
        false
    }

    fn handle_unacknowledged(&mut self, now: Instant) {
        let is_dialing = matches!(self.phase, Phase::Dialing { .. });
        let timeouts = self.timers.count_timeout();
        if timeouts >= if is_dialing { MAX_SYNS } else { MAX_TIMEOUTS } {
            return self.fail(CloseReason::TimedOut);
        }
        self.sender.handle_timeout(now, timeouts);
        if is_dialing {
            self.phase = Phase::Dialing {
                due: true,
                sent: now,
            };
        }
    }

    // What goes out.

    /// Writes the next datagram into `out`, if there is one. Returns whether it probes the path: it
    /// must not be fragmented.
    pub(super) fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<bool> {
        match self.phase {
            Phase::Over => return None,
            Phase::Dialing { due, .. } => return due.then(|| self.write_syn(now, out)),
            Phase::Open | Phase::Closing | Phase::Lingering => {}
        }
        if self.acknowledgement.is_due() && self.receive.has_gap() {
            self.write_state(now, out);
            return Some(false);
        }
        if let Some((segment, is_probe)) = self.sender.poll_segment(now) {
            self.write_segment(now, &segment, out);
            return Some(is_probe);
        }
        self.acknowledgement
            .is_due()
            .then(|| self.write_state(now, out))?;
        Some(false)
    }

    fn write_syn(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        self.phase = Phase::Dialing {
            due: false,
            sent: now,
        };
        self.timers.handle_sent(now);
        self.sender.start_timer(now);
        let mut header = self.header(
            now,
            Kind::Syn,
            self.sender.buffer.first_sequence().previous(),
        );
        header.connection_id = self.route.receive_id;
        header.acknowledgement = 0;
        header.write(&[], &[], out);
        false
    }

    fn write_state(&mut self, now: Instant, out: &mut Vec<u8>) {
        let mut header = self.header(now, Kind::State, self.sender.buffer.next_sequence());
        header.window = self.receive.advertise_window();
        header.write(&self.receive.selective(), &[], out);
        self.acknowledgement
            .handle_sent(now, self.receive.has_gap());
        self.timers.handle_sent(now);
    }

    fn write_segment(&mut self, now: Instant, segment: &Segment, out: &mut Vec<u8>) {
        let mut header = self.header(now, segment.kind, segment.sequence);
        header.window = self.receive.advertise_window();
        header.write(&[], &segment.payload, out);
        self.acknowledgement
            .handle_sent(now, self.receive.has_gap());
        self.timers.handle_sent(now);
    }

    fn header(&self, now: Instant, kind: Kind, sequence: Sequence) -> Header {
        Header {
            kind,
            connection_id: self.route.send_id,
            timestamp: clock(now),
            timestamp_difference: self.timestamp_difference,
            window: 0,
            sequence: sequence.0,
            acknowledgement: self.receive.acknowledgement().0,
        }
    }
}
