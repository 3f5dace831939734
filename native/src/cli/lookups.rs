//! `--peer`: host names are resolved in separate tasks, so that nothing waits for a resolver.

use std::future::pending;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use aqueduct_core::discovery::url::Host;
use aqueduct_core::types::visible;
use aqueduct_native::net::{NetError, Outbound, OwnUser, Purpose, Target};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::network::Network;
use super::values::HostPort;
use crate::ui::failure::{Class, Failure};

/// The delay before a name that was not found is resolved again, since the network may not have
/// been up.
const AGAIN: Duration = Duration::from_secs(60);

/// The outcome of a lookup.
#[derive(Debug)]
pub(crate) enum Found {
    Addrs(Vec<SocketAddr>),
    /// The first failure of a name; further ones are not reported.
    NotFound {
        host: String,
        error: NetError,
    },
}

/// Lookups under way.
#[derive(Debug)]
pub(crate) struct Lookups {
    found: mpsc::Receiver<Found>,
}

impl Lookups {
    /// Starts to resolve names, and returns literal addresses immediately.
    ///
    /// # Errors
    /// With a proxy no name is looked up here, and a peer is known to the engine by its address.
    pub(crate) fn start(
        peers: &[HostPort],
        network: &Network,
    ) -> Result<(Vec<SocketAddr>, Self), Failure> {
        let (sender, found) = mpsc::channel(peers.len().max(1));
        let mut addrs = Vec::new();
        for HostPort { host, port } in peers {
            match host.parse::<IpAddr>() {
                Ok(ip) => addrs.push(SocketAddr::new(ip, *port)),
                Err(_) if network.outbound.proxy().is_some() => return Err(not_proxied(host)),
                Err(_) => {
                    let outbound = network.outbound.clone();
                    tokio::spawn(look_up((host.clone(), *port), outbound, sender.clone()));
                }
            }
        }
        Ok((addrs, Self { found }))
    }

    /// The next outcome. Cancel-safe; waits forever if no lookup is in progress.
    pub(crate) async fn next(&mut self) -> Found {
        match self.found.recv().await {
            Some(found) => found,
            None => pending().await,
        }
    }
}

fn not_proxied(host: &str) -> Failure {
    let message = format!(
        "--peer {}: names of peers are not looked up with --proxy, since only this machine's name servers could do it; give the peer's address",
        visible(host)
    );
    Failure::new(Class::Usage, message)
}

async fn look_up((host, port): (String, u16), outbound: Outbound, to: mpsc::Sender<Found>) {
    let mut reported = false;
    loop {
        let error = match resolve(&host, port, &outbound).await {
            // The receiver may be gone.
            Ok(addrs) => return drop(to.send(Found::Addrs(addrs)).await),
            Err(error) => error,
        };
        if !std::mem::replace(&mut reported, true)
            && to
                .send(Found::NotFound {
                    host: host.clone(),
                    error,
                })
                .await
                .is_err()
        {
            return;
        }
        sleep(AGAIN).await;
    }
}

async fn resolve(host: &str, port: u16, outbound: &Outbound) -> Result<Vec<SocketAddr>, NetError> {
    let target = Target::new(Purpose::Peer, SocketAddr::from(([0, 0, 0, 0], port)));
    let resolver = outbound.resolver();
    resolver
        .resolve(&Host::parse(host)?, port, &OwnUser, &target)
        .await
}
