//! `--peer`: host names are resolved in separate tasks, so that nothing waits for a resolver.

use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::values::HostPort;

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
        error: io::Error,
    },
}

/// Lookups under way.
#[derive(Debug)]
pub(crate) struct Lookups {
    found: mpsc::Receiver<Found>,
}

impl Lookups {
    /// Starts to resolve names, and returns literal addresses immediately.
    pub(crate) fn start(peers: &[HostPort]) -> (Vec<SocketAddr>, Self) {
        let (sender, found) = mpsc::channel(peers.len().max(1));
        let mut addrs = Vec::new();
        for HostPort { host, port } in peers {
            match host.parse::<IpAddr>() {
                Ok(ip) => addrs.push(SocketAddr::new(ip, *port)),
                Err(_) => drop(tokio::spawn(look_up(host.clone(), *port, sender.clone()))),
            }
        }
        (addrs, Self { found })
    }

    /// The next outcome. Cancel-safe; waits forever if no lookup is in progress.
    pub(crate) async fn next(&mut self) -> Found {
        match self.found.recv().await {
            Some(found) => found,
            None => pending().await,
        }
    }
}

async fn look_up(host: String, port: u16, to: mpsc::Sender<Found>) {
    let mut reported = false;
    loop {
        let error = match lookup_host((host.as_str(), port))
            .await
            .map(Iterator::collect::<Vec<_>>)
        {
            // The receiver may be gone.
            Ok(addrs) if !addrs.is_empty() => return drop(to.send(Found::Addrs(addrs)).await),
            Ok(_) => io::Error::other("it has no address"),
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
