//! How a gateway is reached.

use super::gateway::Gateway;
use super::timing::{Ports, Timing};
use crate::net::Bind;

/// The gateway that is asked, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Access {
    pub(super) gateway: Gateway,
    /// The gateway of IPv4, whose description may contain the firewall for IPv6. Only for a gateway
    /// of IPv6 that the user did not name.
    pub(super) gateway_v4: Option<Gateway>,
    pub(super) bind: Bind,
    pub(super) ports: Ports,
    pub(super) timing: Timing,
    /// Whether the gateway is looked for in UPnP's multicast group, too: some answer only there.
    pub(super) multicast: bool,
}
