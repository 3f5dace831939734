//! What a connection sends, and when: the stream's packets, as many as congestion and the other
//! side's buffer permit.

use std::net::SocketAddr;
use std::time::Duration;

use super::config::Config;
use super::congestion::{Acknowledged, Congestion};
use super::delay::QueueingDelay;
use super::mtu::PathMtu;
use super::packet::{Header, Kind, Packet};
use super::rtt::Rtt;
use super::send_buffer::{Acked, Asked, NotOurs, Segment, SendBuffer};
use super::sequence::Sequence;
use super::tail_loss::TailLoss;
use crate::types::Instant;

/// A probe of the path needs this many times its length behind it, so that its loss is noticed
/// without a timeout.
const BEHIND_PROBE: usize = 4;

/// The other side had no room. A single packet is sent at intervals all the same: its
/// acknowledgement shows whether that has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    /// There is room.
    No,
    /// The packet goes out next.
    Due,
    /// It is under way.
    Sent,
}

/// The sending half of a connection.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) buffer: SendBuffer,
    rtt: Rtt,
    delay: QueueingDelay,
    congestion: Congestion,
    mtu: PathMtu,
    /// Free bytes at the other side.
    peer_window: usize,
    asking: Asking,
    /// When packets in flight count as lost.
    deadline: Option<Instant>,
    tail_loss: TailLoss,
    /// When something of the stream was sent last.
    sent: Instant,
}

impl Sender {
    /// `first`: the number of the first packet.
    pub(super) fn new(config: &Config, to: SocketAddr, first: Sequence, now: Instant) -> Self {
        let mtu = PathMtu::new(config, to);
        Self {
            buffer: SendBuffer::new(config.send_buffer, first),
            rtt: Rtt::default(),
            delay: QueueingDelay::new(now),
            congestion: Congestion::new(config.target_delay, payload(mtu.length()), now),
            mtu,
            peer_window: 0,
            asking: Asking::No,
            deadline: None,
            tail_loss: TailLoss::default(),
            sent: now,
        }
    }

