//! How often one address may do something.

use std::net::IpAddr;
use std::sync::Mutex;

use aqueduct_core::net::Limit;
use tokio::time::Instant;

use crate::limits::bucket::Bucket;
use crate::limits::network::{Network, Networks};
use crate::limits::pruned_map::PrunedMap;
use crate::sync::lock;

/// A budget for each address (/64 for IPv6) and each site (/48).
#[derive(Debug)]
pub(crate) struct AddressRate {
    limit: Limit,
    per_site: u32,
    by_network: Mutex<PrunedMap<Network, Bucket>>,
}

impl AddressRate {
    /// `limit`: of an address; `per_site`: how many addresses' budgets a site has.
    pub(crate) fn new(limit: Limit, per_site: u32) -> Self {
        Self {
            limit,
            per_site,
            by_network: Mutex::default(),
        }
    }

    /// Takes one off the budgets of this address and its site.
    ///
    /// # Errors
    /// One of them has none left, and nothing is taken. The time is when both will have one.
    pub(crate) fn take(&self, ip: IpAddr, now: Instant) -> Result<(), Instant> {
        let shares = Networks::of(ip).shares(self.per_site);
        let mut by_network = lock(&self.by_network);
        by_network.prune(|_, bucket| !bucket.is_full(now));
        let entries = &mut by_network.entries;
        let refused = shares.clone().filter_map(|(network, shares)| {
            entries
                .entry(network)
                .or_insert_with(|| Bucket::new(self.limit.times(shares.into()), now))
                .check(now)
                .err()
        });
        if let Some(until) = refused.max() {
            return Err(until);
        }
        for (network, _) in shares {
            let _ = entries.get_mut(&network).map(|bucket| bucket.take(now));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_address_and_its_site_have_a_burst_and_then_a_rate() {
        let rate = AddressRate::new(Limit::per_second(2).with_burst(10), 4);
        let ip = |site: u16, network: u16| IpAddr::from([0x2001, 0xdb8, site, network, 0, 0, 0, 1]);
        let granted = |site, networks| {
            (0..50)
                .flat_map(|_| 0..networks)
                .filter(|network| rate.take(ip(site, *network), Instant::now()).is_ok())
                .count()
        };
        assert_eq!((granted(1, 1), granted(2, 1)), (10, 10));
        assert_eq!(
            granted(1, 20),
            30,
            "twenty networks of a site are four addresses"
        );
        tokio::time::advance(Duration::from_millis(3001)).await;
        assert_eq!((granted(2, 1), granted(1, 20)), (6, 24));
    }
}
