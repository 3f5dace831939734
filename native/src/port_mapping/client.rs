//! A gateway that answered, by one of the protocols.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use aqueduct_core::net::{is_local, is_usable};
use tokio::time::Instant;

use super::exchange::ask;
use super::failure::Failure;
use super::gateway::Gateway;
use super::pcp::Nonce;
use super::timing::{Ports, Timing};
use super::upnp::Upnp;
use super::{nat_pmp, pcp};
use crate::net::Bind;

/// A protocol for port mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 6887.
    Pcp,
    /// RFC 6886. For IPv4 only.
    NatPmp,
    /// UPnP's Internet Gateway Device. For IPv4 only.
    Upnp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pcp => "PCP",
            Self::NatPmp => "NAT-PMP",
            Self::Upnp => "UPnP",
        })
    }
}

/// What a mapping forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP: uTP and the DHT.
    Udp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}

/// The gateway that is asked, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) gateway: Gateway,
    pub(super) bind: Bind,
    pub(super) ports: Ports,
    pub(super) timing: Timing,
    /// Whether the gateway is looked for in UPnP's multicast group, too: some answer only there.
    pub(super) multicast: bool,
}

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
    Upnp(Box<Upnp>),
}

impl Client {
    /// Asks a gateway whether it speaks a protocol, which maps nothing.
    pub(super) async fn probe(
        protocol: Protocol,
        line: Line,
        nonce: Nonce,
    ) -> Result<Self, Failure> {
        let deadline = Instant::now() + line.timing.probe;
        match protocol {
            Protocol::Pcp => {
                let question = pcp::announce(line.gateway.ours);
                let read = |bytes: &[u8]| pcp::read_announced(bytes);
                ask(&line, &question, deadline, read).await??;
                Ok(Self::Pcp {
                    nonce,
                    address: None,
                })
            }
            Protocol::NatPmp => {
                let question = nat_pmp::ADDRESS_QUESTION;
                let read = |bytes: &[u8]| nat_pmp::read_address(bytes);
                let address = ask(&line, &question, deadline, read).await??;
                let address = external(address.into())?;
                Ok(Self::NatPmp { address })
            }
            Protocol::Upnp => {
                let found = Upnp::find(line, deadline).await?;
                Ok(Self::Upnp(Box::new(found)))
            }
        }
    }

    pub(super) const fn protocol(&self) -> Protocol {
        match self {
            Self::Pcp { .. } => Protocol::Pcp,
            Self::NatPmp { .. } => Protocol::NatPmp,
            Self::Upnp(_) => Protocol::Upnp,
        }
    }

    /// The gateway's address on the internet, if it told us.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Pcp { address, .. } => *address,
            Self::NatPmp { address } => Some(*address),
            Self::Upnp(upnp) => upnp.address(),
        }
    }

    /// Requests that `external`, or if that is in use possibly another port, is forwarded to our
    /// port `internal`; or that such a mapping is renewed.
    pub(super) async fn map(
        &mut self,
        line: &Line,
        transport: Transport,
        internal: u16,
        external: u16,
    ) -> Result<Granted, Failure> {
        let seconds = u32::try_from(line.timing.lifetime.as_secs()).unwrap_or(u32::MAX);
        let (port, lifetime) = match self {
            Self::Pcp { nonce, address } => {
                let map = pcp::Map {
                    nonce: *nonce,
                    transport,
                    internal,
                    external,
                };
                let granted = ask_pcp(line, &map, seconds).await?;
                *address = Some(external_or_ours(granted.address, line)?);
                (granted.external, granted.lifetime)
            }
            Self::NatPmp { .. } => {
                let request = nat_pmp::request(transport, internal, external, seconds);
                let granted = ask_nat_pmp(line, &request, transport, internal).await?;
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
    pub(super) async fn unmap(&self, line: &Line, granted: Granted) -> Result<(), Failure> {
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
                ask_pcp(line, &map, 0).await.map(|_| ())
            }
            Self::NatPmp { .. } => {
                let request = nat_pmp::request(transport, internal, external, 0);
                ask_nat_pmp(line, &request, transport, internal)
                    .await
                    .map(|_| ())
            }
            Self::Upnp(upnp) => upnp.unmap(transport, external).await,
        }
    }
}

async fn ask_pcp(line: &Line, map: &pcp::Map, lifetime: u32) -> Result<pcp::Granted, Failure> {
    let question = pcp::request(line.gateway.ours, map, lifetime);
    let deadline = Instant::now() + line.timing.request;
    let read = |bytes: &[u8]| pcp::read_granted(bytes, map);
    ask(line, &question, deadline, read).await?
}

async fn ask_nat_pmp(
    line: &Line,
    request: &[u8],
    transport: Transport,
    internal: u16,
) -> Result<nat_pmp::Granted, Failure> {
    let deadline = Instant::now() + line.timing.request;
    let read = |bytes: &[u8]| nat_pmp::read_granted(bytes, transport, internal);
    ask(line, request, deadline, read).await?
}

/// The address of a mapping: with IPv6 ours, which is not translated.
fn external_or_ours(address: IpAddr, line: &Line) -> Result<IpAddr, Failure> {
    match line.gateway.ours {
        IpAddr::V4(_) => external(address),
        ours @ IpAddr::V6(_) => Ok(ours),
    }
}

/// An external address that a gateway can have. Private ones are possible: the gateway is behind
/// another one.
pub(super) fn external(address: IpAddr) -> Result<IpAddr, Failure> {
    if address.is_unspecified() {
        return Err(Failure::Offline);
    }
    let is_possible = is_usable((address, 1).into()) && !address.is_loopback();
    is_possible
        .then_some(address)
        .ok_or(Failure::Address(address))
}

/// Whether peers on the internet can reach an address.
pub(super) const fn is_public(address: IpAddr) -> bool {
    !is_local(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_address_that_no_gateway_can_have_is_refused_and_a_private_one_is_told_apart() {
        let of = |text: &str| external(text.parse().unwrap());
        assert_eq!(of("0.0.0.0"), Err(Failure::Offline));
        for impossible in ["224.0.0.1", "255.255.255.255", "127.0.0.1", "0.1.2.3"] {
            assert!(
                matches!(of(impossible), Err(Failure::Address(_))),
                "{impossible}"
            );
        }
        for private in ["10.0.0.1", "100.64.0.1", "192.168.1.1", "169.254.0.1"] {
            assert!(of(private).is_ok_and(|address| !is_public(address)));
        }
        assert!(of("203.0.113.9").is_ok_and(is_public));
    }
}
