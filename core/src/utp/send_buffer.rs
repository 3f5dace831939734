//! The sending half of a connection's stream: bytes that wait, and packets that are not yet
//! acknowledged.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::packet::Kind;
use super::reordering::{self, Reordering};
use super::sequence::Sequence;
use super::unsent::Unsent;
use crate::types::Instant;

/// The maximum number of unacknowledged packets. Clients hold at least 512 out of order.
const MAX_PACKETS: usize = 500;

/// Copies of an acknowledgement, without a mask, after which the next packet is lost (BEP 29).
const DUPLICATES: u8 = 3;

/// What a datagram carries.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// DATA or FIN.
    pub(super) kind: Kind,
    pub(super) sequence: Sequence,
    pub(super) payload: Bytes,
}

/// What an acknowledgement changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Acked {
    /// Bytes that are newly acknowledged.
    pub(super) bytes: u64,
    /// Packets that are newly acknowledged, FIN included.
    pub(super) packets: usize,
    /// The lowest round trip among the packets that were sent once.
    pub(super) round_trip: Option<Duration>,
    /// When the youngest of the packets that are now lost was sent.
    pub(super) lost: Option<Instant>,
    /// The probe arrived, or is lost.
    pub(super) probe: Option<bool>,
    /// A packet counted as lost although its first copy arrived.
    pub(super) was_spurious: bool,
}

/// An acknowledgement of packets that were never sent, or long ago.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotOurs;

/// The buffer.
#[derive(Debug)]
pub(super) struct SendBuffer {
    capacity: usize,
    unsent: Unsent,
    /// From the oldest that is not acknowledged on, without gaps.
    packets: VecDeque<Sent>,
    /// The number of the first of `packets`, or of the next one.
    first: Sequence,
    /// Payload of `packets`.
    held: usize,
    /// Payload of those that are under way.
    in_flight: usize,
    lost: usize,
    fin: Fin,
    transmissions: u64,
    reordering: Reordering,
    duplicates: u8,
}

