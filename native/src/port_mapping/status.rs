//! What is known of our mappings.

use std::net::IpAddr;

use super::failure::Failure;
use super::protocol::{Protocol, Transport};

/// The state of the mappings of both address families.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// IPv4.
    pub v4: State,
    /// IPv6.
    pub v6: State,
}

impl Status {
    /// The port at which peers on the internet reach us, if a gateway forwards another one than our
    /// listening port.
    #[must_use]
    pub const fn external_port(&self) -> Option<u16> {
        match &self.v4 {
            State::Mapped(mapping) => Some(mapping.external),
            _ => None,
        }
    }
}

/// The state of the mappings of one address family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// The gateway is being asked.
    #[default]
    Asking,
    /// The family is not in use, or the machine has no address of it that peers could reach.
    Unused,
    /// Our address is public, so that no gateway translates it.
    Public(IpAddr),
    /// There is no gateway in the default route.
    NoGateway,
    /// The port is mapped.
    Mapped(Mapping),
    /// The gateway maps nothing; for each protocol the reason.
    Failed(Vec<(Protocol, Failure)>),
}

/// A mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// How it was requested.
    pub protocol: Protocol,
    /// The gateway's port that is forwarded to ours.
    pub external: u16,
    /// The gateway's address on the internet, as it claims.
    pub address: Option<IpAddr>,
    /// The transport that could not be mapped, if one.
    pub missing: Option<Transport>,
}
