//! The UDP port of our DHT node. Its number is that of our listening port, which it shares with uTP
//! unless that is off.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use aqueduct_core::Instant;
use aqueduct_core::utp::Resets;
use bytes::Bytes;

use crate::net::udp::Sockets;
use crate::net::utp::Rest;
use crate::net::{Bind, Policy, Purpose, Target};

/// The port, and the policy on the addresses to which the node sends.
#[derive(Debug)]
pub(crate) struct NodePort {
    port: Port,
    policy: Arc<dyn Policy>,
    opened: tokio::time::Instant,
}

#[derive(Debug)]
enum Port {
    /// The node's own. Attempts to connect over uTP are turned away there.
    Own {
        sockets: Box<Sockets>,
        resets: Resets,
    },
    /// uTP's, too.
    Shared(Rest),
}

impl NodePort {
    /// The shared port, or if there is none one of the node's own: that of this number, or if it is
    /// in use any other.
    pub(super) fn open(
        shared: Option<Rest>,
        bind: Bind,
        number: u16,
        policy: Arc<dyn Policy>,
    ) -> io::Result<Self> {
        let port = match shared {
            Some(rest) => Port::Shared(rest),
            None => Port::Own {
                sockets: Box::new(Sockets::bind_at(bind, number)?),
                resets: Resets::new(),
            },
        };
        let opened = tokio::time::Instant::now();
        Ok(Self {
            port,
            policy,
            opened,
        })
    }

    /// The sockets of the port.
    pub(crate) fn sockets(&self) -> &Sockets {
        match &self.port {
            Port::Own { sockets, .. } => sockets,
            Port::Shared(rest) => &rest.sockets,
        }
    }

    /// The next datagram that is not uTP's. Nothing is lost if the future is dropped.
    pub(super) async fn receive(&mut self) -> (SocketAddr, Bytes) {
        loop {
            let (from, bytes) = match &mut self.port {
                Port::Own { sockets, .. } => sockets.receive().await,
                Port::Shared(rest) => rest.receive().await,
            };
            if !self.turn_away(from, &bytes) {
                return (from, bytes);
            }
        }
    }

    /// Sends a datagram. The destination comes from other nodes, so every address is checked.
    pub(super) fn send(&self, to: SocketAddr, bytes: &[u8]) -> Result<(), String> {
        let target = Target::new(Purpose::Dht, to);
        let checked = self.policy.check(&target);
        checked.map_err(|refusal| refusal.to_string())?;
        let sent = self.sockets().send(to, bytes);
        sent.map_err(|error| error.to_string())
    }

    /// Answers an attempt to connect over uTP. Returns whether the datagram was one.
    fn turn_away(&mut self, from: SocketAddr, datagram: &[u8]) -> bool {
        let now = Instant::ZERO + self.opened.elapsed();
        let reset = match &mut self.port {
            Port::Own { resets, .. } => resets.answer(now, from, datagram),
            Port::Shared(_) => None,
        };
        let Some(reset) = reset else { return false };
        if let Err(why) = self.send(from, &reset) {
            tracing::trace!(to = %from, why, "no reset sent");
        }
        true
    }
}
