//! UPnP's Internet Gateway Device: the gateway is found by a search (SSDP), describes its services
//! in XML over HTTP, and is asked by SOAP calls: to map ports (`connection`), or to open pinholes
//! in its firewall for IPv6 (`firewall`).
//!
//! Only the gateway's address is contacted. With IPv6 that is the link-local one of the default
//! route, while descriptions name a global one, of which nobody can tell whose it is. So of an
//! address that is literal IPv6 only port and path are used.

mod connection;
mod control;
mod description;
mod firewall;
mod http;
mod search;
mod services;
mod soap;

use std::net::{IpAddr, SocketAddr};

use aqueduct_core::discovery::url::{Host, Scheme, Url};

pub(super) use self::connection::Connection;
pub use self::description::{Description, Service, ServiceKind};
pub(super) use self::firewall::Firewall;
pub use self::firewall::{read_number, read_status};
pub use self::search::read_location;
pub use self::soap::{Answer, Fault, read_answer};
use super::failure::{Failure, shown};

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
    /// whatever a description says: with IPv6 the URL's address may be another one of the gateway,
    /// and is replaced by `gateway`.
    fn at(gateway: IpAddr, url: &Url) -> Result<Self, Failure> {
        let is_there = match &url.host {
            Host::Addr(ip) if gateway.is_ipv6() => ip.is_ipv6(),
            Host::Addr(ip) => *ip == gateway,
            Host::Name(_) => false,
        };
        (is_there && url.scheme == Scheme::Http)
            .then(|| Self {
                port: url.port,
                path: url.path_and_query.clone(),
            })
            .ok_or_else(|| Failure::Elsewhere(shown(&url.authority())))
    }
}

/// Where a search's answer says that the description is.
fn description_url(gateway: SocketAddr, location: &str) -> Result<Url, Failure> {
    let url = Url::parse(location)
        .map_err(|error| Failure::Invalid(format!("address of its description: {error}")))?;
    Place::at(gateway.ip(), &url).map(|_| url)
}
