//! Limits on key exchanges with remote sides that dial in. Each costs some 0.15 ms of processor
//! time, on the thread that serves all connections.

use std::net::IpAddr;
use std::sync::Mutex as StdMutex;
use std::sync::PoisonError;

use aqueduct_core::CloseReason;
use aqueduct_core::net::{KeyedLimiter, Limit, TokenBucket, ip_network};
use aqueduct_core::types;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Exchanges per second with one address (/64 for IPv6), after a pause ten times as many at once.
/// Several hosts may be behind one address.
const PER_ADDRESS: u64 = 2;
const BURST: u64 = 20;
/// Exchanges per second in total, which take about 2 % of one core; after a pause as many at once.
const TOTAL: u64 = 100;
/// The maximum number of tracked addresses. Further ones are refused until others have been idle
/// for ten seconds.
const MAX_ADDRESSES: usize = 1 << 14;

/// The budgets of all exchanges.
#[derive(Debug)]
pub(crate) struct KeyExchanges {
    start: Instant,
    addresses: StdMutex<KeyedLimiter<IpAddr>>,
    /// Waiting exchanges take it in the order of their arrival.
    total: Mutex<TokenBucket>,
}

impl Default for KeyExchanges {
    fn default() -> Self {
        let per_address = Limit::per_second(PER_ADDRESS).with_burst(BURST);
        Self {
            start: Instant::now(),
            addresses: StdMutex::new(KeyedLimiter::new(per_address, MAX_ADDRESSES)),
            total: Mutex::new(TokenBucket::new(Limit::per_second(TOTAL))),
        }
    }
}

impl KeyExchanges {
    /// Waits until keys may be exchanged with a remote side at this address.
    ///
    /// # Errors
    /// The address has begun too many exchanges.
    pub(crate) async fn turn(&self, ip: IpAddr) -> Result<(), CloseReason> {
        let is_admitted = {
            let addresses = &mut *self
                .addresses
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            addresses.take(self.now(), ip_network(ip), 1)
        };
        if !is_admitted {
            return Err(CloseReason::Full);
        }
        let mut total = self.total.lock().await;
        while let Err(at) = total.take(self.now(), 1) {
            let at = at.unwrap_or(types::Instant::ZERO);
            sleep_until(self.start + at.since(types::Instant::ZERO)).await;
        }
        Ok(())
    }

    fn now(&self) -> types::Instant {
        types::Instant::ZERO + self.start.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn thousands_of_addresses_share_one_rate_and_each_has_its_own() {
        let exchanges = KeyExchanges::default();
        let begun = Instant::now();
        for n in 0..300_u16 {
            let ip = IpAddr::from([0x2001, 0xdb8, 0, n, 0, 0, 0, 1]);
            exchanges.turn(ip).await.unwrap();
        }
        let took = begun.elapsed();
        let expected = Duration::from_millis(1990)..Duration::from_millis(2500);
        assert!(expected.contains(&took), "300 exchanges took {took:?}");

        // The total rate has recovered, so that nothing waits while an address is counted.
        tokio::time::advance(Duration::from_secs(2)).await;
        let admitted = async |last: u16| {
            let ip = IpAddr::from([0x2001, 0xdb8, 1, 0, 0, 0, 0, last]);
            exchanges.turn(ip).await.is_ok()
        };
        for last in 0..20 {
            assert!(admitted(last).await);
        }
        assert!(!admitted(20).await, "another address of the same /64");
        assert!(exchanges.turn([192, 0, 2, 1].into()).await.is_ok());
    }
}
