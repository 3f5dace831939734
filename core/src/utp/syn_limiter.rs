//! How often an address is answered before it is verified.
//!
//! The answers to forged SYNs reach the owners of the addresses, so each address is answered a few
//! times per second only. The table has a fixed size, and an address is counted in two cells that
//! follow from a keyed hash: a flood of addresses can neither make it grow, nor keep others out, nor
//! choose cells.

use std::net::SocketAddr;

use crate::net::{as_v6, counted};
use crate::siphash::SipHash;
use crate::types::Instant;

/// The number of cells in each of two rows. With 20,000 addresses per second, fewer than one in a
/// million finds both of its cells full.
const CELLS: usize = 1 << 15;

/// Counts of the current second.
#[derive(Debug)]
pub(super) struct SynLimiter {
    hash: SipHash<1, 3>,
    per_address: u8,
    second: u64,
    /// Both rows; empty until the first SYN.
    cells: Vec<u8>,
}

impl SynLimiter {
    /// `per_address`: the maximum number of answers per second and address (/64 for IPv6).
    pub(super) const fn new(key: [u64; 2], per_address: u8) -> Self {
        Self {
            hash: SipHash::new(key),
            per_address,
            second: 0,
            cells: Vec::new(),
        }
    }

    /// Whether a SYN from this address may be answered; if so, it is counted.
    pub(super) fn takes(&mut self, now: Instant, from: SocketAddr) -> bool {
        let second = now.as_micros() / 1_000_000;
        if self.cells.is_empty() || second != self.second {
            self.second = second;
            self.cells.clear();
            self.cells.resize(2 * CELLS, 0);
        }
        let places = self.places(from);
        let mut is_taken = false;
        for place in places {
            if let Some(count) = self
                .cells
                .get_mut(place)
                .filter(|count| **count < self.per_address)
            {
                *count += 1;
                is_taken = true;
            }
        }
        is_taken
    }

    fn places(&self, from: SocketAddr) -> [usize; 2] {
        let from = counted(from);
        let mut bytes = [0; 18];
        bytes[..16].copy_from_slice(&as_v6(from.ip()).octets());
        bytes[16..].copy_from_slice(&from.port().to_be_bytes());
        let hash = self.hash.hash(&bytes);
        let place = |hash: u64| usize::try_from(hash % CELLS as u64).unwrap_or_default();
        [place(hash), CELLS + place(hash >> 32)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant(millis * 1000)
    }

    fn from(n: u32) -> SocketAddr {
        ((0x0b00_0000 + n).to_be_bytes(), 6881).into()
    }

    #[test]
    fn an_address_is_answered_five_times_per_second_whatever_its_port() {
        let mut limiter = SynLimiter::new([1, 2], 5);
        let mut taken = |millis, host: u8| {
            (1..=100)
                .filter(|port| limiter.takes(at(millis), ([11, 0, 0, host], *port).into()))
                .count()
        };
        assert_eq!((taken(0, 1), taken(999, 1), taken(999, 2)), (5, 0, 5));
        assert_eq!(taken(1000, 1), 5);
    }

    #[test]
    fn a_flood_of_addresses_keeps_no_other_out_and_takes_no_more_memory() {
        let mut limiter = SynLimiter::new([1, 2], 5);
        let flood = (0..20_000)
            .filter(|n| limiter.takes(at(0), from(*n)))
            .count();
        assert_eq!(flood, 20_000);
        let others = (20_000..21_000)
            .filter(|n| limiter.takes(at(0), from(*n)))
            .count();
        assert_eq!(others, 1000);
        assert_eq!(limiter.cells.len(), 2 * CELLS);
    }
}
