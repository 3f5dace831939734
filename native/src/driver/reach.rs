//! Whether peers can connect to us: those that did, and the mapping of our port at the gateway.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use aqueduct_core::net::is_local;
use tokio::sync::watch;

use crate::net::Bind;
use crate::port_mapping::{Options, PortMapping, Reachability, Status, Wanted};

/// The maximum number of addresses that are remembered; more are not counted.
const MAX_INCOMING: usize = 1000;

/// What is known of our reachability.
#[derive(Debug)]
pub(super) struct Reach {
    wanted: Wanted,
    /// Public addresses of peers that connected to us.
    incoming: RefCell<BTreeSet<IpAddr>>,
    /// Whether peers with other addresses connected.
    has_local: Cell<bool>,
    /// `None`: the gateway is not asked, or no longer.
    mapping: RefCell<Option<PortMapping>>,
    status: Option<watch::Receiver<Status>>,
    /// The port that is announced.
    announced: Cell<u16>,
}

impl Reach {
    /// Starts to map the listening port, unless `options` is `None`.
    pub(super) fn new(wanted: Wanted, options: Option<Options>, bind: Bind) -> Self {
        let mapping = options.map(|options| PortMapping::spawn(options, bind, wanted));
        Self {
            wanted,
            incoming: RefCell::default(),
            has_local: Cell::new(false),
            status: mapping.as_ref().map(PortMapping::status),
            mapping: RefCell::new(mapping),
            announced: Cell::new(wanted.port),
        }
    }

    /// Records a peer that connected to us and completed its handshake. One on a private network
    /// does not show that others can.
    pub(super) fn note_incoming(&self, ip: IpAddr) {
        if is_local(ip) {
            self.has_local.set(true);
            return;
        }
        let mut incoming = self.incoming.borrow_mut();
        if incoming.len() < MAX_INCOMING {
            incoming.insert(ip.to_canonical());
        }
    }

    pub(super) fn reachability(&self) -> Reachability {
        Reachability {
            wanted: self.wanted,
            incoming: self.incoming.borrow().len(),
            has_local: self.has_local.get(),
            status: self.status.as_ref().map(|status| status.borrow().clone()),
        }
    }

    /// The port at which peers on the internet reach us, once it is another one; `None`: it does
    /// not change any more. For one task alone.
    pub(super) async fn port_changed(&self) -> Option<u16> {
        let (mut status, ours) = (self.status.clone()?, self.wanted.port);
        let port = |status: &Status| status.external_port().unwrap_or(ours);
        let announced = self.announced.get();
        let changed = status.wait_for(|status| port(status) != announced);
        let port = changed.await.ok().map(|status| port(&status))?;
        self.announced.set(port);
        Some(port)
    }

    /// Removes the mapping, for at most `limit`.
    pub(super) async fn unmap(&self, limit: Duration) {
        let mapping = self.mapping.borrow_mut().take();
        if let Some(mapping) = mapping {
            mapping.close(limit).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn peers_on_private_networks_do_not_count_and_each_address_counts_once() {
        let wanted = Wanted {
            port: 6881,
            tcp: true,
            udp: true,
        };
        let reach = Reach::new(wanted, None, Bind::default());
        reach.note_incoming(IpAddr::from([127, 0, 0, 1]));
        assert_eq!(
            reach.reachability().to_string(),
            "nobody from the internet connected to port 6881 yet; no gateway is asked to map it"
        );
        for ip in [
            "192.168.1.7",
            "127.0.0.1",
            "100.64.0.1",
            "fe80::1",
            "fd00::1",
            "203.0.113.5",
            "::ffff:203.0.113.5",
            "2001:db8::7",
        ] {
            reach.note_incoming(ip.parse().unwrap());
        }
        let reachability = reach.reachability();
        assert_eq!(reachability.incoming, 2);
        assert_eq!(
            reachability.to_string(),
            "reachable: 2 peers connected to us"
        );
        assert_eq!(reach.port_changed().await, None, "nothing is mapped");
    }
}
