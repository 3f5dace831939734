//! Keeps the mappings of one address family: finds the gateway, maps, renews, removes.

use std::time::Duration;

use aqueduct_core::net::is_local;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::access::Access;
use super::address::is_public;
use super::client::{Client, Granted};
use super::failure::Failure;
use super::gateway::{Family, Gateway};
use super::pcp::Nonce;
use super::protocol::{Protocol, Transport};
use super::restarts::Restarts;
use super::status::{Mapping, State, Status};
use super::{Options, Wanted};
use crate::net::Bind;
use crate::random::random;

/// How many external ports are tried until one is free for TCP and UDP.
const MAX_TRIES: u32 = 5;
/// The first of the ports that are tried when ours is in use at the gateway. Those below have other
/// uses.
const FIRST_PORT: u16 = 16_384;

/// Keeps the mappings of one address family.
#[derive(Debug)]
pub(super) struct Keeper {
    family: Family,
    options: Options,
    bind: Bind,
    wanted: Wanted,
    /// The same for all mappings of this run: a gateway changes a mapping only for its owner.
    nonce: Nonce,
    status: watch::Sender<Status>,
}

/// Mappings that a gateway made for us, at the same external port.
#[derive(Debug)]
struct Held {
    access: Access,
    client: Client,
    granted: Vec<Granted>,
}

/// Resolves when port mapping is to end. Cancel-safe.
async fn closed(closing: &mut watch::Receiver<bool>) {
    // An error means that the handle was dropped.
    let _ = closing.wait_for(|closing| *closing).await;
}

impl Keeper {
    /// A keeper for each address family in use.
    pub(super) fn of_families(
        options: Options,
        bind: Bind,
        wanted: Wanted,
        status: &watch::Sender<Status>,
    ) -> Vec<Self> {
        let families = [
            (Family::V4, bind.v4.is_some()),
            (Family::V6, bind.v6.is_some()),
        ];
        let named = options.gateway.map(|gateway| gateway.is_ipv4());
        let mut keepers = Vec::new();
        for (family, is_bound) in families {
            let is_named = named.is_none_or(|v4| v4 == (family == Family::V4));
            match random().ok().filter(|_| is_bound && is_named) {
                Some(nonce) => keepers.push(Self {
                    family,
                    options,
                    bind,
                    wanted,
                    nonce,
                    status: status.clone(),
                }),
                None => publish(status, family, State::Unused),
            }
        }
        keepers
    }

    /// Runs until it is closed, and removes the mappings then.
    pub(super) async fn run(self, mut closing: watch::Receiver<bool>) {
        let mut delay = self.options.timing.retry;
        while !*closing.borrow() {
            let Some(access) = self.access() else {
                tokio::select! {
                    () = closed(&mut closing) => return,
                    () = sleep(self.options.timing.watch) => continue,
                }
            };
            let acquired = tokio::select! {
                () = closed(&mut closing) => return,
                clients = self.probe(access) => clients,
            };
            match self.map_first(access, acquired).await {
                Ok(held) => {
                    delay = self.options.timing.retry;
                    self.keep(held, &mut closing).await;
                }
                Err(failures) => {
                    self.report(&failures);
                    self.publish(State::Failed(failures));
                    tokio::select! {
                        () = closed(&mut closing) => return,
                        () = self.gateway_changed(access.gateway) => delay = self.options.timing.retry,
                        () = sleep(delay) => delay = (delay * 2).min(self.options.timing.max_retry),
                    }
                }
            }
        }
    }

    /// The gateway to ask; `None`: there is none, or none is needed, as the status says then.
    fn access(&self) -> Option<Access> {
        let found = self.gateway();
        let ours = found.map(|gateway| gateway.ours);
        let state = match (self.family, ours) {
            (_, None) => Some(State::NoGateway),
            // Behind a named gateway there may be other networks than the default route's.
            _ if self.options.gateway.is_some() => None,
            (Family::V4, Some(ours)) => is_public(ours).then_some(State::Public(ours)),
            (Family::V6, Some(ours)) => is_local(ours).then_some(State::Unused),
        };
        if let Some(state) = state {
            self.publish(state);
            return None;
        }
        let is_v6 = self.family == Family::V6 && self.options.gateway.is_none();
        Some(Access {
            gateway: found?,
            gateway_v4: is_v6
                .then(|| Gateway::of_default_route(Family::V4, self.bind).ok())
                .flatten(),
            bind: self.bind,
            ports: self.options.ports,
            timing: self.options.timing,
            multicast: self.options.gateway.is_none(),
        })
    }

