//! Peers told by peers (BEP 11), DHT nodes told by peers (BEP 5), and what a private torrent makes of both (BEP 27).

use super::hub::Hub;
use super::receive::Verdict;
use super::swarm::Swarm;
use crate::ext::pex::{PexMessage, REACHABLE, UPLOAD_ONLY};
use crate::ext::{Extension, no_exchange};
use crate::io::CloseReason;
use crate::peer::Peer;
use crate::torrent::is_local;
use crate::types::{ConnId, Instant, PeerAddr, PeerSource};
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

    /// Whether peers are told of peers.
    pub(super) fn exchanges(&self, hub: &Hub) -> bool {
        hub.config.pex && !self.is_private()
    }

    /// BEP 11: tells every peer, at most once a minute, who else is there.
    pub(super) fn tell_peers(&mut self, hub: &mut Hub, now: Instant) {
        let due = self.due_exchanges(hub, now);
        let all: Vec<_> = if due.is_empty() { Vec::new() } else { self.peers.values().filter_map(entry).collect() };
        for (conn, id) in due {
            let Some(peer) = self.peers.get_mut(&conn) else { continue };
            let others: Vec<_> = all.iter().copied().filter(|(addr, _)| may_know(peer, *addr)).collect();
            if let Some(message) = peer.extensions.pex.news(now, &others) {
                peer.say(hub, conn, Message::Extended { id, payload: message.encode() });
            }
        }
    }

    /// Who may be told something now, and what each calls the extension.
    fn due_exchanges(&self, hub: &Hub, now: Instant) -> Vec<(ConnId, u8)> {
        if !self.exchanges(hub) {
            return Vec::new();
        }
        let due = |p: &Peer| p.extensions.remote_id(Extension::Pex).filter(|_| p.extensions.pex.is_due(now));
        self.peers.iter().filter_map(|(conn, p)| Some((*conn, due(p)?))).collect()
    }

    /// BEP 11: a peer tells us of others. Whom it dropped may still be there for us.
    pub(super) fn on_exchange(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, payload: &[u8]) -> Verdict {
        let exchanges = self.exchanges(hub);
        let Some(peer) = self.peers.get_mut(&conn).filter(|_| exchanges) else { return Ok(()) };
        let teller = peer.addr.ip();
        let Some(limit) = peer.extensions.pex.heard(now) else {
            return Err(CloseReason::Misbehaved("it exchanged peers more than six times in a minute"));
        };
        let Some(message) = PexMessage::decode(payload, limit) else { return Ok(()) };
        let useless = |flags: u8| flags & UPLOAD_ONLY != 0 && self.complete();
        let told: Vec<PeerAddr> = message.added.into_iter().filter(|(_, flags)| !useless(*flags)).map(|(addr, _)| addr).collect();
        let new = told.into_iter().filter(|addr| self.candidates.add_told(*addr, teller).is_ok()).collect();
        self.heard_of(hub, now, PeerSource::Pex, new);
        Ok(())
    }

    /// New addresses are dialled. An engine that never dials passes on what only it can hear of; the rest comes from whoever dials for it.
    pub(super) fn heard_of(&mut self, hub: &mut Hub, now: Instant, source: PeerSource, new: Vec<PeerAddr>) {
        if hub.config.max_dialling > 0 {
            self.dial_some(hub, now);
        } else if matches!(source, PeerSource::Pex | PeerSource::Link) {
            let unknown = |addr: &PeerAddr| !self.peers.values().any(|p| p.listens == Some(*addr));
            let addrs: Vec<_> = new.into_iter().filter(unknown).collect();
            if !addrs.is_empty() {
                hub.hint(self.id, addrs);
            }
        }
    }

    /// BEP 27: the metadata are known now, and say that peers come from trackers alone. Whoever came in another way goes.
    pub(super) fn become_private(&mut self, hub: &mut Hub, now: Instant) {
        let public = self.candidates.forget_public();
        let is_public = |addr: &PeerAddr| public.contains(addr);
        let peers = self.peers.iter().filter(|(_, p)| p.listens.as_ref().is_some_and(is_public)).map(|(conn, _)| *conn);
        let dials = self.dials.iter().filter(|(_, addr)| is_public(addr)).map(|(conn, _)| *conn);
        let gone: Vec<ConnId> = peers.chain(dials).collect();
        gone.into_iter().for_each(|conn| self.drop_conn(hub, now, conn, CloseReason::Private));
        let exchanged = hub.config.pex;
        for (&conn, peer) in self.peers.iter_mut().filter(|(_, p)| exchanged && p.extensions.spoken()) {
            peer.say(hub, conn, no_exchange());
        }
    }
}

/// Nobody is told of itself, and nobody outside of who is inside a private network.
fn may_know(peer: &Peer, addr: PeerAddr) -> bool {
    Some(addr) != peer.listens && (is_local(peer.addr.ip()) || !is_local(addr.ip()))
}

/// How a peer is told to others, if it is known where it listens.
fn entry(peer: &Peer) -> Option<(PeerAddr, u8)> {
    let listens = peer.listens?;
    let idle = peer.extensions.upload_only() || peer.have.is_all() && !peer.have.is_empty();
    let flags = if idle { UPLOAD_ONLY } else { 0 } | if peer.dialled { REACHABLE } else { 0 };
    Some((PeerAddr::new(listens.ip().to_canonical(), listens.port()), flags))
}
