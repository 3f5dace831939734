//! Sessions: how many there may be, and how many of them from one address.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use aqueduct_core::tunnel::Refusal;
use tokio::time::Instant;

use crate::limits::Limits;
use crate::limits::bucket::{Bucket, Table, lock};
use crate::limits::network::{Network, Networks};

/// Sessions in all and by client address.
#[derive(Debug)]
pub(crate) struct Clients {
    most: usize,
    each: u32,
    per_second: u32,
    /// Joins a second of all sessions of an address, and at once: whoever opens a session after the
    /// other must not begin with a fresh budget.
    joins: (f64, u32),
    per_site: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sessions: usize,
    by_network: Table<Network, Client>,
}

#[derive(Debug)]
struct Client {
    sessions: u32,
    arrivals: Bucket,
    joins: Bucket,
}

/// A session's place; free again when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    clients: Arc<Clients>,
    networks: Networks,
}

impl Clients {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        let (each, per_second) = (limits.sessions_per_address, limits.new_sessions_per_address);
        let rate = f64::from(limits.joins_per_minute) / 60.0 * f64::from(each);
        let joins = (rate, each.saturating_mul(limits.joins_per_session.into()));
        Arc::new(Self {
            most: limits.sessions,
            each,
            per_second,
            joins,
            per_site: limits.addresses_per_site,
            state: Mutex::default(),
        })
    }

    /// Whether all places are taken.
    pub(crate) fn are_full(&self) -> bool {
        lock(&self.state).sessions >= self.most
    }

    /// A place for one more session from this address.
    ///
    /// # Errors
    /// All places are taken, or all that the address or its site may have.
    pub(crate) fn enter(self: &Arc<Self>, ip: IpAddr) -> Result<Place, Refusal> {
        let (networks, now) = (Networks::of(ip), Instant::now());
        let mut state = lock(&self.state);
        // Looked at and taken under one lock, so that no rush passes the limit.
        if state.sessions >= self.most {
            return Err(Refusal::Full);
        }
        let by_network = &mut state.by_network;
        by_network.sweep(|_, client| {
            client.sessions > 0 || !client.arrivals.is_full(now) || !client.joins.is_full(now)
        });
        for (network, shares) in networks.shares(self.per_site) {
            let client = by_network
                .entries
                .entry(network)
                .or_insert_with(|| self.client(shares, now));
            if client.sessions >= self.each.saturating_mul(shares)
                || client.arrivals.check(now).is_err()
            {
                return Err(Refusal::Address);
            }
        }
        for (network, _) in networks.shares(self.per_site) {
            if let Some(client) = by_network.entries.get_mut(&network) {
                let _ = client.arrivals.take(now);
                client.sessions += 1;
            }
        }
        state.sessions += 1;
        Ok(Place {
            clients: Arc::clone(self),
            networks,
        })
    }

    fn client(&self, shares: u32, now: Instant) -> Client {
        let (rate, burst) = self.joins;
        Client {
            sessions: 0,
            arrivals: Bucket::new(self.per_second.saturating_mul(shares), now),
            joins: Bucket::with_burst(rate * f64::from(shares), burst.saturating_mul(shares), now),
        }
    }
}

impl Place {
    /// Takes one join off the budget of all sessions of this address and its site.
    ///
    /// # Errors
    /// There is none left; says when there will be one.
    pub(crate) fn take_join(&self, now: Instant) -> Result<(), Instant> {
        let mut state = lock(&self.clients.state);
        let shares = self.networks.shares(self.clients.per_site);
        let entries = &mut state.by_network.entries;
        let refused = shares
            .clone()
            .filter_map(|(network, _)| entries.get_mut(&network)?.joins.check(now).err())
            .max();
        if let Some(at) = refused {
            return Err(at);
        }
        for (network, _) in shares {
            let _ = entries
                .get_mut(&network)
                .map(|client| client.joins.take(now));
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = lock(&self.clients.state);
        state.sessions = state.sessions.saturating_sub(1);
        for (network, _) in self.networks.shares(self.clients.per_site) {
            if let Some(client) = state.by_network.entries.get_mut(&network) {
                client.sessions = client.sessions.saturating_sub(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_network_has_eight_sessions_and_four_new_ones_a_second() {
        let clients = Clients::new(&Limits::default());
        let ip = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        let mut places: Vec<_> = (0..6)
            .filter_map(|last| clients.enter(ip(last)).ok())
            .collect();
        assert_eq!(places.len(), 4, "four at once");
        tokio::time::advance(Duration::from_secs(2)).await;
        places.extend((0..6).filter_map(|last| clients.enter(ip(last)).ok()));
        assert_eq!(places.len(), 8);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(
            clients.enter(ip(9)).unwrap_err(),
            Refusal::Address,
            "eight at a time"
        );
        places.pop();
        assert!(clients.enter(ip(9)).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_session_has_no_fresh_budget_of_joins() {
        let limits = Limits {
            sessions_per_address: 2,
            joins_per_session: 5,
            joins_per_minute: 30,
            ..Limits::default()
        };
        let clients = Clients::new(&limits);
        let joins = |clients: &Arc<Clients>| {
            let place = clients.enter("9.9.9.9".parse().unwrap()).unwrap();
            (0..100)
                .filter(|_| place.take_join(Instant::now()).is_ok())
                .count()
        };
        assert_eq!(
            (joins(&clients), joins(&clients)),
            (10, 0),
            "as many as two sessions may have"
        );
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(joins(&clients), 3, "thirty a minute, twice");
    }

    #[tokio::test(start_paused = true)]
    async fn twenty_networks_of_one_site_have_the_sessions_of_four() {
        let clients = Clients::new(&Limits::default());
        let ip = |site: u16, network: u16| IpAddr::from([0x2001, 0xdb8, site, network, 0, 0, 0, 1]);
        let mut places = Vec::new();
        for _ in 0..5 {
            places.extend((0..20).filter_map(|network| clients.enter(ip(1, network)).ok()));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(places.len(), 32);
        assert!(
            clients.enter(ip(2, 0)).is_ok(),
            "another site is not concerned"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn all_sessions_together_have_a_limit_of_their_own() {
        let clients = Clients::new(&Limits {
            sessions: 2,
            ..Limits::default()
        });
        let ip = |last: u8| IpAddr::from([192, 0, 2, last]);
        let places: Vec<_> = (1..=2)
            .map(|last| clients.enter(ip(last)).unwrap())
            .collect();
        assert_eq!(clients.enter(ip(3)).unwrap_err(), Refusal::Full);
        drop(places);
        assert!(clients.enter(ip(3)).is_ok());
    }
}
