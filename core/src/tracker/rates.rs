//! How often one address may ask: a table of fixed size, so that no flood of addresses makes it
//! grow.

/// Addresses that share a place share its budget; with a keyed hash nobody chooses with whom.
const PLACES: usize = 1 << 14;
/// Seconds' worth that is granted at once after a pause.
const BURST: u32 = 10;

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// When `spent` was right, seconds.
    at: u32,
    spent: u32,
}

#[derive(Debug)]
pub(super) struct Rates {
    per_second: u32,
    places: Vec<Place>,
}

impl Rates {
    pub(super) fn new(per_second: u32) -> Self {
        Self {
            per_second,
            places: vec![Place::default(); PLACES],
        }
    }

    /// Takes so many for the networks with these hashes, each of which has so many shares; says
    /// whether all of them had one at least.
    pub(super) fn take(&mut self, networks: &[(u64, u32)], now: u32, cost: u32) -> bool {
        let granted = networks
            .iter()
            .all(|(hash, shares)| self.has_any(*hash, *shares, now));
        for (hash, _) in networks.iter().filter(|_| granted) {
            let place = self.place(*hash);
            place.spent = place.spent.saturating_add(cost);
        }
        granted
    }

    fn has_any(&mut self, hash: u64, shares: u32, now: u32) -> bool {
        let per_second = self.per_second.saturating_mul(shares);
        let place = self.place(hash);
        let regained = now.saturating_sub(place.at).saturating_mul(per_second);
        *place = Place {
            at: now,
            spent: place.spent.saturating_sub(regained),
        };
        place.spent < per_second.saturating_mul(BURST)
    }

    fn place(&mut self, hash: u64) -> &mut Place {
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
        let granted = |rates: &mut Rates, hash, now| {
            (0..100)
                .filter(|_| rates.take(&[(hash, 1)], now, 1))
                .count()
        };
        assert_eq!(granted(&mut rates, 7, 0), 20);
        assert_eq!(granted(&mut rates, 8, 0), 20, "others have their own");
        assert_eq!(granted(&mut rates, 7, 3), 6);
        assert_eq!(granted(&mut rates, 7, 1000), 20);
        assert_eq!(
            (0..20).filter(|_| rates.take(&[(9, 1)], 0, 7)).count(),
            3,
            "what costs more is granted less often"
        );
    }

    #[test]
    fn a_network_with_more_shares_may_ask_more_often_but_its_parts_no_more_than_they_may() {
        let mut rates = Rates::new(1);
        let granted = |rates: &mut Rates, part| {
            (0..100)
                .filter(|_| rates.take(&[(part, 1), (99, 4)], 0, 1))
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
