//! Incoming connections whose sender has not verified its address: nothing is stored for them.
//!
//! The source address of a SYN can be forged. The answer is no longer than the SYN, is not repeated
//! unprompted, and contains a number that follows from the SYN and a secret key, like the SYN
//! cookies of TCP (RFC 4987). Only a datagram that acknowledges this number creates a connection,
//! so a flood of forged SYNs displaces no other dial.

use std::net::SocketAddr;

use super::packet::{Header, Kind};
use super::sequence::Sequence;
use crate::net::as_v6;
use crate::siphash::SipHash;
use crate::types::Instant;

/// How long a number is given, in microseconds. It is valid for this time and the same again.
const SLOT: u64 = 30_000_000;
/// The maximum distance of the first datagram that arrives from the SYN, in packets: those before it
/// may be lost or late. Each more is one more number of 65,536 that a guess may hit.
const MAX_AHEAD: u16 = 4;

/// The first numbers of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InitialNumbers {
    /// That of our first DATA.
    pub(super) ours: Sequence,
    /// That of their SYN.
    pub(super) theirs: Sequence,
}

/// The secret.
#[derive(Debug)]
pub(super) struct SynCookies {
    hash: SipHash<2, 4>,
}

impl SynCookies {
    pub(super) const fn new(key: [u64; 2]) -> Self {
        Self {
            hash: SipHash::new(key),
        }
    }

    /// The number of our first DATA, for the answer to a SYN. A copy of the SYN has the same one for
    /// some time.
    pub(super) fn number(&self, now: Instant, from: SocketAddr, syn: &Header) -> Sequence {
        let receive_id = syn.connection_id.wrapping_add(1);
        Sequence(syn.sequence).plus(self.distance(slot(now), from, receive_id))
    }

    /// Whether a datagram that belongs to no connection shows that our answer reached its address.
    ///
    /// Of all datagrams that a sender with a forged address can try, one in 8,192 succeeds. These
    /// are many times the bytes that the connection sends before it is acknowledged.
    pub(super) fn verify(
        &self,
        now: Instant,
        from: SocketAddr,
        header: &Header,
    ) -> Option<InitialNumbers> {
        if matches!(header.kind, Kind::Syn | Kind::Reset) {
            return None;
        }
        let ours = Sequence(header.acknowledgement).plus(1);
        let slot = slot(now);
        let numbers = [slot, slot.wrapping_sub(1)].map(|slot| {
            let distance = self.distance(slot, from, header.connection_id);
            let theirs = Sequence(ours.since(Sequence(distance)));
            InitialNumbers { ours, theirs }
        });
        let sequence = Sequence(header.sequence);
        let follows =
            |numbers: &InitialNumbers| (1..=MAX_AHEAD).contains(&sequence.since(numbers.theirs));
        numbers.into_iter().find(follows)
    }

    /// Our first number minus that of the SYN.
    fn distance(&self, slot: u64, from: SocketAddr, receive_id: u16) -> u16 {
        let mut bytes = [0; 28];
        bytes[..16].copy_from_slice(&as_v6(from.ip()).octets());
        bytes[16..18].copy_from_slice(&from.port().to_be_bytes());
        bytes[18..20].copy_from_slice(&receive_id.to_be_bytes());
        bytes[20..].copy_from_slice(&slot.to_be_bytes());
        let [low, high, ..] = self.hash.hash(&bytes).to_le_bytes();
        u16::from_le_bytes([low, high])
    }
}

const fn slot(now: Instant) -> u64 {
    now.as_micros() / SLOT
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOKIES: SynCookies = SynCookies::new([1, 2]);

    fn at(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000)
    }

    fn from(n: u8) -> SocketAddr {
        ([11, 0, 0, n], 6881).into()
    }

    fn header(kind: Kind, connection_id: u16, sequence: u16, acknowledgement: u16) -> Header {
        Header {
            kind,
            connection_id,
            timestamp: 0,
            timestamp_difference: 0,
            window: 0,
            sequence,
            acknowledgement,
        }
    }

    fn syn() -> Header {
        header(Kind::Syn, 5, 7, 0)
    }

    #[test]
    fn only_a_datagram_that_acknowledges_our_number_makes_a_connection() {
        let ours = COOKIES.number(at(0), from(1), &syn());
        let acknowledged = ours.previous().0;
        let verify = |from, header| COOKIES.verify(at(1), from, &header);
        let numbers = InitialNumbers {
            ours,
            theirs: Sequence(7),
        };
        for kind in [Kind::Data, Kind::State, Kind::Fin] {
            let first = header(kind, 6, 8, acknowledged);
            assert_eq!(verify(from(1), first), Some(numbers));
            assert_eq!(verify(from(2), first), None);
        }
        let refused = [
            header(Kind::Reset, 6, 8, acknowledged),
            header(Kind::Syn, 6, 8, acknowledged),
            header(Kind::Data, 5, 8, acknowledged),
            header(Kind::Data, 6, 7, acknowledged),
            header(Kind::Data, 6, 8, acknowledged.wrapping_sub(9)),
        ];
        for header in refused {
            assert_eq!(verify(from(1), header), None, "{header:?}");
        }
    }

    #[test]
    fn the_first_datagram_to_arrive_may_be_one_of_the_first_four() {
        let acknowledged = COOKIES.number(at(0), from(1), &syn()).previous().0;
        let theirs = |sequence| {
            let data = header(Kind::Data, 6, sequence, acknowledged);
            let numbers = COOKIES.verify(at(0), from(1), &data);
            numbers.map(|numbers| numbers.theirs)
        };
        for sequence in 8..12 {
            assert_eq!(theirs(sequence), Some(Sequence(7)));
        }
        assert_eq!(theirs(12), None);
    }

    #[test]
    fn a_number_is_valid_for_half_a_minute_to_a_minute() {
        let ours = COOKIES.number(at(29), from(1), &syn());
        let data = header(Kind::Data, 6, 8, ours.previous().0);
        let is_valid = |seconds| COOKIES.verify(at(seconds), from(1), &data).is_some();
        assert!(is_valid(29) && is_valid(30) && is_valid(59) && !is_valid(60));
    }

    #[test]
    fn a_copy_of_a_syn_gets_the_same_answer_and_a_new_one_another() {
        let number = |syn| COOKIES.number(at(0), from(1), &syn);
        assert_eq!(number(syn()), number(syn()));
        let other = header(Kind::Syn, 5, 8, 0);
        assert_ne!(number(syn()), number(other));
    }

    #[test]
    fn a_guess_succeeds_once_in_8192_and_another_key_has_other_numbers() {
        let guesses = (0..=u16::MAX).map(|number| header(Kind::Data, 6, 8, number));
        let hits = guesses
            .filter(|guess| COOKIES.verify(at(40), from(1), guess).is_some())
            .count();
        assert_eq!(hits, 8);
        let other = SynCookies::new([1, 3]);
        let numbers = [COOKIES, other].map(|cookies| cookies.number(at(0), from(1), &syn()));
        assert_ne!(numbers[0], numbers[1]);
    }
}
