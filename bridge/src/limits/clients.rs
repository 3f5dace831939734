//! Limits on sessions: in total, and per address.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use aqueduct_core::net::Limit;
use aqueduct_core::tunnel::Refusal;
use tokio::time::Instant;

use crate::limits::Limits;
use crate::limits::address_rate::AddressRate;
use crate::limits::quota::{Quota, Share};
use crate::sync::lock;

/// Sessions in all and by client address.
#[derive(Debug)]
pub(crate) struct Clients {
    limit: usize,
    open: Mutex<usize>,
    by_address: Arc<Quota>,
    new_sessions: AddressRate,
    /// Joins of all sessions of an address, so that a client that opens one session after another
    /// does not get a fresh budget for each.
    joins: AddressRate,
}

/// A session's slot, which is freed when this is dropped.
#[derive(Debug)]
pub(crate) struct SessionPlace {
    clients: Arc<Clients>,
    ip: IpAddr,
    _share: Share,
}

impl Clients {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        let (each, per_site) = (limits.sessions_per_address, limits.addresses_per_site);
        let new_sessions = Limit::per_second(limits.new_sessions_per_address.into());
        let joins = Limit::per_minute(limits.joins_per_minute.into())
            .with_burst(limits.joins_per_session.into())
            .times(each.into());
        Arc::new(Self {
            limit: limits.sessions,
            open: Mutex::default(),
            by_address: Quota::new(each, per_site),
            new_sessions: AddressRate::new(new_sessions, per_site),
            joins: AddressRate::new(joins, per_site),
        })
    }

    /// Whether all slots are in use.
    pub(crate) fn are_full(&self) -> bool {
        *lock(&self.open) >= self.limit
    }

    /// A slot for one more session from this address.
    ///
    /// # Errors
    /// All slots, or all those of the address or its site, are in use.
    pub(crate) fn admit(self: &Arc<Self>, ip: IpAddr) -> Result<SessionPlace, Refusal> {
        // Checked and taken under one lock, so that concurrent sessions cannot exceed the limit.
        let mut open = lock(&self.open);
        if *open >= self.limit {
            return Err(Refusal::Full);
        }
        let share = self.by_address.take(ip).ok_or(Refusal::Address)?;
        self.new_sessions
            .take(ip, Instant::now())
            .map_err(|_| Refusal::Address)?;
        *open += 1;
        Ok(SessionPlace {
            clients: Arc::clone(self),
            ip,
            _share: share,
        })
    }
}

impl SessionPlace {
    /// Takes one join off the budget of all sessions of this address and its site.
    ///
    /// # Errors
    /// There is none left; the time is when there will be one.
    pub(crate) fn take_join(&self, now: Instant) -> Result<(), Instant> {
        self.clients.joins.take(self.ip, now)
    }
}

impl Drop for SessionPlace {
    fn drop(&mut self) {
        let mut open = lock(&self.clients.open);
        *open = open.saturating_sub(1);
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
            .filter_map(|last| clients.admit(ip(last)).ok())
            .collect();
        assert_eq!(places.len(), 4, "four at once");
        tokio::time::advance(Duration::from_secs(2)).await;
        places.extend((0..6).filter_map(|last| clients.admit(ip(last)).ok()));
        assert_eq!(places.len(), 8);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(
            clients.admit(ip(9)).unwrap_err(),
            Refusal::Address,
            "eight at a time"
        );
        places.pop();
        assert!(clients.admit(ip(9)).is_ok());
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
            let place = clients.admit("9.9.9.9".parse().unwrap()).unwrap();
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
            places.extend((0..20).filter_map(|network| clients.admit(ip(1, network)).ok()));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(places.len(), 32);
        assert!(
            clients.admit(ip(2, 0)).is_ok(),
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
            .map(|last| clients.admit(ip(last)).unwrap())
            .collect();
        assert_eq!(clients.admit(ip(3)).unwrap_err(), Refusal::Full);
        drop(places);
        assert!(clients.admit(ip(3)).is_ok());
    }
}
