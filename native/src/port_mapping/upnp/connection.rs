//! Mapping ports by WANIPConnection and WANPPPConnection. For IPv4 only.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::control::Control;
use super::description::ServiceKind;
use super::services::Services;
use super::soap::{Action, Fault};
use crate::port_mapping::access::Access;
use crate::port_mapping::address::external;
use crate::port_mapping::failure::Failure;
use crate::port_mapping::protocol::Transport;

/// Error codes of the service (WANIPConnection 2.5).
mod code {
    pub(super) const NO_SUCH_ENTRY: u16 = 714;
    pub(super) const CONFLICT: u16 = 718;
    pub(super) const SAME_PORT_REQUIRED: u16 = 724;
    pub(super) const ONLY_PERMANENT: u16 = 725;
    pub(super) const CONFLICT_WITH_OTHER_MECHANISM: u16 = 729;
}

/// A gateway that maps ports.
#[derive(Debug)]
pub(in crate::port_mapping) struct Connection {
    control: Control,
    /// The gateway's address on the internet.
    address: Option<IpAddr>,
    /// Whether the gateway makes only mappings that do not lapse.
    permanent: bool,
}

impl Connection {
    /// Searches for the gateway, reads its description, and asks for its external address: the
    /// first service that is connected to the internet is used.
    pub(in crate::port_mapping) async fn find(
        access: Access,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let mut services = Services::search(access, ServiceKind::Connection, deadline)?;
        let mut failure = None;
        loop {
            let control = services.next(failure.take()).await?;
            match Self::of(control, deadline).await {
                Ok(found) => return Ok(found),
                Err(error) => failure = Some(error),
            }
        }
    }

    async fn of(control: Control, deadline: Instant) -> Result<Self, Failure> {
        let mut found = Self {
            control,
            address: None,
            permanent: false,
        };
        found.address = Some(found.ask_address(deadline).await?);
        Ok(found)
    }

    pub(in crate::port_mapping) const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    async fn ask_address(&self, deadline: Instant) -> Result<IpAddr, Failure> {
        let action = Action::new("GetExternalIPAddress");
        let answer = self.control.call(&action, deadline).await?;
        let text = answer.field("NewExternalIPAddress").unwrap_or_default();
        // A gateway that is not connected leaves it out.
        if text.is_empty() {
            return Err(Failure::Offline);
        }
        let address = text
            .parse()
            .map_err(|_| Failure::invalid(&format!("external address {text}")))?;
        external(address)
    }

    /// Maps or renews. Returns the lifetime; `None`: it does not lapse.
    pub(in crate::port_mapping) async fn map(
        &mut self,
        transport: Transport,
        internal: u16,
        external: u16,
    ) -> Result<Option<Duration>, Failure> {
        let lifetime = self.control.access.timing.lifetime;
        let asked = if self.permanent {
            0
        } else {
            lifetime.as_secs()
        };
        let added = self.add(transport, internal, external, asked).await;
        match added {
            Err(Fault::Code(code::ONLY_PERMANENT, _)) if !self.permanent => {
                self.permanent = true;
                self.add(transport, internal, external, 0)
                    .await
                    .map_err(|fault| conflict_or(fault, external))?;
            }
            // It maps only equal ports; ours is the only one then.
            Err(Fault::Code(code::SAME_PORT_REQUIRED, words)) => {
                return Err(Failure::refused(&format!("{words} (724)")));
            }
            other => other.map_err(|fault| conflict_or(fault, external))?,
        }
        Ok((!self.permanent).then_some(lifetime))
    }

    async fn add(
        &self,
        transport: Transport,
        internal: u16,
        external: u16,
        lifetime: u64,
    ) -> Result<(), Fault> {
        let action = Action::new("AddPortMapping")
            .with("NewRemoteHost", "")
            .with("NewExternalPort", external)
            .with("NewProtocol", transport)
            .with("NewInternalPort", internal)
            .with("NewInternalClient", self.control.access.gateway.ours)
            .with("NewEnabled", 1)
            .with("NewPortMappingDescription", "Aqueduct")
            .with("NewLeaseDuration", lifetime);
        self.control
            .call(&action, self.control.deadline())
            .await
            .map(|_| ())
    }

    /// Removes a mapping. One that is gone already counts as removed.
    pub(in crate::port_mapping) async fn unmap(
        &self,
        transport: Transport,
        external: u16,
    ) -> Result<(), Failure> {
        let action = Action::new("DeletePortMapping")
            .with("NewRemoteHost", "")
            .with("NewExternalPort", external)
            .with("NewProtocol", transport);
        match self.control.call(&action, self.control.deadline()).await {
            Ok(_) | Err(Fault::Code(code::NO_SUCH_ENTRY, _)) => Ok(()),
            Err(fault) => Err(fault.into()),
        }
    }
}

/// A fault of a mapping at a port that may be in use.
fn conflict_or(fault: Fault, external: u16) -> Failure {
    match fault {
        Fault::Code(code::CONFLICT | code::CONFLICT_WITH_OTHER_MECHANISM, _) => {
            Failure::Conflict(external)
        }
        fault => fault.into(),
    }
}
