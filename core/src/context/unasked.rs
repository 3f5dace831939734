//! The rate limits for introductions that nobody asked for (BEP 55).

use crate::net::{KeyedLimiter, Limit, Network, TokenBucket, network};
use crate::types::{Instant, PeerAddr};

/// The number of introductions per minute, and the burst, that we follow from one network (an IPv4
/// address or an IPv6 /64). Each causes three datagrams of twenty bytes to an address that the
/// relaying peer chose.
const MAX_PER_NETWORK: u64 = 6;
/// The same for all networks and all torrents together.
const MAX_TOTAL: u64 = 60;
/// The number of networks that are remembered. While all of them are at their limits, others are
/// not heard.
const MAX_NETWORKS: usize = 256;

/// Introductions that nobody asked for.
#[derive(Debug)]
pub(crate) struct Unasked {
    per_network: KeyedLimiter<Network>,
    total: TokenBucket,
}

impl Default for Unasked {
    fn default() -> Self {
        let per_network = Limit::per_minute(MAX_PER_NETWORK);
        Self {
            per_network: KeyedLimiter::new(per_network, MAX_NETWORKS),
            total: TokenBucket::new(Limit::per_minute(MAX_TOTAL)),
        }
    }
}

impl Unasked {
    /// Whether one from the peer at this address is followed; if so, it is counted.
    pub(crate) fn admits(&mut self, now: Instant, relay: PeerAddr) -> bool {
        self.per_network.take(now, network(relay), 1) && self.total.take(now, 1).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The number of admitted introductions of a hundred from each of these hosts.
    fn admitted(unasked: &mut Unasked, now: Instant, hosts: std::ops::Range<u8>) -> usize {
        let from = hosts.flat_map(|n| (0..100).map(move |port| ([45, 0, 0, n], port)));
        let from = from.map(PeerAddr::from);
        from.filter(|relay| unasked.admits(now, *relay)).count()
    }

    #[test]
    fn one_network_causes_six_dials_a_minute_whatever_its_ports() {
        let mut unasked = Unasked::default();
        assert_eq!(admitted(&mut unasked, Instant::ZERO, 1..2), 6);
        assert_eq!(admitted(&mut unasked, Instant::ZERO, 2..3), 6);
        let later = Instant::ZERO + Duration::from_secs(60);
        assert_eq!(admitted(&mut unasked, later, 1..2), 6);
    }

    #[test]
    fn all_networks_together_cause_sixty_dials_a_minute() {
        let mut unasked = Unasked::default();
        assert_eq!(admitted(&mut unasked, Instant::ZERO, 1..200), 60);
    }
}
