//! Incoming connections whose sender has not verified its address.
//!
//! The source address of a SYN can be forged. A SYN costs a few bytes here, and an answer that is
//! no longer than the SYN and is not repeated unprompted. The answer has a random number; only a
//! datagram that contains it creates a connection, with its buffers.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use super::packet::{Header, Kind};
use super::sequence::Sequence;

/// The first numbers of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InitialNumbers {
    /// That of our first DATA.
    pub(super) ours: Sequence,
    /// That of their SYN.
    pub(super) theirs: Sequence,
}

/// An address, and the id on which we receive from it.
type Key = (SocketAddr, u16);

/// The table.
#[derive(Debug)]
pub(super) struct HalfOpen {
    limit: usize,
    entries: BTreeMap<Key, InitialNumbers>,
    /// The keys of `entries`, the oldest first.
    order: VecDeque<Key>,
}

impl HalfOpen {
    /// `limit`: entries at a time; beyond it a new one replaces the oldest.
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            limit,
            entries: BTreeMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Takes a SYN and returns the number of our answer. `random`: the number if this is not a copy
    /// of an earlier SYN.
    pub(super) fn handle_syn(&mut self, from: SocketAddr, syn: &Header, random: u16) -> Sequence {
        let theirs = Sequence(syn.sequence);
        let key = (from, syn.connection_id.wrapping_add(1));
        if let Some(known) = self.entries.get_mut(&key) {
            if known.theirs != theirs {
                let ours = Sequence(random);
                *known = InitialNumbers { ours, theirs };
            }
            return known.ours;
        }
        self.make_room();
        let ours = Sequence(random);
        self.entries.insert(key, InitialNumbers { ours, theirs });
        self.order.push_back(key);
        ours
    }

    /// Whether a datagram that belongs to no connection shows that our answer reached its address.
    ///
    /// The entry is removed in any case: there are only 65,536 numbers, which a sender with a forged
    /// address could try one after the other. It needs a new SYN per attempt, and SYNs from one
    /// address are answered only a few times per second.
    pub(super) fn prove(&mut self, from: SocketAddr, header: &Header) -> Option<InitialNumbers> {
        if matches!(header.kind, Kind::Syn | Kind::Reset) {
            return None;
        }
        let key = (from, header.connection_id);
        let known = self.entries.remove(&key)?;
        self.order.retain(|other| *other != key);
        let names = header.acknowledgement == known.ours.previous().0;
        names.then_some(known)
    }

    fn make_room(&mut self) {
        while self.entries.len() >= self.limit.max(1) {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            self.entries.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(n: u8) -> SocketAddr {
        ([11, 0, 0, n], 6881).into()
    }

    fn header(kind: Kind, connection_id: u16, acknowledgement: u16) -> Header {
        Header {
            kind,
            connection_id,
            timestamp: 0,
            timestamp_difference: 0,
            window: 0,
            sequence: 7,
            acknowledgement,
        }
    }

    #[test]
    fn only_a_datagram_that_names_our_number_makes_a_connection() {
        let mut half_open = HalfOpen::new(10);
        let ours = half_open.handle_syn(from(1), &header(Kind::Syn, 5, 0), 1000);
        assert_eq!(ours, Sequence(1000));
        let mut prove = |from, header| half_open.prove(from, &header);
        assert_eq!(prove(from(2), header(Kind::Data, 6, 999)), None);
        assert_eq!(prove(from(1), header(Kind::Data, 5, 999)), None);
        assert_eq!(prove(from(1), header(Kind::Reset, 6, 999)), None);
        let proven = prove(from(1), header(Kind::Data, 6, 999)).unwrap();
        assert_eq!(proven.theirs, Sequence(7));
        assert_eq!(prove(from(1), header(Kind::Data, 6, 999)), None);
    }

    #[test]
    fn a_sender_that_guesses_our_number_has_one_attempt_per_answer() {
        let mut half_open = HalfOpen::new(10);
        let syn = header(Kind::Syn, 5, 0);
        half_open.handle_syn(from(1), &syn, 1000);
        let guesses = (0..=u16::MAX).map(|number| header(Kind::Data, 6, number));
        let proven = guesses.filter_map(|guess| half_open.prove(from(1), &guess));
        assert_eq!(proven.count(), 0);
        assert_eq!((half_open.entries.len(), half_open.order.len()), (0, 0));
        assert_eq!(half_open.handle_syn(from(1), &syn, 2000), Sequence(2000));
    }

    #[test]
    fn a_copy_of_a_syn_gets_the_same_answer_and_a_new_one_another() {
        let mut half_open = HalfOpen::new(10);
        let syn = header(Kind::Syn, 5, 0);
        assert_eq!(half_open.handle_syn(from(1), &syn, 1000), Sequence(1000));
        assert_eq!(half_open.handle_syn(from(1), &syn, 2000), Sequence(1000));
        let other = Header { sequence: 8, ..syn };
        assert_eq!(half_open.handle_syn(from(1), &other, 3000), Sequence(3000));
    }

    #[test]
    fn a_flood_replaces_the_oldest_and_takes_no_more_memory() {
        let mut half_open = HalfOpen::new(10);
        for n in 0..100 {
            half_open.handle_syn(from(n), &header(Kind::Syn, 5, 0), 1000);
        }
        assert_eq!((half_open.entries.len(), half_open.order.len()), (10, 10));
        let data = header(Kind::Data, 6, 999);
        assert_eq!(half_open.prove(from(0), &data), None);
        assert!(half_open.prove(from(99), &data).is_some());
        assert_eq!((half_open.entries.len(), half_open.order.len()), (9, 9));
    }
}
