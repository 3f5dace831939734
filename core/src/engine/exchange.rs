//! Peers told by peers: DHT nodes (BEP 5), and addresses for whoever dials for us.

use super::hub::Hub;
use super::receive::Verdict;
use super::swarm::Swarm;
use crate::peer::Peer;
use crate::types::{ConnId, PeerAddr, PeerSource};
use crate::wire::{Message, Reserved};

impl Swarm {
    /// BEP 5: two that both have a DHT node tell each other its port.
    pub(super) fn tell_port(&self, hub: &mut Hub, peer: &mut Peer, conn: ConnId, theirs: Reserved) {
        if let Some(port) = hub.config.dht_port.filter(|_| theirs.dht() && !self.is_private()) {
            peer.say(hub, conn, Message::Port(port));
        }
    }

    pub(super) fn on_port(&mut self, hub: &mut Hub, conn: ConnId, port: u16) -> Verdict {
        let Some(peer) = self.peers.get(&conn) else { return Ok(()) };
        if port != 0 && hub.config.dht_port.is_some() && !self.is_private() {
            hub.dht_node((peer.addr.ip().to_canonical(), port).into());
        }
        Ok(())
    }

    /// An engine that never dials passes on what only it can hear of; the rest comes from whoever dials for it.
    pub(super) fn hint(&mut self, hub: &mut Hub, source: PeerSource, addrs: Vec<PeerAddr>) {
        let heard_here = matches!(source, PeerSource::Pex | PeerSource::Link);
        if heard_here && !addrs.is_empty() && !self.is_private() {
            hub.hint(self.id, addrs);
        }
    }
}
