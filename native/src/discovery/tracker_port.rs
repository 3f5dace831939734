//! Datagrams to UDP trackers and from them: directly, or through a proxy that relays them.

use std::io;
use std::net::SocketAddr;

use aqueduct_core::discovery::trackers::{self, Endpoint};
use aqueduct_core::socks::Destination;
use bytes::Bytes;

use crate::net::requests::{Reply, Requests};
use crate::net::{Association, Outbound, Relayed, connect_words};

/// The sockets for UDP trackers.
#[derive(Debug)]
pub(super) enum TrackerPort {
    Direct(Box<Requests>),
    Proxied(Association),
}

impl TrackerPort {
    /// Opens what `outbound` permits.
    ///
    /// # Errors
    /// No datagram socket could be bound.
    pub(super) fn open(outbound: &Outbound) -> io::Result<Self> {
        Ok(match outbound.proxy() {
            Some(proxy) => Self::Proxied(Association::new(proxy.clone())),
            None => Self::Direct(Box::new(Requests::bind(outbound.bind())?)),
        })
    }

    /// Sends without waiting. Returns why that is impossible, if that is known at once.
    pub(super) fn send(&mut self, to: &Endpoint, bytes: &Bytes) -> Option<trackers::Input> {
        let failed = |message: String| {
            let to = to.clone();
            Some(trackers::Input::UdpFailed { to, message })
        };
        match (self, to) {
            (Self::Direct(requests), Endpoint::Addr(addr)) => match requests.send(*addr, bytes) {
                Ok(()) => None,
                Err(error) => failed(connect_words(&error)),
            },
            (Self::Direct(_), Endpoint::Name { .. }) => {
                failed("its name was not looked up".to_owned())
            }
            (Self::Proxied(association), to) => match destination(to) {
                Some(to) => {
                    association.send(to, bytes.clone());
                    None
                }
                None => failed("its name is too long for the proxy".to_owned()),
            },
        }
    }

    /// The next datagram or failure. Nothing is lost if the future is dropped.
    pub(super) async fn receive(&mut self) -> trackers::Input {
        match self {
            Self::Direct(requests) => match requests.receive().await {
                Reply::Datagram(from, bytes) => trackers::Input::UdpPacket { from, bytes },
                Reply::Failed(to, error) => failed(to.into(), connect_words(&error)),
            },
            Self::Proxied(association) => match association.receive().await {
                Relayed::Datagram(from, bytes) => trackers::Input::UdpPacket { from, bytes },
                Relayed::Failed(to, error) => failed(endpoint(to), error.to_string()),
            },
        }
    }
}

fn failed(to: Endpoint, message: String) -> trackers::Input {
    trackers::Input::UdpFailed { to, message }
}

fn destination(to: &Endpoint) -> Option<Destination> {
    match to {
        Endpoint::Addr(addr) => Some(SocketAddr::into(*addr)),
        Endpoint::Name { host, port } => Destination::name(host, *port).ok(),
    }
}

fn endpoint(to: Destination) -> Endpoint {
    match to {
        Destination::Addr(addr) => Endpoint::Addr(addr),
        Destination::Name(name, port) => Endpoint::Name {
            host: name.into(),
            port,
        },
    }
}
