//! Rate limits per address.

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use aqueduct_core::net::{KeyedLimiter, Limit};
use aqueduct_core::types;
use tokio::time::Instant;

use crate::limits::network::{Network, Networks};
use crate::sync::lock;

/// The maximum number of tracked networks, of some 100 bytes each. Further ones are refused until
/// others have been idle for a while.
const MAX_NETWORKS: usize = 1 << 17;
/// The delay after which an address may try again if nothing is ever granted (a rate of 0).
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A budget for each address (/64 for IPv6) and each site (/48).
#[derive(Debug)]
pub(crate) struct AddressRate {
    per_site: u32,
    start: Instant,
    networks: Mutex<KeyedLimiter<Network>>,
}

impl AddressRate {
    /// `limit`: of an address; `per_site`: how many addresses' budgets a site has.
    pub(crate) fn new(limit: Limit, per_site: u32) -> Self {
        Self {
            per_site,
            start: Instant::now(),
            networks: Mutex::new(KeyedLimiter::new(limit, MAX_NETWORKS)),
        }
    }

    /// Takes one off the budgets of this address and its site.
    ///
    /// # Errors
    /// One of them has none left, and nothing is taken. The time is when both will have one.
    pub(crate) fn take(&self, ip: IpAddr, now: Instant) -> Result<(), Instant> {
        let keys = Networks::of(ip).shares(self.per_site);
        let keys: Vec<(Network, u64)> = keys.map(|(key, shares)| (key, shares.into())).collect();
        let core_time = types::Instant::ZERO + now.saturating_duration_since(self.start);
        let mut networks = lock(&self.networks);
        if networks.take_all(core_time, &keys, 1) {
            return Ok(());
        }
        let ready_at = networks.ready_at(core_time, &keys);
        let wait = ready_at.map_or(LONGEST_WAIT, |at| at.since(core_time).min(LONGEST_WAIT));
        Err(now + wait)
    }
}

#[cfg(test)]
mod tests {
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
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!((granted(2, 1), granted(1, 20)), (6, 24));
        let refused = rate.take(ip(1, 0), Instant::now()).unwrap_err();
        assert!(refused <= Instant::now() + Duration::from_millis(501));
        tokio::time::advance(refused - Instant::now()).await;
        assert!(rate.take(ip(1, 0), Instant::now()).is_ok());
    }
}
