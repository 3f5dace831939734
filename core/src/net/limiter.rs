//! How much is answered to datagrams, whose senders anybody can forge: without a bound we would be
//! a means to flood others.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::is_local;
use crate::types::Instant;

/// Addresses counted at a time; who comes when they are full is not answered within that second.
const MAX_ADDRESSES: usize = 2000;

const SECOND: Duration = Duration::from_secs(1);

/// Questions per address in the current second, and bytes in all.
#[derive(Debug)]
pub(crate) struct Limiter {
    rate: u32,
    per_address: u32,
    bytes: u64,
    filled: Instant,
    second: Instant,
    asked: BTreeMap<SocketAddr, u32>,
}

impl Limiter {
    /// `rate` bytes a second in all, of which two seconds' worth may go out at once; `per_address`
    /// questions a second from one address.
    pub(crate) fn new(rate: u32, per_address: u32, now: Instant) -> Self {
        Self {
            rate,
            per_address,
            bytes: u64::from(rate) * 2,
            filled: now,
            second: now,
            asked: BTreeMap::new(),
        }
    }

    /// Whether a question may be looked at.
    pub(crate) fn admits(&mut self, now: Instant, from: SocketAddr) -> bool {
        if now.since(self.second) >= SECOND {
            (self.second, self.asked) = (now, BTreeMap::new());
        }
        let counted = counted(from);
        if self.asked.len() >= MAX_ADDRESSES && !self.asked.contains_key(&counted) {
            return false;
        }
        let count = self.asked.entry(counted).or_default();
        *count += 1;
        *count <= self.per_address
    }

    /// Whether an answer of so many bytes may go out; if so, it counts.
    pub(crate) fn spends(&mut self, now: Instant, bytes: usize) -> bool {
        let earned =
            now.since(self.filled).as_micros() * u128::from(self.rate) / SECOND.as_micros();
        if let Some(earned) = u64::try_from(earned).ok().filter(|earned| *earned > 0) {
            self.bytes = self
                .bytes
                .saturating_add(earned)
                .min(u64::from(self.rate) * 2);
            self.filled = now;
        }
        let left = u64::try_from(bytes)
            .ok()
            .and_then(|bytes| self.bytes.checked_sub(bytes));
        self.bytes = left.unwrap_or(self.bytes);
        left.is_some()
    }
}

/// Whom a question counts for: its address, and on a local network, where several nodes may share
/// one machine, also its port.
fn counted(from: SocketAddr) -> SocketAddr {
    let ip = match from.ip().to_canonical() {
        // Who has one address of a /64 has all.
        IpAddr::V6(v6) if !is_local(v6.into()) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        ip => ip,
    };
    SocketAddr::new(ip, if is_local(ip) { from.port() } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant(millis * 1000)
    }

    #[test]
    fn an_address_has_five_questions_a_second_whatever_its_port() {
        let mut limiter = Limiter::new(8000, 5, at(0));
        let from = |port| SocketAddr::from(([11, 0, 0, 1], port));
        let admitted = (1..=20)
            .filter(|port| limiter.admits(at(0), from(*port)))
            .count();
        assert_eq!(admitted, 5);
        assert!(limiter.admits(at(0), SocketAddr::from(([11, 0, 0, 2], 1))));
        assert!(limiter.admits(at(1000), from(1)));
    }

    #[test]
    fn answers_keep_to_the_rate_over_ten_seconds() {
        let mut limiter = Limiter::new(8000, 5, at(0));
        let sent: u64 = (0..10_000)
            .map(|millis| {
                if limiter.spends(at(millis), 300) {
                    300
                } else {
                    0
                }
            })
            .sum();
        assert!((80_000..=96_000).contains(&sent), "{sent}");
    }

    #[test]
    fn a_flood_from_everywhere_is_counted_in_bounded_memory() {
        let mut limiter = Limiter::new(8000, 5, at(0));
        let from = |n: u32| SocketAddr::from(((0x0b00_0000 + n).to_be_bytes(), 1));
        let admitted = (0..100_000)
            .filter(|n| limiter.admits(at(0), from(*n)))
            .count();
        assert_eq!(
            (admitted, limiter.asked.len()),
            (MAX_ADDRESSES, MAX_ADDRESSES)
        );
    }
}
