//! Limits on key exchanges with peers (MSE), each of which costs some 0.15 ms of processor time.
//!
//! An address has a rate of its own, and all of them share another one: thousands of addresses can
//! belong to one attacker. Beyond it exchanges wait, and addresses take turns.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use aqueduct_core::net::Limit;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::limits::Limits;
use crate::limits::address_rate::AddressRate;
use crate::limits::bucket::Bucket;
use crate::limits::fair_queue::FairQueue;
use crate::limits::network::{Network, Networks};
use crate::sync::lock;

/// The number of seconds' worth of exchanges that an address may begin at once.
const BURST: u64 = 5;
/// The maximum number of waiting exchanges. Beyond it the last one of the client with the most is
/// refused.
const MAX_WAITING: usize = 4096;

/// Why keys are not exchanged with a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    #[error("its address has begun as many encrypted handshakes as it may")]
    Address,
    #[error("too many encrypted handshakes wait for their turn")]
    Total,
}

/// The budgets of all exchanges.
#[derive(Debug)]
pub(crate) struct KeyExchanges {
    per_address: AddressRate,
    total: Mutex<Total>,
}

#[derive(Debug)]
struct Total {
    rate: Bucket,
    queue: FairQueue,
    last_queued: u64,
}

/// A waiting exchange, which leaves the queue when this is dropped.
#[derive(Debug)]
struct QueuePlace<'a> {
    total: &'a Mutex<Total>,
    client: Network,
    number: u64,
    changed: Arc<Notify>,
}

/// What a waiting exchange may do.
enum Turn {
    Now,
    At(Instant),
    /// After a notification.
    Later,
    /// It was removed from the queue.
    Never,
}

impl KeyExchanges {
    pub(crate) fn new(limits: &Limits) -> Self {
        let each = u64::from(limits.encrypted_handshakes_per_address);
        let each = Limit::per_second(each).with_burst(each.saturating_mul(BURST));
        let all = Limit::per_second(limits.encrypted_handshakes.into());
        Self {
            per_address: AddressRate::new(each, limits.addresses_per_site),
            total: Mutex::new(Total {
                rate: Bucket::new(all, Instant::now()),
                queue: FairQueue::default(),
                last_queued: 0,
            }),
        }
    }

    /// Waits until keys may be exchanged with a peer that dialled in from this address.
    ///
    /// # Errors
    /// The address is beyond its rate, or too many wait.
    pub(crate) async fn incoming(&self, ip: IpAddr) -> Result<(), Denied> {
        self.per_address
            .take(ip, Instant::now())
            .map_err(|_| Denied::Address)?;
        self.turn(Networks::of(ip).site()).await
    }

    /// Waits until keys may be exchanged on behalf of this client.
    ///
    /// # Errors
    /// Too many wait.
    pub(crate) async fn turn(&self, client: Network) -> Result<(), Denied> {
        let place = self.enqueue(client).ok_or(Denied::Total)?;
        loop {
            match place.check(Instant::now()) {
                Turn::Now => return Ok(()),
                Turn::At(at) => sleep_until(at).await,
                Turn::Later => place.changed.notified().await,
                Turn::Never => return Err(Denied::Total),
            }
        }
    }

    fn enqueue(&self, client: Network) -> Option<QueuePlace<'_>> {
        let mut total = lock(&self.total);
        total.last_queued += 1;
        let number = total.last_queued;
        let changed = total.queue.join(client, number, MAX_WAITING)?;
        Some(QueuePlace {
            total: &self.total,
            client,
            number,
            changed,
        })
    }
}

impl QueuePlace<'_> {
    fn check(&self, now: Instant) -> Turn {
        let mut total = lock(self.total);
        if total.queue.front() != Some(self.number) {
            return if total.queue.holds(self.client, self.number) {
                Turn::Later
            } else {
                Turn::Never
            };
        }
        match total.rate.take(now) {
            Ok(()) => {
                total.queue.advance();
                Turn::Now
            }
            Err(at) => Turn::At(at),
        }
    }
}

impl Drop for QueuePlace<'_> {
    fn drop(&mut self) {
        lock(self.total).queue.leave(self.client, self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::task::JoinSet;

    use super::*;

    fn limited(total: u32, each: u32) -> Arc<KeyExchanges> {
        Arc::new(KeyExchanges::new(&Limits {
            encrypted_handshakes: total,
            encrypted_handshakes_per_address: each,
            ..Limits::default()
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_take_turns_however_many_exchanges_each_of_them_begins() {
        let exchanges = limited(10, 100);
        let mut waiting = JoinSet::new();
        // Ten addresses of an attacker begin ten exchanges each, and then a peer begins one.
        for ip in (0..100).map(|n| [10, 0, 0, n % 10]).chain([[192, 0, 2, 1]]) {
            let exchanges = Arc::clone(&exchanges);
            waiting.spawn(async move {
                exchanges.incoming(ip.into()).await.unwrap();
                ip
            });
        }
        let (begun, mut before) = (Instant::now(), 0);
        while let Some(Ok(ip)) = waiting.join_next().await {
            before += usize::from(ip != [192, 0, 2, 1]);
            if ip == [192, 0, 2, 1] {
                break;
            }
        }
        assert!(before <= 10 + 10, "{before} came first: a burst and a turn");
        waiting.join_all().await;
        let took = begun.elapsed();
        assert!(took.as_millis() >= 9000, "101 exchanges took {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_beyond_its_rate_is_refused_and_takes_nothing_from_others() {
        let exchanges = limited(6, 1);
        let ip = [192, 0, 2, 1].into();
        for _ in 0..5 {
            exchanges.incoming(ip).await.unwrap();
        }
        assert_eq!(exchanges.incoming(ip).await, Err(Denied::Address));
        let begun = Instant::now();
        exchanges.incoming([192, 0, 2, 2].into()).await.unwrap();
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert!(lock(&exchanges.total).queue.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_exchange_that_no_longer_waits_gives_its_turn_to_the_next() {
        let exchanges = limited(1, 100);
        let client = |last: u8| Networks::of([192, 0, 2, last].into()).site();
        exchanges.turn(client(1)).await.unwrap();
        let given_up = tokio::time::timeout(Duration::from_millis(1), exchanges.turn(client(2)));
        let next = exchanges.turn(client(3));
        let begun = Instant::now();
        let (given_up, next) = tokio::join!(given_up, next);
        assert!(given_up.is_err() && next.is_ok());
        assert!(begun.elapsed() <= Duration::from_millis(1002));
    }
}
