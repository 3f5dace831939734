//! Limits for answers to datagrams. Their source addresses can be forged, so unlimited answers could
//! be used to flood other hosts.

use std::net::SocketAddr;

use super::keyed_limiter::KeyedLimiter;
use super::token_bucket::{Limit, TokenBucket};
use super::{ip_network, is_local};
use crate::types::Instant;

/// The maximum number of tracked addresses. While all of them sent a query within the last second,
/// queries from other addresses are dropped.
const MAX_ADDRESSES: usize = 2000;

/// Limits queries per address, and the total bytes of answers.
#[derive(Debug)]
pub(crate) struct AnswerLimiter {
    bytes: TokenBucket,
    questions: KeyedLimiter<SocketAddr>,
}

impl AnswerLimiter {
    /// `rate` is the total in bytes per second, with a burst of two seconds; `per_address` is the
    /// number of queries per second and address.
    pub(crate) fn new(rate: u32, per_address: u32) -> Self {
        let rate = u64::from(rate);
        Self {
            bytes: TokenBucket::new(Limit::per_second(rate).with_burst(rate * 2)),
            questions: KeyedLimiter::new(Limit::per_second(per_address.into()), MAX_ADDRESSES),
        }
    }

    /// Whether a query may be processed; if so, it is counted.
    pub(crate) fn admits(&mut self, now: Instant, from: SocketAddr) -> bool {
        self.questions.take(now, counted(from), 1)
    }

    /// Whether a query from this address may be answered with this many bytes; if so, both are
    /// counted.
    pub(crate) fn takes(&mut self, now: Instant, from: SocketAddr, bytes: usize) -> bool {
        self.admits(now, from) && self.spends(now, bytes)
    }

    /// Whether an answer of this many bytes may be sent; if so, it is counted.
    pub(crate) fn spends(&mut self, now: Instant, bytes: usize) -> bool {
        self.bytes.take(now, bytes as u64).is_ok()
    }
}

/// The key under which a query is counted: its address (/64 for IPv6), and on a local network, where
/// several nodes may share a host, also its port.
pub(crate) fn counted(from: SocketAddr) -> SocketAddr {
    let ip = from.ip().to_canonical();
    if is_local(ip) {
        SocketAddr::new(ip, from.port())
    } else {
        // A host that has one address of a /64 can use all of it.
        SocketAddr::new(ip_network(ip), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant(millis * 1000)
    }

    #[test]
    fn an_address_has_five_questions_per_second_whatever_its_port() {
        let mut limiter = AnswerLimiter::new(8000, 5);
        let from = |port| SocketAddr::from(([11, 0, 0, 1], port));
        let admitted = (1..=20)
            .filter(|port| limiter.admits(at(0), from(*port)))
            .count();
        assert_eq!(admitted, 5);
        assert!(limiter.admits(at(0), SocketAddr::from(([11, 0, 0, 2], 1))));
        assert!(limiter.admits(at(1000), from(1)));
    }

    #[test]
    fn on_a_local_network_each_port_is_counted_by_itself() {
        let mut limiter = AnswerLimiter::new(8000, 1);
        let from = |port| SocketAddr::from(([127, 0, 0, 1], port));
        assert!(limiter.admits(at(0), from(1)) && limiter.admits(at(0), from(2)));
        assert!(!limiter.admits(at(0), from(1)));
        let mapped: std::net::IpAddr = "::ffff:127.0.0.1".parse().unwrap();
        assert!(!limiter.admits(at(0), SocketAddr::new(mapped, 1)));
    }

    #[test]
    fn answers_keep_to_the_rate_over_ten_seconds() {
        let mut limiter = AnswerLimiter::new(8000, 5);
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
        let mut limiter = AnswerLimiter::new(8000, 5);
        let from = |n: u32| SocketAddr::from(((0x0b00_0000 + n).to_be_bytes(), 1));
        let admitted = (0..100_000)
            .filter(|n| limiter.admits(at(0), from(*n)))
            .count();
        assert_eq!(
            (admitted, limiter.questions.len()),
            (MAX_ADDRESSES, MAX_ADDRESSES)
        );
    }
}
