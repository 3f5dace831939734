//! Rejects connections where uTP is off: a reset answers each SYN (BEP 29).

use std::net::SocketAddr;

use super::answers::{PER_ADDRESS, RATE, reset};
use super::packet::{Header, Kind, Packet};
use crate::net::AnswerLimiter;
use crate::types::Instant;

/// Answers SYNs with resets and ignores everything else. An answer is never longer than the
/// datagram that it answers.
#[derive(Debug)]
pub struct Resets {
    limiter: AnswerLimiter,
}

impl Default for Resets {
    fn default() -> Self {
        Self::new()
    }
}

impl Resets {
    /// Nothing was answered yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            limiter: AnswerLimiter::new(RATE, PER_ADDRESS.into()),
        }
    }

    /// The answer to a datagram; `None`: it is not a SYN of BEP 29, or the rate for its sender, or
    /// for all together, is spent.
    pub fn answer(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Option<[u8; Header::LENGTH]> {
        let packet = Packet::parse(datagram).ok()?;
        let is_syn =
            packet.header.kind == Kind::Syn && packet.payload.is_empty() && from.port() != 0;
        if !is_syn || !self.limiter.takes(now, from, Header::LENGTH) {
            return None;
        }
        Some(reset(now, &packet.header).encode())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::{any, prop_assert, proptest};

    use super::*;

    fn syn() -> Header {
        Header {
            kind: Kind::Syn,
            connection_id: 77,
            timestamp: 5,
            timestamp_difference: 0,
            window: 1 << 20,
            sequence: 4711,
            acknowledgement: 0,
        }
    }

    fn from(n: u32) -> SocketAddr {
        ((0x0b00_0000 + n).to_be_bytes(), 6881).into()
    }

    #[test]
    fn a_syn_is_answered_with_a_reset_that_its_sender_believes() {
        let now = Instant::ZERO + Duration::from_secs(5000);
        let answer = Resets::new().answer(now, from(1), &syn().encode()).unwrap();
        let reset = Packet::parse(&answer).unwrap();
        assert!(reset.payload.is_empty());
        assert_eq!(
            (
                reset.header.kind,
                reset.header.connection_id,
                reset.header.acknowledgement
            ),
            (Kind::Reset, 77, 4711)
        );
    }

    #[test]
    fn nothing_but_a_syn_is_answered() {
        let mut resets = Resets::new();
        let mut answers =
            |from, datagram: &[u8]| resets.answer(Instant::ZERO, from, datagram).is_some();
        for kind in [Kind::Data, Kind::Fin, Kind::State, Kind::Reset] {
            assert!(
                !answers(from(1), &Header { kind, ..syn() }.encode()),
                "{kind:?}"
            );
        }
        assert!(!answers(
            from(2),
            &[&syn().encode()[..], b"payload"].concat()
        ));
        assert!(!answers(from(3), &syn().encode()[..19]));
        assert!(
            !answers(
                from(4),
                b"d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:ping1:t2:aa1:y1:qe"
            ),
            "a question to a node of the DHT"
        );
        assert!(
            !answers(([11, 0, 0, 5], 0).into(), &syn().encode()),
            "nobody has port 0"
        );
        // Old clients add an extension to a SYN.
        let mut old = syn().encode();
        old[1] = 2;
        assert!(answers(from(6), &[&old[..], &[0, 8], &[0; 8]].concat()));
    }

    #[test]
    fn an_address_and_all_together_are_answered_so_often_and_no_more() {
        let mut resets = Resets::new();
        let mut answered = |millis: u64, n| {
            resets
                .answer(
                    Instant::ZERO + Duration::from_millis(millis),
                    from(n),
                    &syn().encode(),
                )
                .is_some()
        };
        assert_eq!((0..100).filter(|_| answered(0, 1)).count(), 5);
        // A burst of two seconds, then 200 per second.
        let flood = (0..10_000)
            .filter(|millis| {
                (0..10).any(|k| answered(*millis, 2 + u32::try_from(millis * 10 + k).unwrap()))
            })
            .count();
        assert!(
            (1900..=2400).contains(&flood),
            "{flood} resets in ten seconds"
        );
    }

    proptest! {
        #[test]
        fn no_answer_is_longer_than_what_it_answers(mut datagram in proptest::collection::vec(any::<u8>(), 0..64), syn: bool) {
            if let Some(first) = datagram.first_mut().filter(|_| syn) {
                *first = 0x41;
            }
            if let Some(answer) = Resets::new().answer(Instant::ZERO, from(1), &datagram) {
                prop_assert!(answer.len() <= datagram.len());
            }
        }
    }
}