    fn gateway(&self) -> Option<Gateway> {
        let found = match self.options.gateway {
            Some(addr) => Gateway::named(addr, self.bind),
            None => Gateway::of_default_route(self.family, self.bind),
        };
        found
            .inspect_err(|error| tracing::debug!(family = ?self.family, %error, "no gateway"))
            .ok()
    }

    /// Resolves when the default route leads to another gateway, or our address changed. Cancel-safe.
    async fn gateway_changed(&self, present: Gateway) {
        loop {
            sleep(self.options.timing.watch).await;
            if self.gateway() != Some(present) {
                return;
            }
        }
    }

    /// Asks the gateway by all protocols at once which of them it speaks.
    async fn probe(&self, access: Access) -> Probes {
        let protocols: &[Protocol] = match self.family {
            Family::V4 => &[Protocol::Pcp, Protocol::NatPmp, Protocol::Upnp],
            Family::V6 => &[Protocol::Pcp, Protocol::Upnp],
        };
        let mut running = JoinSet::new();
        for &protocol in protocols {
            let nonce = self.nonce;
            running.spawn(async move { (protocol, Client::probe(protocol, access, nonce).await) });
        }
        let mut probes = Probes {
            running,
            failures: Vec::new(),
            first: None,
        };
        probes.first = probes.next().await;
        probes
    }

    /// Requests the mappings by the first protocol that the gateway speaks, and by the next one if
    /// it refuses. Never by two at a time: they would remove each other's.
    async fn map_first(
        &self,
        access: Access,
        mut probes: Probes,
    ) -> Result<Held, Vec<(Protocol, Failure)>> {
        while let Some(client) = probes.take().await {
            let protocol = client.protocol();
            match self.map(access, client).await {
                Ok(held) => return Ok(held),
                Err(failure) => probes.failures.push((protocol, failure)),
            }
        }
        probes.failures.sort_by_key(|(protocol, _)| *protocol as u8);
        Err(probes.failures)
    }

    /// Requests the mappings of all transports at one external port, ours if it is free.
    async fn map(&self, access: Access, client: Client) -> Result<Held, Failure> {
        let mut held = Held {
            access,
            client,
            granted: Vec::new(),
        };
        let mut external = self.wanted.port;
        for tries in 1..=MAX_TRIES {
            match held
                .map_all(self.wanted, external, tries == MAX_TRIES)
                .await
            {
                Ok(true) => return Ok(held),
                Ok(false) | Err(Failure::Conflict(_)) if tries < MAX_TRIES => {
                    held.unmap_all().await;
                    external = self.other_port();
                }
                Ok(_) => return Ok(held),
                Err(failure) => {
                    held.unmap_all().await;
                    return Err(failure);
                }
            }
        }
        Err(Failure::Conflict(external))
    }

    /// A port to suggest when ours is in use.
    fn other_port(&self) -> u16 {
        let bytes = random().unwrap_or(self.wanted.port.to_be_bytes());
        FIRST_PORT + u16::from_be_bytes(bytes) % (u16::MAX - FIRST_PORT)
    }

    /// Renews the mappings until one is lost or the gateway changes, or port mapping ends; then
    /// they are removed.
    async fn keep(&self, mut held: Held, closing: &mut watch::Receiver<bool>) {
        let mut restarts = Restarts::listen(&held.access);
        loop {
            self.publish(State::Mapped(held.mapping(self.wanted)));
            let renewal = Instant::now() + held.renewal();
            tokio::select! {
                () = closed(closing) => return held.unmap_all().await,
                () = self.gateway_changed(held.access.gateway) => return,
                () = restarts.heard() => {
                    tracing::debug!("the gateway restarted");
                    tokio::select! {
                        () = closed(closing) => return held.unmap_all().await,
                        () = sleep_until(renewal.min(Instant::now() + held.access.timing.pause)) => {}
                    }
                }
                () = sleep_until(renewal) => {}
            }
            if let Err(failure) = held.renew().await {
                tracing::info!(protocol = %held.client.protocol(), %failure, "the port mapping was lost");
                self.publish(State::Asking);
                return;
            }
        }
    }

    fn report(&self, failures: &[(Protocol, Failure)]) {
        for (protocol, failure) in failures {
            tracing::info!(family = ?self.family, %protocol, %failure, "the gateway mapped no port");
        }
    }

    fn publish(&self, state: State) {
        publish(&self.status, self.family, state);
    }
}