#[derive(Debug)]
struct Sent {
    payload: Bytes,
    kind: Kind,
    state: SentState,
    /// Its last transmission's number, and time.
    transmission: u64,
    at: Instant,
    again: bool,
    /// Whether it last counted as lost because packets arrived that were sent later.
    was_overtaken: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SentState {
    UnderWay,
    Lost,
    Arrived,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fin {
    No,
    Wanted,
    Sent,
}

impl SendBuffer {
    /// `first`: the number of the first packet.
    pub(super) fn new(capacity: usize, first: Sequence) -> Self {
        Self {
            capacity,
            unsent: Unsent::default(),
            packets: VecDeque::new(),
            first,
            held: 0,
            in_flight: 0,
            lost: 0,
            fin: Fin::No,
            transmissions: 0,
            reordering: Reordering::new(),
            duplicates: 0,
        }
    }

    /// Takes as much as there is room for; returns how much.
    pub(super) fn write(&mut self, bytes: &[u8]) -> usize {
        if self.fin != Fin::No {
            return 0;
        }
        let taken = &bytes[..bytes.len().min(self.room())];
        self.unsent.push(taken);
        taken.len()
    }

    /// The number of written bytes that were not acknowledged.
    pub(super) fn buffered(&self) -> usize {
        self.unsent.len() + self.held
    }

    /// Bytes that [`SendBuffer::write`] would take.
    pub(super) fn room(&self) -> usize {
        self.capacity.saturating_sub(self.buffered())
    }

    /// After what is written comes FIN.
    pub(super) fn finish(&mut self) {
        if self.fin == Fin::No {
            self.fin = Fin::Wanted;
        }
    }

    /// Whether the end of the stream is acknowledged.
    pub(super) fn is_finished(&self) -> bool {
        self.fin == Fin::Sent && self.packets.is_empty()
    }

    /// Whether packets wait for their acknowledgement.
    pub(super) fn is_waiting(&self) -> bool {
        !self.packets.is_empty()
    }

    /// The number of packets that wait for their acknowledgement.
    pub(super) fn waiting(&self) -> usize {
        self.packets.len()
    }

    /// Payload that is under way, in bytes.
    pub(super) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Payload that the other side is not known to have, in bytes.
    pub(super) const fn unacknowledged(&self) -> usize {
        self.held
    }

    /// The number that the next new packet has.
    pub(super) fn next_sequence(&self) -> Sequence {
        self.first
            .plus(u16::try_from(self.packets.len()).unwrap_or_default())
    }

    /// The oldest number that is not acknowledged.
    pub(super) const fn first_sequence(&self) -> Sequence {
        self.first
    }

    /// Payload of the next packet that is to be sent again, in bytes; `None`: none is lost.
    pub(super) fn lost_length(&self) -> Option<usize> {
        if self.lost == 0 {
            return None;
        }
        self.packets
            .iter()
            .find(|sent| sent.state == SentState::Lost)
            .map(|sent| sent.payload.len())
    }

    /// Payload of the next new packet, in bytes, if it may have at most `limit`; `None`: there is
    /// nothing new, or too many packets wait.
    pub(super) fn new_length(&self, limit: usize) -> Option<usize> {
        let may = self.has_more() && self.packets.len() < MAX_PACKETS;
        may.then(|| self.unsent.len().min(limit))
    }

    /// Sends the oldest lost packet again.
    pub(super) fn resend(&mut self, now: Instant) -> Option<Segment> {
        let index = self
            .packets
            .iter()
            .position(|sent| sent.state == SentState::Lost)?;
        let sequence = self.first.plus(u16::try_from(index).ok()?);
        let sent = self.packets.get_mut(index)?;
        self.transmissions += 1;
        (sent.state, sent.again) = (SentState::UnderWay, true);
        (sent.transmission, sent.at) = (self.transmissions, now);
        self.lost -= 1;
        self.in_flight += sent.payload.len();
        Some(Segment {
            kind: sent.kind,
            sequence,
            payload: sent.payload.clone(),
        })
    }

    /// Sends a new packet of `length` bytes, or the end of the stream behind them.
    pub(super) fn send(&mut self, now: Instant, length: usize) -> Segment {
        let payload = self.unsent.take(length);
        let kind = if payload.is_empty() {
            self.fin = Fin::Sent;
            Kind::Fin
        } else {
            Kind::Data
        };
        let sequence = self.next_sequence();
        self.transmissions += 1;
        self.held += payload.len();
        self.in_flight += payload.len();
        self.packets.push_back(Sent {
            payload: payload.clone(),
            kind,
            state: SentState::UnderWay,
            transmission: self.transmissions,
            at: now,
            again: false,
            was_overtaken: false,
        });
        Segment {
            kind,
            sequence,
            payload,
        }
    }

    /// Whether an acknowledgement may come from the other side of this connection: it names a
    /// packet that was sent, not too long ago.
    pub(super) fn is_plausible(&self, acknowledgement: Sequence) -> bool {
        let beyond = acknowledgement.since(self.first.previous());
        usize::from(beyond) <= self.packets.len() || beyond > u16::MAX - 1024
    }

    /// Takes an acknowledgement. `selective`: its bit mask. `bare`: the packet carries nothing
    /// else. `probe`: the packet whose fate is asked for. `lowest`: the lowest round trip so far.
    pub(super) fn handle_acknowledgement(
        &mut self,
        now: Instant,
        acknowledgement: Sequence,
        selective: &[u8],
        bare: bool,
        asked: Asked,
    ) -> Result<Acked, NotOurs> {
        if !self.is_plausible(acknowledgement) {
            return Err(NotOurs);
        }
        let mut acked = Acked::default();
        let was_waiting = self.is_waiting();
        let mut beyond = acknowledgement.since(self.first.previous());
        let is_copy = beyond == 0 && selective.is_empty() && bare && was_waiting;
        while beyond > 0 && beyond <= u16::MAX / 2 {
            self.handle_arrival(now, 0, asked, &mut acked);
            self.packets.pop_front();
            self.first = self.first.plus(1);
            beyond -= 1;
        }
        for number in numbers(acknowledgement, selective) {
            let index = usize::from(number.since(self.first));
            self.handle_arrival(now, index, asked, &mut acked);
        }
        self.count_copies(is_copy, &acked);
        self.find_lost(asked, &mut acked);
        if acked.was_spurious {
            self.reordering.handle_spurious();
        }
        Ok(acked)
    }

    /// The packet at `index` arrived; without effect if there is none or this is known.
    fn handle_arrival(&mut self, now: Instant, index: usize, asked: Asked, acked: &mut Acked) {
        let Some(sent) = self.packets.get_mut(index) else {
            return;
        };
        let before = std::mem::replace(&mut sent.state, SentState::Arrived);
        let length = sent.payload.len();
        match before {
            SentState::Arrived => return,
            SentState::UnderWay => self.in_flight -= length,
            SentState::Lost => self.lost -= 1,
        }
        let passed = now.since(sent.at);
        // After a second copy it is unknown which one arrived, unless it is too early for that.
        let is_first = !sent.again || passed < asked.lowest;
        if !sent.again {
            acked.round_trip = Some(acked.round_trip.map_or(passed, |old| old.min(passed)));
        }
        if !sent.again || !is_first {
            self.reordering.handle_arrival(sent.transmission);
        }
        acked.was_spurious |= is_first && sent.was_overtaken;
        // Only its length counts from here on.
        sent.payload = Bytes::new();
        self.held -= length;
        acked.bytes += length as u64;
        acked.packets += 1;
        if asked.is(self.first, index) {
            acked.probe = Some(true);
        }
    }

    fn count_copies(&mut self, is_copy: bool, acked: &Acked) {
        if acked.packets > 0 {
            self.duplicates = 0;
        }
        if !is_copy {
            return;
        }
        self.duplicates = self.duplicates.saturating_add(1);
        if self.duplicates == DUPLICATES {
            // As if those that caused the copies were known.
            let oldest = self.packets.front().map_or(0, |sent| sent.transmission);
            let later = self.transmissions - oldest;
            if later >= u64::from(DUPLICATES) {
                self.reordering
                    .handle_arrival(oldest + u64::from(DUPLICATES));
            }
        }
    }

    fn find_lost(&mut self, asked: Asked, acked: &mut Acked) {
        let waiting = self.packets.len() as u64;
        for (index, sent) in self.packets.iter_mut().enumerate() {
            if !self.reordering.is_lost(sent.transmission, waiting) {
                // Those behind one that was sent once were all sent later.
                if !sent.again {
                    break;
                }
                continue;
            }
            if sent.state != SentState::UnderWay {
                continue;
            }
            (sent.state, sent.was_overtaken) = (SentState::Lost, true);
            self.lost += 1;
            self.in_flight -= sent.payload.len();
            if asked.is(self.first, index) {
                acked.probe = Some(false);
            } else {
                acked.lost = acked.lost.max(Some(sent.at));
            }
        }
    }

    /// A packet is lost.
    pub(super) fn handle_lost(&mut self, packet: Sequence) {
        let index = usize::from(packet.since(self.first));
        let sent = self.packets.get_mut(index);
        if let Some(sent) = sent.filter(|sent| sent.state == SentState::UnderWay) {
            (sent.state, sent.was_overtaken) = (SentState::Lost, false);
            self.lost += 1;
            self.in_flight -= sent.payload.len();
        }
    }

    /// Sends the last packet under way again, except a probe of the path's length. It goes out so
    /// long after all others that its arrival shows which of them are lost.
    pub(super) fn probe_tail(&mut self, mtu_probe: Option<Sequence>) {
        let first = self.first;
        let asked = Asked {
            probe: mtu_probe,
            lowest: Duration::ZERO,
        };
        let is_candidate = |(index, sent): &(usize, &mut Sent)| {
            sent.state == SentState::UnderWay && !asked.is(first, *index)
        };
        if let Some((_, sent)) = self.packets.iter_mut().enumerate().rev().find(is_candidate) {
            (sent.state, sent.was_overtaken) = (SentState::Lost, false);
            self.lost += 1;
            self.in_flight -= sent.payload.len();
            self.transmissions += reordering::MAX;
        }
    }

    /// Handles a timeout: everything in flight counts as lost.
    pub(super) fn handle_timeout(&mut self) {
        for sent in &mut self.packets {
            if sent.state == SentState::UnderWay {
                sent.state = SentState::Lost;
                self.lost += 1;
            }
            sent.was_overtaken = false;
        }
        self.in_flight = 0;
    }

    fn has_more(&self) -> bool {
        !self.unsent.is_empty() || self.fin == Fin::Wanted
    }
}

/// What the caller of [`SendBuffer::handle_acknowledgement`] knows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// The packet that probes the path.
    pub(super) probe: Option<Sequence>,
    /// The lowest round trip so far.
    pub(super) lowest: Duration,
}

impl Asked {
    fn is(self, first: Sequence, index: usize) -> bool {
        self.probe
            .is_some_and(|probe| usize::from(probe.since(first)) == index)
    }
}

/// The packets whose bits are set.
fn numbers(acknowledgement: Sequence, selective: &[u8]) -> impl Iterator<Item = Sequence> {
    let bits = selective
        .iter()
        .flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
    (2_u16..)
        .zip(bits)
        .filter(|(_, set)| *set)
        .map(move |(ahead, _)| acknowledgement.plus(ahead))
}

#[cfg(test)]
mod tests;
