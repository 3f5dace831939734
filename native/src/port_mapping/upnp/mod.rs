//! UPnP's Internet Gateway Device: the gateway is found by a search (SSDP), describes its services
//! in XML over HTTP, and maps ports by SOAP calls. For IPv4 only: the service that opens pinholes for
//! IPv6 (WANIPv6FirewallControl) is found at a global address of the gateway, which cannot be told
//! apart from another device's, as the default route names a link-local one.

mod description;
mod http;
mod search;
mod soap;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use aqueduct_core::discovery::url::{Host, Scheme, Url};
use tokio::time::Instant;

pub use self::description::{Description, Service};
use self::search::Search;
pub use self::search::read_location;
use self::soap::Action;
pub use self::soap::{Answer, Fault, read_answer};
use super::access::Access;
use super::address::external;
use super::failure::{Failure, shown};
use super::protocol::Transport;

/// The maximum number of descriptions that are fetched from one gateway.
const MAX_DESCRIPTIONS: usize = 4;
/// The maximum number of its services that are asked.
const MAX_SERVICES: usize = 4;

/// Error codes of the service (WANIPConnection 2.5).
mod code {
    pub(super) const NO_SUCH_ENTRY: u16 = 714;
    pub(super) const CONFLICT: u16 = 718;
    pub(super) const SAME_PORT_REQUIRED: u16 = 724;
    pub(super) const ONLY_PERMANENT: u16 = 725;
    pub(super) const CONFLICT_WITH_OTHER_MECHANISM: u16 = 729;
}

/// A gateway that maps ports by UPnP.
#[derive(Debug)]
pub(super) struct Upnp {
    access: Access,
    service: Service,
    /// Path and port of the service's control URL, which is at the gateway's address.
    place: Place,
    /// The gateway's address on the internet.
    address: Option<IpAddr>,
    /// Whether the gateway makes only mappings that do not lapse.
    permanent: bool,
}

/// A place at the gateway: the port and what follows it in the URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The port number.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

impl Place {
    /// The place of a URL, which must lead to `gateway` over http. Nothing else is contacted,
    /// whatever a description says.
    fn at(gateway: IpAddr, url: &Url) -> Result<Self, Failure> {
        let is_there = url.scheme == Scheme::Http && url.host == Host::Addr(gateway);
        is_there
            .then(|| Self {
                port: url.port,
                path: url.path_and_query.clone(),
            })
            .ok_or_else(|| Failure::Elsewhere(shown(&url.authority())))
    }
}

impl Upnp {
    /// Searches for the gateway, reads its description, and asks for its external address.
    pub(super) async fn find(access: Access, deadline: Instant) -> Result<Self, Failure> {
        let mut search = Search::start(access, deadline)?;
        let mut failure = Failure::Silent;
        for _ in 0..MAX_DESCRIPTIONS {
            let Some(url) = search.next().await? else {
                break;
            };
            match Self::at(access, &url, deadline).await {
                Ok(found) => return Ok(found),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// The first service of a description that is connected to the internet.
    async fn at(access: Access, url: &Url, deadline: Instant) -> Result<Self, Failure> {
        let place = Place::at(access.gateway.ip(), url)?;
        let body = http::get(&access, &place, deadline).await?;
        let description = Description::parse(&body)?;
        let mut failure = Failure::invalid("its description names no service that maps ports");
        for service in description.services().take(MAX_SERVICES) {
            match Self::of(access, url, &description, service, deadline).await {
                Ok(found) => return Ok(found),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn of(
        access: Access,
        url: &Url,
        description: &Description,
        service: &Service,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let mut found = Self {
            access,
            service: service.clone(),
            place: description.place(access.gateway.ip(), url, service)?,
            address: None,
            permanent: false,
        };
        found.address = Some(found.ask_address(deadline).await?);
        Ok(found)
    }

    pub(super) const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    async fn ask_address(&self, deadline: Instant) -> Result<IpAddr, Failure> {
        let action = Action::new("GetExternalIPAddress");
        let answer = self.call(&action, deadline).await?;
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
    pub(super) async fn map(
        &mut self,
        transport: Transport,
        internal: u16,
        external: u16,
    ) -> Result<Option<Duration>, Failure> {
        let lifetime = self.access.timing.lifetime;
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
            .with("NewInternalClient", self.access.gateway.ours)
            .with("NewEnabled", 1)
            .with("NewPortMappingDescription", "Aqueduct")
            .with("NewLeaseDuration", lifetime);
        self.call(&action, self.deadline()).await.map(|_| ())
    }

    /// Removes a mapping. One that is gone already counts as removed.
    pub(super) async fn unmap(&self, transport: Transport, external: u16) -> Result<(), Failure> {
        let action = Action::new("DeletePortMapping")
            .with("NewRemoteHost", "")
            .with("NewExternalPort", external)
            .with("NewProtocol", transport);
        match self.call(&action, self.deadline()).await {
            Ok(_) | Err(Fault::Code(code::NO_SUCH_ENTRY, _)) => Ok(()),
            Err(fault) => Err(fault.into()),
        }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.access.timing.request
    }

    async fn call(&self, action: &Action, deadline: Instant) -> Result<Answer, Fault> {
        let service = &self.service.name;
        let body = action.envelope(service);
        let name = action.header(service);
        let (is_ok, body) = http::post(&self.access, &self.place, &name, body, deadline).await?;
        read_answer(&body, is_ok)
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

/// Where a search's answer says that the description is.
fn description_url(gateway: SocketAddr, location: &str) -> Result<Url, Failure> {
    let url = Url::parse(location)
        .map_err(|error| Failure::Invalid(format!("address of its description: {error}")))?;
    Place::at(gateway.ip(), &url).map(|_| url)
}
