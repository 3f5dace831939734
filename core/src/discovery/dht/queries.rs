//! Pending queries. Only an answer with a pending address and transaction id is accepted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::id::NodeId;
use crate::discovery::timers::Timers;
use crate::types::Instant;

/// Chosen at random, so that hosts which cannot see our datagrams cannot answer them.
type Transaction = [u8; 4];

/// Identifies a lookup.
pub(super) type LookupId = u64;

/// The time after which a query is given up; later answers are of little use.
const LOST: Duration = Duration::from_secs(5);

/// The purpose of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Checks whether the node is alive.
    Ping,
    /// A step of a lookup.
    Lookup(LookupId),
    /// Announces us as a peer.
    Announce,
}

/// A pending query.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query {
    pub(super) to: SocketAddr,
    /// The id of the queried node, if known.
    pub(super) id: Option<NodeId>,
    pub(super) purpose: Purpose,
    pub(super) sent: Instant,
    /// Whether it is late, so that others are queried instead.
    pub(super) slow: bool,
}

/// All pending queries and their timeouts.
#[derive(Debug, Default)]
pub(super) struct Queries {
    open: BTreeMap<Transaction, Query>,
    timers: Timers<Transaction>,
    trip: RoundTrip,
}

/// A query that was not answered in time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Late {
    /// Others are queried instead, but an answer would still count.
    Slow(Query),
    /// No answer is expected any more.
    Lost(Query),
}

impl Queries {
    /// Adds a query. Returns its transaction id.
    pub(super) fn open(&mut self, query: Query, rng: &mut ChaCha8Rng) -> Transaction {
        let mut transaction = rng.next_u32().to_be_bytes();
        while self.open.contains_key(&transaction) {
            transaction = rng.next_u32().to_be_bytes();
        }
        self.open.insert(transaction, query);
        let slow = query.sent + self.trip.patience();
        self.timers.set(transaction, slow);
        transaction
    }

    /// Removes the query that an answer from `from` belongs to.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        from: SocketAddr,
        transaction: &[u8],
    ) -> Option<Query> {
        let transaction = Transaction::try_from(transaction).ok()?;
        self.open
            .get(&transaction)
            .filter(|query| query.to == from)?;
        let query = self.remove(transaction)?;
        self.trip.measure(now.since(query.sent));
        Some(query)
    }

    /// When the next query is late.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next().map(|(at, _)| at)
    }

    /// Removes or marks a late query: each is slow first, then lost.
    pub(super) fn take_late(&mut self, now: Instant) -> Option<Late> {
        let transaction = self.timers.pop(now)?;
        let query = self.open.get_mut(&transaction)?;
        if std::mem::replace(&mut query.slow, true) {
            return self.remove(transaction).map(Late::Lost);
        }
        self.timers.set(transaction, query.sent + LOST);
        Some(Late::Slow(*query))
    }

    /// Removes all queries to an address.
    pub(super) fn take_all_to(&mut self, addr: SocketAddr) -> Vec<Query> {
        let lost: Vec<Transaction> = self
            .open
            .iter()
            .filter(|(_, query)| query.to == addr)
            .map(|(transaction, _)| *transaction)
            .collect();
        lost.into_iter()
            .filter_map(|transaction| self.remove(transaction))
            .collect()
    }

    /// Whether a query to an address is pending.
    pub(super) fn is_asking(&self, addr: SocketAddr) -> bool {
        self.open.values().any(|query| query.to == addr)
    }

    /// The number of pending pings.
    pub(super) fn pings(&self) -> usize {
        self.open
            .values()
            .filter(|query| query.purpose == Purpose::Ping)
            .count()
    }

    fn remove(&mut self, transaction: Transaction) -> Option<Query> {
        self.timers.clear(transaction);
        self.open.remove(&transaction)
    }
}

/// Round-trip times of answers, estimated as in TCP (RFC 6298).
#[derive(Clone, Copy, Debug)]
struct RoundTrip {
    smooth: Duration,
    variation: Duration,
}

impl Default for RoundTrip {
    /// One second, used before anything is known.
    fn default() -> Self {
        Self {
            smooth: Duration::from_millis(400),
            variation: Duration::from_millis(150),
        }
    }
}

impl RoundTrip {
    fn measure(&mut self, trip: Duration) {
        self.variation = (self.variation * 3 + self.smooth.abs_diff(trip)) / 4;
        self.smooth = (self.smooth * 7 + trip) / 8;
    }

    /// The time after which a node counts as slow.
    fn patience(&self) -> Duration {
        (self.smooth + self.variation * 4).clamp(Duration::from_millis(200), Duration::from_secs(2))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn query(to: &str) -> Query {
        Query {
            to: to.parse().unwrap(),
            id: None,
            purpose: Purpose::Ping,
            sent: Instant::ZERO,
            slow: false,
        }
    }

    #[test]
    fn only_the_asked_address_with_the_right_transaction_is_heard_and_once() {
        let (mut queries, mut rng) = (Queries::default(), ChaCha8Rng::from_seed([1; 32]));
        let transaction = queries.open(query("1.2.3.4:5"), &mut rng);
        let now = Instant::ZERO;
        assert!(
            queries
                .answered(now, "1.2.3.4:6".parse().unwrap(), &transaction)
                .is_none()
        );
        assert!(
            queries
                .answered(now, "1.2.3.5:5".parse().unwrap(), &transaction)
                .is_none()
        );
        assert!(
            queries
                .answered(now, "1.2.3.4:5".parse().unwrap(), &transaction[..3])
                .is_none()
        );
        assert!(
            queries
                .answered(now, "1.2.3.4:5".parse().unwrap(), &transaction)
                .is_some()
        );
        assert!(
            queries
                .answered(now, "1.2.3.4:5".parse().unwrap(), &transaction)
                .is_none()
        );
    }

    #[test]
    fn a_question_is_slow_first_and_then_lost() {
        let (mut queries, mut rng) = (Queries::default(), ChaCha8Rng::from_seed([1; 32]));
        queries.open(query("1.2.3.4:5"), &mut rng);
        let slow = queries.poll_timeout().unwrap();
        assert!(matches!(queries.take_late(slow), Some(Late::Slow(_))));
        assert!(queries.is_asking("1.2.3.4:5".parse().unwrap()));
        let lost = queries.poll_timeout().unwrap();
        assert_eq!(lost, Instant::ZERO + LOST);
        assert!(matches!(queries.take_late(lost), Some(Late::Lost(_))));
        assert!(queries.poll_timeout().is_none() && queries.pings() == 0);
    }

    #[test]
    fn patience_follows_what_answers_take() {
        let mut trip = RoundTrip::default();
        assert_eq!(trip.patience(), Duration::from_secs(1));
        (0..50).for_each(|_| trip.measure(Duration::from_millis(50)));
        assert_eq!(trip.patience(), Duration::from_millis(200));
        (0..50).for_each(|_| trip.measure(Duration::from_secs(4)));
        assert_eq!(trip.patience(), Duration::from_secs(2));
    }
}
