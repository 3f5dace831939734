//! Where our node of the DHT sends and receives.

use std::io;
use std::net::SocketAddr;

use aqueduct_core::Instant;
use aqueduct_core::utp::{Header, Resets};
use bytes::Bytes;

use crate::net::Bind;
use crate::net::udp::Sockets;
use crate::net::utp::Rest;

/// A UDP port.
#[derive(Debug)]
pub(super) enum Port {
    /// The node's own. Attempts to connect over uTP are turned away there.
    Own {
        sockets: Box<Sockets>,
        resets: Resets,
    },
    /// uTP's, too.
    Shared(Rest),
}

impl Port {
    /// The shared port, or if there is none one of the node's own: that of this number, or if it is
    /// taken any other.
    pub(super) fn open(shared: Option<Rest>, bind: Bind, number: u16) -> io::Result<Self> {
        Ok(match shared {
            Some(rest) => Self::Shared(rest),
            None => Self::Own {
                sockets: Box::new(Sockets::bind_at(bind, number)?),
                resets: Resets::new(),
            },
        })
    }

    pub(super) fn sockets(&self) -> &Sockets {
        match self {
            Self::Own { sockets, .. } => sockets,
            Self::Shared(rest) => &rest.sockets,
        }
    }

    /// The next datagram. Nothing is lost if the future is dropped.
    pub(super) async fn receive(&mut self) -> (SocketAddr, Bytes) {
        match self {
            Self::Own { sockets, .. } => sockets.receive().await,
            Self::Shared(rest) => rest.receive().await,
        }
    }

    /// The answer to an attempt to connect over uTP; `None`: it is none, or not ours to answer.
    pub(super) fn turn_away(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Option<[u8; Header::LENGTH]> {
        match self {
            Self::Own { resets, .. } => resets.answer(now, from, datagram),
            Self::Shared(_) => None,
        }
    }
}
