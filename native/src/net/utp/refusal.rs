//! Answers attempts to connect over uTP (BEP 29) at a port where it is off.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use aqueduct_core::types::Instant;
use aqueduct_core::utp::Resets;

use crate::net::udp::Sockets;
use crate::net::{Bind, Policy, Purpose, Target};

/// Rejects uTP at a port where no node of the DHT does it, until the future is dropped. A closed
/// port is not enough: clients ignore the system's refusal of a datagram.
///
/// # Errors
/// The port is taken.
pub async fn turn_away(bind: Bind, port: u16, policy: Arc<dyn Policy>) -> io::Result<Infallible> {
    let mut sockets = Sockets::bind_only_at(bind, port)?;
    let start = tokio::time::Instant::now();
    let mut resets = Resets::new();
    loop {
        let (from, bytes) = sockets.receive().await;
        let Some(reset) = resets.answer(Instant::ZERO + start.elapsed(), from, &bytes) else {
            continue;
        };
        if policy.check(&Target::new(Purpose::Peer, from)).is_ok() {
            // Lost like any datagram.
            let _ = sockets.send(from, &reset);
        }
    }
}
