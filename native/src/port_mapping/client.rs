//! A gateway that answered, by one of the protocols.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::access::Access;
use super::address::external;
use super::exchange::ask;
use super::failure::Failure;
use super::pcp::Nonce;
use super::protocol::{Protocol, Transport};
use super::upnp::{Connection, Firewall};
use super::{nat_pmp, pcp};

/// A mapping of one transport that the gateway made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) transport: Transport,
    /// Our port.
    pub(super) internal: u16,
    /// The gateway's port.
    pub(super) external: u16,
    /// How long it lasts; `None`: until it is removed.
    pub(super) lifetime: Option<Duration>,
}

/// A gateway that speaks one of the protocols.
#[derive(Debug)]
pub(super) enum Client {
    Pcp {
        nonce: Nonce,
        /// The gateway's address on the internet, once a mapping was made.
        address: Option<IpAddr>,
    },
    NatPmp {
        address: IpAddr,
    },
    Upnp(Box<Connection>),
    /// UPnP with IPv6.
    Firewall(Box<Firewall>),
}

impl Client {
    /// Asks a gateway whether it speaks a protocol, which maps nothing.
    pub(super) async fn probe(
        protocol: Protocol,
        access: Access,
        nonce: Nonce,
    ) -> Result<Self, Failure> {
        let deadline = Instant::now() + access.timing.probe;
        match protocol {
            Protocol::Pcp => {
                let question = pcp::announce(access.gateway.ours);
                let read = |bytes: &[u8]| pcp::read_announced(bytes);
                ask(&access, &question, deadline, read).await??;
                Ok(Self::Pcp {
                    nonce,
                    address: None,
                })
            }
            Protocol::NatPmp => {
                let question = nat_pmp::ADDRESS_QUESTION;
                let read = |bytes: &[u8]| nat_pmp::read_address(bytes);
                let address = ask(&access, &question, deadline, read).await??;
                let address = external(address.into())?;
                Ok(Self::NatPmp { address })
            }
            Protocol::Upnp if access.gateway.ip().is_ipv6() => {
                let found = Firewall::find(access, deadline).await?;
                Ok(Self::Firewall(Box::new(found)))
            }
            Protocol::Upnp => {
                let found = Connection::find(access, deadline).await?;
                Ok(Self::Upnp(Box::new(found)))
            }
        }
    }

    pub(super) const fn protocol(&self) -> Protocol {
        match self {
            Self::Pcp { .. } => Protocol::Pcp,
            Self::NatPmp { .. } => Protocol::NatPmp,
            Self::Upnp(_) | Self::Firewall(_) => Protocol::Upnp,
        }
    }

    /// The gateway's address on the internet, if it told us; of a pinhole, the address of ours that
    /// it leads to.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Pcp { address, .. } => *address,
            Self::NatPmp { address } => Some(*address),
            Self::Upnp(upnp) => upnp.address(),
            Self::Firewall(firewall) => Some(firewall.address()),
        }
    }

    /// Requests that `external`, or if that is in use possibly another port, is forwarded to our
    /// port `internal`; or that such a mapping is renewed.
    pub(super) async fn map(
        &mut self,
        access: &Access,
        transport: Transport,
        internal: u16,
        external: u16,
    ) -> Result<Granted, Failure> {
        let seconds = u32::try_from(access.timing.lifetime.as_secs()).unwrap_or(u32::MAX);
        let (port, lifetime) = match self {
            Self::Pcp { nonce, address } => {
                let map = pcp::Map {
                    nonce: *nonce,
                    transport,
                    internal,
                    external,
                };
                let granted = ask_pcp(access, &map, seconds).await?;
                *address = Some(external_or_ours(granted.address, access)?);
                (granted.external, granted.lifetime)
            }
            Self::NatPmp { .. } => {
                let request = nat_pmp::request(transport, internal, external, seconds);
                let granted = ask_nat_pmp(access, &request, transport, internal).await?;
                (granted.external, granted.lifetime)
            }
            Self::Upnp(upnp) => {
                let lifetime = upnp.map(transport, internal, external).await?;
                return Ok(Granted {
                    transport,
                    internal,
                    external,
                    lifetime,
                });
            }
            Self::Firewall(firewall) => {
                let lease = firewall.open(transport, internal).await?;
                return Ok(Granted {
                    transport,
                    internal,
                    external: internal,
                    lifetime: Some(lease),
                });
            }
        };
        if port == 0 || lifetime == 0 {
            let words = format!("a mapping of port {port} for {lifetime} s");
            return Err(Failure::Invalid(words));
        }
        Ok(Granted {
            transport,
            internal,
            external: port,
            lifetime: Some(Duration::from_secs(lifetime.into())),
        })
    }

    /// Removes a mapping.
    pub(super) async fn unmap(&self, access: &Access, granted: Granted) -> Result<(), Failure> {
        let Granted {
            transport,
            internal,
            external,
            ..
        } = granted;
        match self {
            Self::Pcp { nonce, .. } => {
                let map = pcp::Map {
                    nonce: *nonce,
                    transport,
                    internal,
                    external,
                };
                ask_pcp(access, &map, 0).await.map(|_| ())
            }
            Self::NatPmp { .. } => {
                let request = nat_pmp::request(transport, internal, external, 0);
                ask_nat_pmp(access, &request, transport, internal)
                    .await
                    .map(|_| ())
            }
            Self::Upnp(upnp) => upnp.unmap(transport, external).await,
            Self::Firewall(firewall) => firewall.close(transport).await,
        }
    }
}

async fn ask_pcp(access: &Access, map: &pcp::Map, lifetime: u32) -> Result<pcp::Granted, Failure> {
    let question = pcp::request(access.gateway.ours, map, lifetime);
    let deadline = Instant::now() + access.timing.request;
    let read = |bytes: &[u8]| pcp::read_granted(bytes, map);
    ask(access, &question, deadline, read).await?
}

async fn ask_nat_pmp(
    access: &Access,
    request: &[u8],
    transport: Transport,
    internal: u16,
) -> Result<nat_pmp::Granted, Failure> {
    let deadline = Instant::now() + access.timing.request;
    let read = |bytes: &[u8]| nat_pmp::read_granted(bytes, transport, internal);
    ask(access, request, deadline, read).await?
}

/// The address of a mapping: with IPv6 ours, which is not translated.
fn external_or_ours(address: IpAddr, access: &Access) -> Result<IpAddr, Failure> {
    match access.gateway.ours {
        IpAddr::V4(_) => external(address),
        ours @ IpAddr::V6(_) => Ok(ours),
    }
}
