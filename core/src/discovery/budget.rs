//! Budgets for lookups of one owner.

use std::collections::BTreeMap;
use std::time::Duration;

use super::url::Host;
use crate::types::Instant;

/// The time for which a name that was looked up is free for its owner, since resolvers still cache
/// the answer.
const KNOWN: Duration = Duration::from_secs(60);

/// Stores, per name, the time until which it is spent. Entries whose time has passed are removed.
#[derive(Debug)]
pub(super) struct SpentUntil<K> {
    until: BTreeMap<K, Instant>,
    /// The size at which expired entries are removed. It doubles with the remaining entries, so
    /// that the cost per entry stays small.
    sweep_at: usize,
}

impl<K: Ord> SpentUntil<K> {
    pub(super) const fn new() -> Self {
        Self {
            until: BTreeMap::new(),
            sweep_at: 64,
        }
    }

    pub(super) fn get(&self, name: &K, now: Instant) -> Instant {
        self.until.get(name).copied().unwrap_or(now).max(now)
    }

    pub(super) fn set(&mut self, name: K, until: Instant, now: Instant) {
        if self.until.len() >= self.sweep_at {
            self.until.retain(|_, until| *until > now);
            self.sweep_at = (self.until.len() * 2).max(64);
        }
        self.until.insert(name, until);
    }

    pub(super) fn remove(&mut self, name: &K) {
        self.until.remove(name);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.until.len()
    }
}

/// A budget for lookups of names, or of swarms in the DHT: per owner a burst, then one per time
/// span.
#[derive(Debug)]
pub(super) struct LookupBudget {
    limit: Option<(u32, Duration)>,
    spent: SpentUntil<u64>,
    known: SpentUntil<(u64, Host)>,
}

impl LookupBudget {
    pub(super) const fn new(limit: Option<(u32, Duration)>) -> Self {
        Self {
            limit,
            spent: SpentUntil::new(),
            known: SpentUntil::new(),
        }
    }

    /// Takes one lookup of this name, which is free if the owner had it looked up recently. If none
    /// is left, returns when one will be.
    pub(super) fn take(&mut self, owner: u64, host: &Host, now: Instant) -> Result<(), Instant> {
        let Some((burst, each)) = self.limit else {
            return Ok(());
        };
        let name = (owner, host.clone());
        if self.known.get(&name, now) > now {
            return Ok(());
        }
        let spent = self.spent.get(&owner, now) + each;
        let ahead = spent.since(now).saturating_sub(each * burst.max(1));
        if ahead > Duration::ZERO {
            return Err(now + ahead);
        }
        self.spent.set(owner, spent, now);
        self.known.set(name, now + KNOWN, now);
        Ok(())
    }

    /// Takes one lookup, even a future one, and returns when it may be made. Bookings are served in
    /// order.
    pub(super) fn book(&mut self, owner: u64, now: Instant) -> Instant {
        let at = self.soonest(owner, now);
        if let Some((_, each)) = self.limit {
            self.spent
                .set(owner, self.spent.get(&owner, now) + each, now);
        }
        at
    }

    /// The time for which a lookup would be booked.
    pub(super) fn soonest(&self, owner: u64, now: Instant) -> Instant {
        let Some((burst, each)) = self.limit else {
            return now;
        };
        let spent = self.spent.get(&owner, now) + each;
        now + spent.since(now).saturating_sub(each * burst.max(1))
    }

    /// Returns a booked lookup that will not be used.
    pub(super) fn refund(&mut self, owner: u64, now: Instant) {
        if let Some((_, each)) = self.limit {
            let left = self.spent.get(&owner, now).since(now).saturating_sub(each);
            self.spent.set(owner, now + left, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000)
    }

    fn name(text: &str) -> Host {
        Host::Name(text.to_owned())
    }

    #[test]
    fn lookups_come_in_a_burst_and_then_one_by_one() {
        let mut budget = LookupBudget::new(Some((2, Duration::from_secs(10))));
        assert_eq!(budget.take(1, &name("a"), at(0)), Ok(()));
        assert_eq!(budget.take(1, &name("b"), at(0)), Ok(()));
        assert_eq!(budget.take(1, &name("c"), at(3)), Err(at(10)));
        assert_eq!(
            budget.take(2, &name("c"), at(3)),
            Ok(()),
            "each owner has a budget of its own"
        );
        assert_eq!(budget.take(1, &name("c"), at(10)), Ok(()));
        assert_eq!(budget.take(1, &name("d"), at(10)), Err(at(20)));
        assert_eq!(LookupBudget::new(None).take(1, &name("a"), at(0)), Ok(()));
    }

    #[test]
    fn a_name_that_many_torrents_have_is_paid_for_once_a_minute() {
        let mut budget = LookupBudget::new(Some((1, Duration::from_secs(100))));
        assert_eq!(
            [(); 32].map(|()| budget.take(1, &name("a"), at(0))),
            [Ok(()); 32]
        );
        assert_eq!(budget.take(1, &name("b"), at(0)), Err(at(100)));
        assert_eq!(
            (
                budget.take(1, &name("a"), at(59)),
                budget.take(1, &name("a"), at(60))
            ),
            (Ok(()), Err(at(100)))
        );
    }

    #[test]
    fn bookings_are_served_in_order_and_those_given_back_are_free_again() {
        let mut budget = LookupBudget::new(Some((2, Duration::from_secs(10))));
        assert_eq!(
            [(); 4].map(|()| budget.book(1, at(0))),
            [0, 0, 10, 20].map(at)
        );
        assert_eq!(
            (budget.soonest(1, at(0)), budget.soonest(2, at(0))),
            (at(30), at(0))
        );
        budget.refund(1, at(0));
        assert_eq!(budget.book(1, at(5)), at(20));
        budget.refund(3, at(5));
        assert_eq!(
            [(); 3].map(|()| budget.book(3, at(5))),
            [5, 5, 15].map(at),
            "what was not booked cannot be given back"
        );
        assert_eq!(LookupBudget::new(None).book(1, at(7)), at(7));
    }
}
