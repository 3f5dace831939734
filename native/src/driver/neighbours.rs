//! Peers on the same network (BEP 14): which torrents are announced there, and when.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use aqueduct_core::Instant;
use aqueduct_core::discovery::lsd::{Announce, Lsd};
use aqueduct_core::types::InfoHashV1;
use tokio::sync::Notify;

/// Local discovery, and the signal that wakes its task.
#[derive(Debug)]
pub(super) struct Neighbours {
    lsd: Lsd,
    /// There is something new to announce.
    changed: Rc<Notify>,
}

impl Neighbours {
    /// Announces that we listen for peers on `port`, TCP.
    pub(super) fn new(port: u16, seed: [u8; 32]) -> Self {
        Self {
            lsd: Lsd::new(port, seed),
            changed: Rc::default(),
        }
    }

    /// Announces a swarm from now on. Never call it for a private torrent (BEP 27).
    pub(super) fn join(&mut self, now: Instant, swarm: InfoHashV1) {
        self.lsd.join(now, swarm);
        self.changed.notify_one();
    }

    /// Stops announcing a swarm.
    pub(super) fn leave(&mut self, swarm: InfoHashV1) {
        self.lsd.leave(swarm);
    }

    /// When [`Neighbours::poll_announce`] is to be called next.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.lsd.poll_timeout()
    }

    /// Fires when [`Neighbours::poll_timeout`] may have changed.
    pub(super) fn changed(&self) -> Rc<Notify> {
        Rc::clone(&self.changed)
    }

    /// What is to be sent to the multicast groups.
    pub(super) fn poll_announce(&mut self, now: Instant) -> Option<Announce> {
        self.lsd.poll_announce(now)
    }

    /// Reads another client's announce: its address as a peer, and those of our swarms that it is
    /// in.
    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        from: IpAddr,
        datagram: &[u8],
    ) -> Option<(SocketAddr, Vec<InfoHashV1>)> {
        self.lsd.handle_datagram(now, from, datagram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_swarm_that_is_joined_wakes_the_task_and_is_announced_until_it_is_left() {
        let swarm = InfoHashV1([7; 20]);
        let mut neighbours = Neighbours::new(6881, [1; 32]);
        assert_eq!(neighbours.poll_timeout(), None);
        let changed = neighbours.changed();
        neighbours.join(Instant::ZERO, swarm);
        changed.notified().await;
        let announce = neighbours.poll_announce(Instant::ZERO);
        assert_eq!(announce.map(|it| it.swarms), Some(vec![swarm]));
        neighbours.leave(swarm);
        assert_eq!(neighbours.poll_timeout(), None);
    }
}
