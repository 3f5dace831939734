//! Datagrams to addresses that nobody has proven, and resets. They carry no payload, are sent once,
//! and none is longer than the datagram that it answers.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::packet::{Header, Kind, clock};
use super::sequence::Sequence;
use crate::net::AnswerLimiter;
use crate::types::Instant;

/// Bytes per second in all: 200 answers. A datagram whose sender is forged must not make us a
/// flood.
pub(super) const RATE: u32 = 4000;
/// Answers per second to one address (/64 of IPv6).
pub(super) const PER_ADDRESS: u32 = 5;
/// Answers that wait to be sent.
const MAX_WAITING: usize = 1024;

/// What waits to be sent, and how much may be.
#[derive(Debug)]
pub(super) struct Answers {
    limiter: AnswerLimiter,
    waiting: VecDeque<(SocketAddr, [u8; Header::LENGTH])>,
}

impl Answers {
    pub(super) fn new() -> Self {
        Self {
            limiter: AnswerLimiter::new(RATE, PER_ADDRESS),
            waiting: VecDeque::new(),
        }
    }

    /// Whether an answer to this address may go out; if so, it counts.
    pub(super) fn admits(&mut self, now: Instant, to: SocketAddr) -> bool {
        self.limiter.admits(now, to) && self.limiter.spends(now, Header::LENGTH)
    }

    /// The answer to a SYN, whose admission was asked for. `sequence`: the number of our first
    /// DATA. `window`: our free room in bytes.
    pub(super) fn accept(
        &mut self,
        now: Instant,
        to: SocketAddr,
        syn: &Header,
        (sequence, window): (Sequence, u32),
    ) {
        let state = Header {
            kind: Kind::State,
            window,
            sequence: sequence.0,
            ..reset(now, syn)
        };
        self.push(to, &state);
    }

    /// Tells the sender of a datagram that there is no such connection, as often as may be.
    pub(super) fn reset(&mut self, now: Instant, to: SocketAddr, unknown: &Header) {
        if self.admits(now, to) {
            self.push(to, &reset(now, unknown));
        }
    }

    /// Sends a datagram that is nothing but this header.
    pub(super) fn push(&mut self, to: SocketAddr, header: &Header) {
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push_back((to, header.encode()));
        }
    }

    /// The next one.
    pub(super) fn poll(&mut self) -> Option<(SocketAddr, [u8; Header::LENGTH])> {
        self.waiting.pop_front()
    }
}

/// A reset that the sender of a datagram believes: it names the number, and the id.
pub(super) fn reset(now: Instant, of: &Header) -> Header {
    Header {
        kind: Kind::Reset,
        connection_id: of.connection_id,
        timestamp: clock(now),
        timestamp_difference: clock(now).wrapping_sub(of.timestamp),
        window: 0,
        sequence: 0,
        acknowledgement: of.sequence,
    }
}
