//! Port mapping: asking the gateway to forward our listening port, so that peers on the internet
//! can connect to us.
//!
//! PCP (RFC 6887), NAT-PMP (RFC 6886) and UPnP IGD are tried side by side with the gateway of the
//! default route, one of each address family. Which of them the gateway speaks is found out by
//! questions that map nothing; the first that answers gets the request, and the next one if that is
//! refused. A mapping has a lifetime of 20 minutes, is renewed when half of it is over, and is
//! removed at the end. With IPv6, which PCP and UPnP serve, there is nothing to translate: a mapping
//! is a pinhole in the gateway's firewall.
//!
//! A gateway is not trusted. Only datagrams from its address are read, HTTP goes to its address
//! alone and follows no redirect, every answer has a maximum length, and every deadline is
//! absolute.

mod access;
mod address;
mod client;
mod exchange;
mod failure;
mod gateway;
mod keeper;
pub mod nat_pmp;
pub mod pcp;
mod protocol;
mod reachability;
mod restarts;
mod status;
mod timing;
pub mod upnp;

use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

pub use failure::Failure;
use keeper::Keeper;
pub use protocol::{Protocol, Transport};
pub use reachability::Reachability;
pub use status::{Mapping, State, Status};
pub use timing::{Ports, Timing};

use crate::net::Bind;

/// The settings of port mapping.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The gateway to ask; `None`: that of the default route.
    pub gateway: Option<IpAddr>,
    /// Intervals and deadlines.
    pub timing: Timing,
    /// The gateway's ports.
    pub ports: Ports,
}

/// What is to be mapped.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Our listening port.
    pub port: u16,
    /// Whether we listen there over TCP.
    pub tcp: bool,
    /// Whether we listen there over UDP.
    pub udp: bool,
}

/// What is known of our mappings. The tasks that keep them end when it is dropped; see
/// [`PortMapping::close`].
#[derive(Debug)]
pub struct PortMapping {
    status: watch::Receiver<Status>,
    closing: watch::Sender<bool>,
    keepers: JoinSet<()>,
}

impl PortMapping {
    /// Starts the tasks on the current tokio runtime: one for each address family in use.
    #[must_use]
    pub fn spawn(options: Options, bind: Bind, wanted: Wanted) -> Self {
        let (publish, status) = watch::channel(Status::default());
        let (closing, closed) = watch::channel(false);
        let mut keepers = JoinSet::new();
        for keeper in Keeper::of_families(options, bind, wanted, &publish) {
            keepers.spawn(keeper.run(closed.clone()));
        }
        Self {
            status,
            closing,
            keepers,
        }
    }

    /// The present status, and a signal of changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Removes the mappings, within `limit`. What the gateway does not confirm by then lapses with
    /// its lifetime.
    pub async fn close(mut self, limit: Duration) {
        self.closing.send_replace(true);
        let ended = async { while self.keepers.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(limit, ended).await;
    }
}
