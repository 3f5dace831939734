//! The receiving half of a connection's stream: bytes in order that wait for the reader, and
//! packets that arrived early.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::sequence::Sequence;

/// The maximum number of packets beyond the next expected one that are held. No client sends more
/// at once.
const MAX_AHEAD: u16 = 1024;
/// A selective acknowledgement is a multiple of this long, in bytes (BEP 29).
const MASK_UNIT: usize = 4;

/// What a packet brings.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body<'a> {
    /// Bytes of the stream.
    Data(&'a [u8]),
    /// The end of the stream.
    Fin,
}

/// The buffer.
#[derive(Debug)]
pub(super) struct ReceiveBuffer {
    capacity: usize,
    ready: BytesMut,
    /// The packet that comes next in order.
    next: Sequence,
    /// Packets from `next` on; the first one is missing.
    ahead: VecDeque<Option<Held>>,
    /// Payload of `ahead`, in bytes.
    held: usize,
    ended: bool,
    /// Whether received data are dropped, because the application has closed the connection.
    discards: bool,
    /// The window that was last sent to the other side.
    told: usize,
}

#[derive(Debug)]
enum Held {
    Data(Bytes),
    Fin,
}

impl ReceiveBuffer {
    /// `next`: the number of the first packet.
    pub(super) fn new(capacity: usize, next: Sequence) -> Self {
        Self {
            capacity,
            ready: BytesMut::new(),
            next,
            ahead: VecDeque::new(),
            held: 0,
            ended: false,
            discards: false,
            told: capacity,
        }
    }

    /// The first packet has this number, as is known only now.
    pub(super) const fn start(&mut self, next: Sequence) {
        self.next = next;
    }

    /// Holds up to `capacity` bytes from here on.
    pub(super) fn widen(&mut self, capacity: usize) {
        self.capacity = self.capacity.max(capacity);
    }

    /// The number of received bytes that were not read.
    pub(super) fn buffered(&self) -> usize {
        self.ready.len() + self.held
    }

    /// Handles a DATA or FIN packet. One that is unexpected, or for which there is no room, is
    /// dropped, and the other side repeats it. Returns whether there is something new to read,
    /// including the end.
    pub(super) fn handle(&mut self, sequence: Sequence, body: Body<'_>) -> bool {
        let distance = sequence.since(self.next);
        if self.ended || distance >= MAX_AHEAD {
            return false;
        }
        if distance > 0 {
            self.hold(usize::from(distance), body);
            return false;
        }
        // Full of unread data: even the next packet must wait, and early ones are dropped.
        if self.ready.len() >= self.capacity {
            return false;
        }
        match body {
            Body::Data(bytes) => self.append(bytes),
            Body::Fin => self.ended = true,
        }
        self.ahead.pop_front();
        self.advance();
        true
    }

    /// The number of the last packet that came in order.
    pub(super) const fn acknowledgement(&self) -> Sequence {
        self.next.previous()
    }

    /// The mask of a selective acknowledgement; empty if nothing came early. Bit 0 stands for the
    /// packet after the missing one (BEP 29).
    pub(super) fn selective(&self) -> Vec<u8> {
        let bits = self.ahead.len().saturating_sub(1);
        let mut mask = vec![0; bits.div_ceil(8 * MASK_UNIT) * MASK_UNIT];
        for (bit, held) in self.ahead.iter().skip(1).enumerate() {
            if let Some(byte) = mask.get_mut(bit / 8).filter(|_| held.is_some()) {
                *byte |= 1 << (bit % 8);
            }
        }
        mask
    }

    /// Whether packets came before their turn.
    pub(super) fn has_gap(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// The free space in bytes, as it is sent to the other side now.
    pub(super) fn advertise_window(&mut self) -> u32 {
        self.told = self.room();
        u32::try_from(self.told).unwrap_or(u32::MAX)
    }

    /// Whether so much was read that the other side should receive a window update unprompted.
    pub(super) fn has_news(&self) -> bool {
        self.room() >= self.told + self.capacity.div_ceil(4)
    }

    /// At most `limit` bytes of the stream; empty if there are none.
    pub(super) fn read(&mut self, limit: usize) -> Bytes {
        self.ready.split_to(self.ready.len().min(limit)).freeze()
    }

    /// Whether the stream has ended and all of it was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.ended && self.ready.is_empty()
    }

    /// Whether the end of the stream was received.
    pub(super) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Drops data from here on: received packets are only acknowledged.
    pub(super) fn discard(&mut self) {
        self.discards = true;
        self.ready = BytesMut::new();
    }

    fn room(&self) -> usize {
        self.capacity.saturating_sub(self.ready.len() + self.held)
    }

    fn append(&mut self, bytes: &[u8]) {
        if !self.discards {
            self.ready.extend_from_slice(bytes);
        }
    }

