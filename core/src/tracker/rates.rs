//! How often one address may ask: a table of fixed size, so that no flood of addresses makes it grow.

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
        Self { per_second, places: vec![Place::default(); PLACES] }
    }

    /// Takes so many for the address with this hash; says whether there was one at least.
    pub(super) fn take(&mut self, hash: u64, now: u32, cost: u32) -> bool {
        let at = usize::try_from(hash % PLACES as u64).unwrap_or(0);
        let place = &mut self.places[at];
        let regained = now.saturating_sub(place.at).saturating_mul(self.per_second);
        *place = Place { at: now, spent: place.spent.saturating_sub(regained) };
        let granted = place.spent < self.per_second.saturating_mul(BURST);
        place.spent = place.spent.saturating_add(if granted { cost } else { 0 });
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_ask_in_a_burst_and_then_at_its_rate() {
        let mut rates = Rates::new(2);
        let granted = |rates: &mut Rates, hash, now| (0..100).filter(|_| rates.take(hash, now, 1)).count();
        assert_eq!(granted(&mut rates, 7, 0), 20);
        assert_eq!(granted(&mut rates, 8, 0), 20, "others have their own");
        assert_eq!(granted(&mut rates, 7, 3), 6);
        assert_eq!(granted(&mut rates, 7, 1000), 20);
        assert_eq!((0..20).filter(|_| rates.take(9, 0, 7)).count(), 3, "what costs more is granted less often");
    }
}