fn publish(status: &watch::Sender<Status>, family: Family, state: State) {
    status.send_if_modified(|status| {
        let present = match family {
            Family::V4 => &mut status.v4,
            Family::V6 => &mut status.v6,
        };
        let is_new = *present != state;
        *present = state;
        is_new
    });
}

/// Questions to one gateway by several protocols.
#[derive(Debug)]
struct Probes {
    running: JoinSet<(Protocol, Result<Client, Failure>)>,
    failures: Vec<(Protocol, Failure)>,
    first: Option<Client>,
}

impl Probes {
    /// The next protocol that the gateway speaks; `None`: no other.
    async fn take(&mut self) -> Option<Client> {
        match self.first.take() {
            Some(client) => Some(client),
            None => self.next().await,
        }
    }

    async fn next(&mut self) -> Option<Client> {
        while let Some(ended) = self.running.join_next().await {
            match ended {
                Ok((_, Ok(client))) => return Some(client),
                Ok((protocol, Err(failure))) => self.failures.push((protocol, failure)),
                Err(error) => tracing::debug!(%error, "a question to the gateway"),
            }
        }
        None
    }
}

impl Held {
    /// Requests the mappings at one external port. Returns whether all are at the same one; `last`:
    /// one that cannot be made is left out.
    async fn map_all(
        &mut self,
        wanted: Wanted,
        external: u16,
        last: bool,
    ) -> Result<bool, Failure> {
        let transports = [(Transport::Tcp, wanted.tcp), (Transport::Udp, wanted.udp)];
        let wanted_ones = transports.iter().filter(|(_, wanted)| *wanted);
        for &(transport, _) in wanted_ones {
            let first = self.granted.first().map(|granted| granted.external);
            let suggested = first.unwrap_or(external);
            let mapping = self
                .client
                .map(&self.access, transport, wanted.port, suggested);
            match mapping.await {
                Ok(granted) if first.is_none_or(|first| first == granted.external) => {
                    self.granted.push(granted);
                }
                Ok(granted) => {
                    self.unmap(granted).await;
                    return Ok(false);
                }
                Err(failure) if last && first.is_some() => {
                    tracing::info!(%transport, %failure, "only one transport is mapped");
                    return Ok(false);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(true)
    }

    /// Renews all mappings. A gateway that lost them makes them again, at the same port if it can.
    async fn renew(&mut self) -> Result<(), Failure> {
        for index in 0..self.granted.len() {
            let Some(present) = self.granted.get_mut(index) else {
                break;
            };
            let Granted {
                transport,
                internal,
                external,
                ..
            } = *present;
            let renewed = self
                .client
                .map(&self.access, transport, internal, external)
                .await?;
            if renewed.external != external {
                // Both transports need the same port: all begin again.
                self.unmap(renewed).await;
                return Err(Failure::Conflict(external));
            }
            *present = renewed;
        }
        Ok(())
    }

    /// The time until the mappings are renewed: half of the shortest lifetime.
    fn renewal(&self) -> Duration {
        let timing = self.access.timing;
        let lifetimes = self.granted.iter().map(|granted| granted.lifetime);
        let shortest = lifetimes
            .map(|lifetime| lifetime.unwrap_or(timing.lifetime))
            .min();
        let half = shortest.unwrap_or(timing.lifetime).min(timing.lifetime) / 2;
        half.max(timing.min_renewal)
    }

    async fn unmap_all(&mut self) {
        let granted = std::mem::take(&mut self.granted);
        let mut removals = granted.into_iter().map(|granted| self.unmap(granted));
        match (removals.next(), removals.next()) {
            (Some(one), Some(other)) => drop(tokio::join!(one, other)),
            (Some(one), None) => one.await,
            (None, _) => {}
        }
    }

    async fn unmap(&self, granted: Granted) {
        if let Err(failure) = self.client.unmap(&self.access, granted).await {
            tracing::debug!(?granted, %failure, "a port mapping was not removed");
        }
    }

    fn mapping(&self, wanted: Wanted) -> Mapping {
        let has = |transport| {
            self.granted
                .iter()
                .any(|granted| granted.transport == transport)
        };
        let missing = [(Transport::Tcp, wanted.tcp), (Transport::Udp, wanted.udp)]
            .into_iter()
            .find(|&(transport, wanted)| wanted && !has(transport));
        Mapping {
            protocol: self.client.protocol(),
            external: self.granted.first().map_or(wanted.port, |one| one.external),
            address: self.client.address(),
            missing: missing.map(|(transport, _)| transport),
        }
    }
}
