//! Request rates per address. The table has a fixed size, so a flood of addresses can neither make
//! it grow nor keep new addresses out.

use crate::net::{Level, Limit};
use crate::types::Instant;

/// Addresses that share a place share its budget; since the hash is keyed, they cannot choose with which.
const PLACES: usize = 1 << 14;
/// The burst after a pause, in seconds' worth of requests.
const BURST: u64 = 10;

#[derive(Debug)]
pub(super) struct Rates {
    limit: Limit,
    places: Vec<Level>,
}

impl Rates {
    pub(super) fn new(per_second: u32) -> Self {
        let per_second = u64::from(per_second);
        Self {
            limit: Limit::per_second(per_second).with_burst(per_second.saturating_mul(BURST)),
            places: vec![Level::default(); PLACES],
        }
    }

    /// Charges `cost` requests to the networks with these hashes, each of which has a number of
    /// shares. Returns whether all of them had at least one request left.
    pub(super) fn take(&mut self, networks: &[(u64, u32)], now: Instant, cost: u32) -> bool {
        let granted = networks
            .iter()
            .all(|(hash, shares)| self.has_any(*hash, *shares, now));
        for (hash, _) in networks.iter().filter(|_| granted) {
            let limit = self.limit;
            self.place(*hash).spend(limit, cost.into());
        }
        granted
    }

    fn has_any(&mut self, hash: u64, shares: u32, now: Instant) -> bool {
        let limit = self.limit.times(shares.into());
        let place = self.place(hash);
        place.regain(limit, now);
        place.has_any(limit)
    }

    fn place(&mut self, hash: u64) -> &mut Level {
        let at = usize::try_from(hash % PLACES as u64).unwrap_or(0);
        &mut self.places[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_ask_in_a_burst_and_then_at_its_rate() {
        let mut rates = Rates::new(2);
        let at = |seconds: u64| Instant(seconds * 1_000_000);
        let granted = |rates: &mut Rates, hash, now| {
            (0..100)
                .filter(|_| rates.take(&[(hash, 1)], at(now), 1))
                .count()
        };
        assert_eq!(granted(&mut rates, 7, 0), 20);
        assert_eq!(granted(&mut rates, 8, 0), 20, "others have their own");
        assert_eq!(granted(&mut rates, 7, 3), 6);
        assert_eq!(granted(&mut rates, 7, 1000), 20);
        assert_eq!(
            (0..20).filter(|_| rates.take(&[(9, 1)], at(0), 7)).count(),
            3,
            "what costs more is granted less often"
        );
    }

    #[test]
    fn a_network_with_more_shares_may_ask_more_often_but_its_parts_no_more_than_they_may() {
        let mut rates = Rates::new(1);
        let granted = |rates: &mut Rates, part| {
            (0..100)
                .filter(|_| rates.take(&[(part, 1), (99, 4)], Instant::ZERO, 1))
                .count()
        };
        assert_eq!(
            (0..6)
                .map(|part| granted(&mut rates, part))
                .collect::<Vec<_>>(),
            [10, 10, 10, 10, 0, 0]
        );
    }
}
