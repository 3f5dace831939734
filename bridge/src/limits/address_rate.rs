//! How often one address may do something.

use std::net::IpAddr;
use std::sync::Mutex;

use tokio::time::Instant;

use crate::limits::bucket::{Bucket, Table, lock};
use crate::limits::network::{Network, Networks};

/// Seconds' worth that is granted at once after a pause.
const BURST: u32 = 5;

/// A budget for each address (/64 for IPv6) and each site.
#[derive(Debug)]
pub(crate) struct AddressRate {
    per_second: u32,
    per_site: u32,
    by_network: Mutex<Table<Network, Bucket>>,
}

impl AddressRate {
    pub(crate) fn new(per_second: u32, per_site: u32) -> Self {
        Self {
            per_second,
            per_site,
            by_network: Mutex::default(),
        }
    }

    /// Takes one off the budget of this address and its site; says whether there was one.
    pub(crate) fn take(&self, ip: IpAddr, now: Instant) -> bool {
        let shares = Networks::of(ip).shares(self.per_site);
        let mut by_network = lock(&self.by_network);
        by_network.sweep(|_, bucket| !bucket.is_full(now));
        let entries = &mut by_network.entries;
        let granted = shares.clone().all(|(network, shares)| {
            entries
                .entry(network)
                .or_insert_with(|| self.bucket(shares, now))
                .check(now)
                .is_ok()
        });
        for (network, _) in shares.filter(|_| granted) {
            let _ = entries.get_mut(&network).map(|bucket| bucket.take(now));
        }
        granted
    }

    fn bucket(&self, shares: u32, now: Instant) -> Bucket {
        let per_second = self.per_second.saturating_mul(shares);
        Bucket::with_burst(per_second.into(), per_second.saturating_mul(BURST), now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_address_and_its_site_have_a_burst_and_then_a_rate() {
        let rate = AddressRate::new(2, 4);
        let ip = |site: u16, network: u16| IpAddr::from([0x2001, 0xdb8, site, network, 0, 0, 0, 1]);
        let granted = |site, networks| {
            (0..50)
                .flat_map(|_| 0..networks)
                .filter(|network| rate.take(ip(site, *network), Instant::now()))
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