    /// When [`Sender::handle_timeout`] or [`Sender::probe_tail`] is to be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let probe = self.tail_loss.due();
        self.deadline.into_iter().chain(probe).min()
    }

    /// Whether nothing was acknowledged until the deadline.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Sends the last packet again if that is due: its acknowledgement shows which of the packets
    /// before it are lost.
    pub(super) fn probe_tail(&mut self, now: Instant) {
        if self.tail_loss.take(now) && self.asking == Asking::No {
            self.buffer.probe_tail(self.mtu.probe());
        }
    }

    /// Something that is to be acknowledged goes out.
    pub(super) fn start_timer(&mut self, now: Instant) {
        self.deadline.get_or_insert(now + self.rtt.timeout());
    }

    /// SYN was acknowledged. `round_trip`: how long that took, if only one was sent.
    pub(super) fn handle_accepted(&mut self, now: Instant, round_trip: Option<Duration>) {
        if let Some(round_trip) = round_trip {
            self.sample_round_trip(now, round_trip);
        }
        self.rtt.reset_backoff();
        self.deadline = None;
    }

    /// Handles the acknowledgements of a datagram. Returns whether there is more room to write.
    pub(super) fn handle_packet(
        &mut self,
        now: Instant,
        packet: &Packet<'_>,
    ) -> Result<bool, NotOurs> {
        let header = &packet.header;
        let in_flight = self.buffer.in_flight() as u64;
        let asked = Asked {
            probe: self.mtu.probe(),
            lowest: self.rtt.lowest(),
        };
        let bare = header.kind == Kind::State && window(header) == self.peer_window;
        let number = Sequence(header.acknowledgement);
        let acked =
            self.buffer
                .handle_acknowledgement(now, number, packet.selective, bare, asked)?;
        self.handle_window(header);
        self.handle_acked(now, in_flight, header.timestamp_difference, &acked);
        Ok(acked.packets > 0 && self.buffer.room() > 0)
    }

    /// Takes the free room of the other side.
    pub(super) fn handle_window(&mut self, header: &Header) {
        self.peer_window = window(header);
        if self.peer_window > 0 && self.asking != Asking::No {
            // A packet that asked for this had no room at the other side.
            self.asking = Asking::No;
            self.buffer.handle_timeout();
            self.rtt.reset_backoff();
            self.deadline = None;
        }
    }

    /// The system refuses a probe of this length.
    pub(super) fn handle_too_long(&mut self, length: u16) {
        if let Some(probe) = self.mtu.probe() {
            self.mtu.handle_lost();
            self.mtu.handle_too_long(length);
            // It goes out again as a datagram that may be fragmented.
            self.buffer.handle_lost(probe);
        }
    }

    /// Nothing was acknowledged until the deadline, so many times in a row.
    pub(super) fn handle_timeout(&mut self, now: Instant, timeouts: u8) {
        self.rtt.back_off();
        self.tail_loss.handle_timeout();
        self.deadline = Some(now + self.rtt.timeout());
        if self.buffer.is_waiting() {
            self.mtu.handle_timeout(timeouts);
            self.buffer.handle_timeout();
            self.congestion.handle_timeout(now);
            self.congestion.set_packet(payload(self.mtu.length()));
        } else {
            self.asking = Asking::Due;
        }
    }

    /// The next packet that may go out, and whether it probes the path.
    pub(super) fn poll_segment(&mut self, now: Instant) -> Option<(Segment, bool)> {
        if let Some(length) = self.buffer.lost_length() {
            let segment = self.fits(length).then(|| self.buffer.resend(now))??;
            self.note_sent(now);
            return Some((segment, false));
        }
        // What is known of the path is old.
        if self.deadline.is_none() && now.since(self.sent) > self.rtt.timeout() {
            self.congestion.handle_idle();
        }
        let probe = self.poll_probe();
        let length = probe.or_else(|| self.new_length(now))?;
        let segment = self.buffer.send(now, length);
        self.note_sent(now);
        if probe.is_some() {
            let datagram = u16::try_from(Header::LENGTH + length).unwrap_or(u16::MAX);
            self.mtu.handle_sent(segment.sequence, datagram);
        }
        Some((segment, probe.is_some()))
    }

    fn note_sent(&mut self, now: Instant) {
        self.sent = now;
        self.start_timer(now);
        let waiting = self.buffer.waiting();
        self.tail_loss.handle_sent(now, &self.rtt, waiting);
    }

    fn sample_round_trip(&mut self, now: Instant, round_trip: Duration) {
        self.rtt.sample(round_trip);
        self.delay.sample_round_trip(now, round_trip);
    }

    fn handle_acked(&mut self, now: Instant, in_flight: u64, one_way: u32, acked: &Acked) {
        if let Some(round_trip) = acked.round_trip {
            self.sample_round_trip(now, round_trip);
        }
        match acked.probe {
            Some(true) => self.mtu.handle_acknowledged(),
            Some(false) => self.mtu.handle_lost(),
            None => {}
        }
        self.congestion.set_packet(payload(self.mtu.length()));
        if acked.packets > 0 {
            if one_way != 0 {
                self.delay.sample_one_way(now, one_way);
            }
            self.congestion.handle_acknowledged(Acknowledged {
                now,
                bytes: acked.bytes,
                in_flight,
                delay: self.delay.get(),
                round_trip: self.rtt.smoothed(),
            });
            self.rtt.reset_backoff();
            let deadline = now + self.rtt.timeout();
            self.deadline = self.buffer.is_waiting().then_some(deadline);
            let waiting = self.buffer.waiting();
            self.tail_loss.handle_acknowledged(now, &self.rtt, waiting);
        }
        // An acknowledgement may show that one packet was only late, and another one is lost.
        if acked.was_spurious {
            self.congestion.handle_spurious_loss();
        }
        if let Some(sent) = acked.lost {
            self.congestion.handle_loss(now, sent);
        }
    }

    /// Payload of a probe that can go out now.
    fn poll_probe(&self) -> Option<usize> {
        let length = usize::try_from(payload(self.mtu.poll_probe()?)).ok()?;
        let behind = self.buffer.new_length(length * BEHIND_PROBE)?;
        let goes = behind >= length * BEHIND_PROBE && self.fits(length) && self.has_place(length);
        goes.then_some(length)
    }

    /// Payload of the next new packet that can go out now; 0 is the end of the stream.
    fn new_length(&mut self, now: Instant) -> Option<usize> {
        let full = usize::try_from(payload(self.mtu.length())).ok()?;
        let length = self.buffer.new_length(full)?;
        if !self.fits(length) {
            return None;
        }
        if self.has_place(length) {
            return Some(length);
        }
        if self.buffer.is_waiting() {
            return None;
        }
        if self.peer_window > 0 {
            return Some(length.min(self.peer_window));
        }
        // The other side reports when it has room again, but that datagram may be lost.
        self.start_timer(now);
        let asks = self.asking == Asking::Due;
        asks.then(|| {
            self.asking = Asking::Sent;
            length
        })
    }

    /// Whether the window of congestion has room.
    fn fits(&self, length: usize) -> bool {
        let in_flight = self.buffer.in_flight();
        in_flight == 0 || (in_flight + length) as u64 <= self.congestion.window()
    }

    /// Whether the other side has room.
    fn has_place(&self, length: usize) -> bool {
        self.buffer.unacknowledged() + length <= self.peer_window
    }
}

/// Payload of a full datagram of this length.
const fn payload(datagram: u16) -> u64 {
    (datagram as u64).saturating_sub(Header::LENGTH as u64)
}

/// The free room of the sender of a datagram.
fn window(header: &Header) -> usize {
    usize::try_from(header.window).unwrap_or(usize::MAX)
}
