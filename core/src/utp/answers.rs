//! Datagrams to unverified addresses, and resets. They carry no payload, are sent once, and are
//! never longer than the datagram that they answer.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::packet::{Header, Kind, clock};
use super::sequence::Sequence;
use crate::net::AnswerLimiter;
use crate::types::Instant;

/// The maximum rate in bytes per second: 200 answers. It limits the traffic that datagrams with
/// forged senders can cause.
pub(super) const RATE: u32 = 4000;
/// The maximum number of answers per second and address (/64 for IPv6).
pub(super) const PER_ADDRESS: u32 = 5;
/// The maximum number of queued answers.
const MAX_WAITING: usize = 1024;

/// Queued answers, and their rate limits.
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

    /// Whether an answer to this address may be sent; if so, it is counted.
    pub(super) fn admits(&mut self, now: Instant, to: SocketAddr) -> bool {
        self.limiter.admits(now, to) && self.limiter.spends(now, Header::LENGTH)
    }

    /// The answer to an admitted SYN. `sequence`: the number of our first DATA. `window`: our free
    /// space in bytes.
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

    /// Tells the sender of a datagram that the connection does not exist, within the rate limits.
    pub(super) fn reset(&mut self, now: Instant, to: SocketAddr, unknown: &Header) {
        if self.admits(now, to) {
            self.push(to, &reset(now, unknown));
        }
    }

    /// Queues a datagram that consists of this header.
    pub(super) fn push(&mut self, to: SocketAddr, header: &Header) {
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push_back((to, header.encode()));
        }
    }

    /// The next answer.
    pub(super) fn poll(&mut self) -> Option<(SocketAddr, [u8; Header::LENGTH])> {
        self.waiting.pop_front()
    }
}

/// A reset that the sender of a datagram accepts: it contains the sequence number and the id.
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