    fn hold(&mut self, index: usize, body: Body<'_>) {
        let held = match body {
            Body::Data(bytes) if bytes.len() > self.room() => return,
            Body::Data(bytes) => Held::Data(Bytes::copy_from_slice(bytes)),
            Body::Fin => Held::Fin,
        };
        if index >= self.ahead.len() {
            self.ahead.resize_with(index + 1, || None);
        }
        if let Some(place) = self.ahead.get_mut(index).filter(|place| place.is_none()) {
            self.held += held.length();
            *place = Some(held);
        }
    }

    /// Advances past the packet `next`, and past the early ones that follow it.
    fn advance(&mut self) {
        self.next = self.next.plus(1);
        while let Some(Some(_)) = self.ahead.front() {
            let Some(Some(held)) = self.ahead.pop_front() else {
                break;
            };
            self.held -= held.length();
            self.next = self.next.plus(1);
            match held {
                // No data follow the end, whatever was sent.
                Held::Data(bytes) if !self.ended => self.append(&bytes),
                Held::Data(_) => {}
                Held::Fin => self.ended = true,
            }
        }
        if self.ended {
            (self.ahead, self.held) = (VecDeque::new(), 0);
        }
    }
}

impl Held {
    fn length(&self) -> usize {
        match self {
            Self::Data(bytes) => bytes.len(),
            Self::Fin => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    const FIRST: Sequence = Sequence(65_534);

    fn buffer(capacity: usize) -> ReceiveBuffer {
        ReceiveBuffer::new(capacity, FIRST)
    }

    #[test]
    fn packets_are_read_in_order_however_they_come() {
        let mut buffer = buffer(1000);
        let packet = |n: u16| FIRST.plus(n);
        assert!(!buffer.handle(packet(2), Body::Data(b"cc")));
        assert!(!buffer.handle(packet(3), Body::Fin));
        assert_eq!(buffer.selective(), [0b110, 0, 0, 0]);
        assert!(buffer.handle(packet(0), Body::Data(b"a")));
        assert_eq!(buffer.acknowledgement(), packet(0));
        assert_eq!(buffer.selective(), [0b11, 0, 0, 0]);
        assert!(!buffer.handle(packet(0), Body::Data(b"x")), "a copy");
        assert!(buffer.handle(packet(1), Body::Data(b"bb")));
        assert_eq!(buffer.acknowledgement(), packet(3));
        assert_eq!(buffer.read(3), &b"abb"[..]);
        assert!(buffer.has_ended() && !buffer.is_at_end());
        assert_eq!(buffer.read(99), &b"cc"[..]);
        assert!(buffer.is_at_end() && !buffer.has_gap());
    }

    #[test]
    fn what_has_no_room_is_dropped_and_the_window_opens_when_a_quarter_was_read() {
        let mut buffer = buffer(40);
        for n in 0..5 {
            buffer.handle(FIRST.plus(n), Body::Data(&[0; 10]));
        }
        assert_eq!(buffer.acknowledgement(), FIRST.plus(3));
        assert_eq!(buffer.advertise_window(), 0);
        buffer.read(9);
        assert!(!buffer.has_news());
        buffer.read(1);
        assert!(buffer.has_news());
        assert_eq!(buffer.advertise_window(), 10);
        assert!(!buffer.has_news());
    }

    #[test]
    fn what_came_early_never_keeps_out_what_comes_next() {
        let mut buffer = buffer(40);
        for n in 1..8 {
            buffer.handle(FIRST.plus(n), Body::Data(&[0; 10]));
        }
        assert_eq!(buffer.advertise_window(), 0);
        assert!(buffer.handle(FIRST, Body::Data(&[0; 10])));
        assert_eq!(buffer.acknowledgement(), FIRST.plus(4));
    }

    #[test]
    fn without_a_reader_all_is_acknowledged_and_nothing_kept() {
        let mut buffer = buffer(40);
        buffer.discard();
        for n in 0..100 {
            buffer.handle(FIRST.plus(n), Body::Data(&[0; 10]));
        }
        assert_eq!(buffer.acknowledgement(), FIRST.plus(99));
        assert_eq!(buffer.advertise_window(), 40);
    }

    proptest! {
        #[test]
        fn memory_is_bounded_and_bytes_are_in_order_whatever_comes(
            packets in vec((any::<u16>(), 0..40_u16, any::<bool>(), 0..20_usize), 0..300),
        ) {
            let mut buffer = buffer(100);
            let mut read = Vec::new();
            for (anywhere, near, is_near, length) in packets {
                let number = if is_near { near } else { anywhere };
                let byte = u8::try_from(number % 256).unwrap();
                buffer.handle(FIRST.plus(number), Body::Data(&vec![byte; length]));
                prop_assert!(buffer.ready.len() + buffer.held < 100 + 100 + 20);
                prop_assert!(buffer.ahead.len() <= usize::from(MAX_AHEAD));
                read.extend_from_slice(&buffer.read(length));
            }
            let mut sorted = read.clone();
            sorted.sort_unstable();
            prop_assert_eq!(read, sorted);
        }
    }
}
