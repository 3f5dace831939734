//! Datagrams to unverified addresses, and resets. They carry no payload, are sent once, and are
//! never longer than the datagram that they answer.
//!
//! The total rate of resets is limited, that of answers to SYNs is not: a flood of forged SYNs would
//! use up any limit, and nobody else could connect. It gains nothing from the answers, since they
//! have no more bytes than the SYNs.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::packet::{Header, Kind, clock};
use super::sequence::Sequence;
use super::syn_limiter::SynLimiter;
use crate::net::AnswerLimiter;
use crate::types::Instant;

/// The maximum rate of resets in bytes per second: 200 of them. It limits the traffic that datagrams
/// with forged senders can cause.
pub(super) const RATE: u32 = 4000;
/// The maximum number of answers of each kind per second and address (/64 for IPv6).
pub(super) const PER_ADDRESS: u8 = 5;
/// The maximum number of queued answers.
const MAX_WAITING: usize = 1024;

/// Queued answers, and their rate limits.
#[derive(Debug)]
pub(super) struct Answers {
    syns: SynLimiter,
    resets: AnswerLimiter,
    waiting: VecDeque<(SocketAddr, [u8; Header::LENGTH])>,
}

impl Answers {
    /// `key`: for a hash of addresses, which others must not be able to guess.
    pub(super) fn new(key: [u64; 2]) -> Self {
        Self {
            syns: SynLimiter::new(key, PER_ADDRESS),
            resets: AnswerLimiter::new(RATE, PER_ADDRESS.into()),
            waiting: VecDeque::new(),
        }
    }

    /// Whether a SYN from this address may be answered; if so, that is counted.
    pub(super) fn admits(&mut self, now: Instant, from: SocketAddr) -> bool {
        self.syns.takes(now, from)
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
        if self.resets.takes(now, to, Header::LENGTH) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_of_unknown_connections_do_not_use_up_the_answers_to_syns() {
        let (mut answers, now) = (Answers::new([1, 2]), Instant::ZERO);
        let unknown = Header {
            kind: Kind::Data,
            connection_id: 1,
            timestamp: 0,
            timestamp_difference: 0,
            window: 0,
            sequence: 1,
            acknowledgement: 0,
        };
        for n in 0..1000_u16 {
            let [high, low] = n.to_be_bytes();
            answers.reset(now, ([11, 1, high, low], 6881).into(), &unknown);
        }
        let resets = std::iter::from_fn(|| answers.poll()).count();
        assert_eq!(resets, 400, "two seconds at 200 per second");
        assert!(answers.admits(now, ([11, 2, 0, 1], 6881).into()));
    }
}
