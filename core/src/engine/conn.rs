//! Connections: dialled, accepted, ended, banned.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::hub::Hub;
use super::swarm::Swarm;
use crate::io::{CloseReason, Event, Handshaken};
use crate::peer::Peer;
use crate::peer_failure::PeerFailure;
use crate::torrent::{Ranking, Who, allowed_fast, is_local, network};
use crate::types::{Bitfield, ConnId, Instant, PeerAddr, PeerSource, Piece};
use crate::wire::{Message, Reserved};

/// A peer that left is dialled again after this time.
const REST: Duration = Duration::from_secs(30);
/// A seed is of no use to a seed for a long time.
const REST_REDUNDANT: Duration = Duration::from_secs(3600);
/// A peer with fewer pieces than this is let have some while it is choked (BEP 6).
const NEWCOMER: u32 = 10;
/// So many of them. BEP 6 suggests ten; but what is given away is not traded, and a slow seed with many newcomers gave away all it had.
const ALLOWED_FAST: usize = 3;

/// Nobody has to make room for another in its first minute.
const SETTLED: Duration = Duration::from_secs(60);

/// A connection about to be taken on.
struct Arrival {
    conn: ConnId,
    who: Who,
    listens: Option<SocketAddr>,
    reserved: Reserved,
}

/// Where somebody is connected or being dialled already.
#[derive(Default)]
struct Taken {
    addrs: BTreeSet<SocketAddr>,
    households: BTreeSet<IpAddr>,
}

impl Taken {
    /// `whole`: nobody else of the same household is to be dialled.
    fn add(&mut self, addr: SocketAddr, whole: bool) {
        self.addrs.insert(addr);
        if whole && !is_local(addr.ip()) {
            self.households.insert(network(addr.ip()));
        }
    }

    fn holds(&self, addr: SocketAddr) -> bool {
        self.addrs.contains(&addr) || self.households.contains(&network(addr.ip()))
    }
}

impl Swarm {
    /// Dials as many as the bounds allow. Returns when the pace will allow more, if it is the pace that stops us.
    pub(super) fn dial_some(&mut self, hub: &mut Hub, now: Instant) -> Option<Instant> {
        if !self.active() || !self.announced {
            return None;
        }
        let (ranking, mut taken) = (hub.ranking(), Taken::default());
        let connected = self.peers.values().flat_map(|p| [Some(p.addr), p.listens]).flatten();
        connected.chain(self.dials.values().copied()).for_each(|addr| taken.add(addr, hub.config.one_per_address));
        while self.peers.len() + self.dials.len() < hub.config.max_peers {
            match hub.may_dial(now) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(later) => return (self.candidates.next_rested()? <= now).then_some(later),
            }
            let addr = self.candidates.next(now, ranking, |addr| taken.holds(addr))?;
            taken.add(addr, hub.config.one_per_address);
            let conn = hub.dial(now, self.id, self.info_hash.wire(), addr);
            self.dials.insert(conn, addr);
        }
        None
    }

    /// Addresses from discovery.
    pub(super) fn on_peers(&mut self, hub: &mut Hub, now: Instant, source: PeerSource, addrs: Vec<PeerAddr>) {
        if self.is_private() && !source.suits_private() {
            return;
        }
        // Most are known already, and some are nobody: neither is worth a word.
        let new = addrs.into_iter().filter(|addr| self.candidates.add(*addr, source).is_ok()).collect();
        self.heard_of(hub, now, source, new);
    }

    /// A dial of ours succeeded.
    pub(super) fn on_connected(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, handshake: &Handshaken) {
        let Some(addr) = self.dials.remove(&conn) else { return };
        hub.dialling -= 1;
        self.candidates.succeeded(addr);
        let who = Who { addr, peer_id: handshake.peer_id };
        self.settle_crossing(hub, now, who, true);
        let arrival = Arrival { conn, who, listens: Some(addr), reserved: handshake.reserved };
        match self.refuse(hub, &who) {
            None => self.take_on(hub, now, &arrival),
            Some(reason) => {
                self.let_go(now, addr, &reason, false);
                self.tell_failure(hub, addr, &reason);
                hub.close(conn, reason);
                hub.routes.push((conn, None));
            }
        }
    }

    /// Somebody connected to us.
    pub(super) fn on_accepted(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, addr: SocketAddr, dialled: bool, handshake: &Handshaken) {
        let who = Who { addr, peer_id: handshake.peer_id };
        self.settle_crossing(hub, now, who, dialled);
        let mut refused = self.refuse(hub, &who);
        if refused == Some(CloseReason::Full) && self.make_room(hub, now, addr) {
            refused = self.refuse(hub, &who);
        }
        if let Some(reason) = refused {
            return hub.close(conn, reason);
        }
        hub.routes.push((conn, Some(self.id)));
        let arrival = Arrival { conn, who, listens: dialled.then_some(addr), reserved: handshake.reserved };
        self.take_on(hub, now, &arrival);
    }

    /// Two that dial each other at the same time end up with two connections. Both keep the one that the greater peer id dialled; if each kept
    /// the older of its two, both would be lost. Only somebody at the same address can be the same peer.
    fn settle_crossing(&mut self, hub: &mut Hub, now: Instant, who: Who, dialled: bool) {
        let better = dialled == (hub.peer_id > who.peer_id);
        let crossed = |p: &Peer| p.peer_id == who.peer_id && p.dialled != dialled && p.addr.ip() == who.addr.ip();
        let other = self.peers.iter().find(|(_, p)| better && crossed(p)).map(|(conn, _)| *conn);
        other.into_iter().for_each(|conn| self.drop_conn(hub, now, conn, CloseReason::Duplicate));
    }

    /// Why this peer is not wanted, if it is not.
    fn refuse(&self, hub: &Hub, who: &Who) -> Option<CloseReason> {
        let known = |p: &Peer| p.peer_id == who.peer_id || hub.config.one_per_address && same_household(p.addr, who.addr);
        if who.peer_id == hub.peer_id {
            Some(CloseReason::Ourselves)
        } else if !self.active() || hub.shutting_down {
            Some(CloseReason::Inactive)
        } else if self.candidates.is_banned_peer(*who) {
            Some(CloseReason::Banned)
        } else if self.peers.values().any(known) {
            Some(CloseReason::Duplicate)
        } else if self.peers.len() >= hub.config.max_peers || hub.connected >= hub.config.max_peers_total {
            Some(CloseReason::Full)
        } else {
            None
        }
    }

    /// BEP 40: when all places are taken, the peer of lowest priority leaves for one of higher priority, or newcomers would find every swarm
    /// closed. Who gave us something lately stays. Returns whether a place became free.
    fn make_room(&mut self, hub: &mut Hub, now: Instant, newcomer: SocketAddr) -> bool {
        let ranking = hub.ranking();
        let idle = |p: &&Peer| p.gave == [0; 2] && now.since(p.connected_at) >= SETTLED;
        let ranked = self.peers.iter().filter(|(_, p)| idle(p)).map(|(conn, p)| (rank(ranking, p), *conn));
        match ranked.min().filter(|(lowest, _)| *lowest < ranking.of(newcomer)) {
            Some((_, conn)) => self.drop_conn(hub, now, conn, CloseReason::Replaced),
            None => return false,
        }
        true
    }

    /// A new peer: it is told what we have and what we can.
    fn take_on(&mut self, hub: &mut Hub, now: Instant, new: &Arrival) {
        hub.connected += 1;
        let mut peer = Peer::new(now, new.who, new.listens, new.reserved, self.pieces());
        let have = self.have_beyond_doubt();
        if let Some(message) = first_word(&have, peer.fast) {
            peer.say(hub, new.conn, message);
        }
        if new.reserved.extended() {
            let hello = crate::ext::hello(&hub.config, self.standing(hub), new.who.addr);
            peer.say(hub, new.conn, hello);
        }
        hub.event(Event::PeerConnected(self.id, new.who.addr));
        self.tell_port(hub, &mut peer, new.conn, new.reserved);
        self.allow_fast(hub, &mut peer, new.conn);
        self.peers.insert(new.conn, peer);
    }

    /// BEP 6: a newcomer gets something to trade.
    fn allow_fast(&self, hub: &mut Hub, peer: &mut Peer, conn: ConnId) {
        let (Some(data), std::net::IpAddr::V4(ip)) = (&self.data, peer.addr.ip().to_canonical()) else { return };
        if !peer.fast || peer.have.count() >= NEWCOMER {
            return;
        }
        let set: Vec<Piece> =
            allowed_fast(ip, self.info_hash.wire(), &data.lengths, ALLOWED_FAST).into_iter().filter(|&p| data.have.has(p)).collect();
        for piece in &set {
            peer.say(hub, conn, Message::AllowedFast(piece.get()));
        }
        peer.allowed_out = set;
    }

    /// The world ended a connection or a dial.
    pub(super) fn on_closed(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, reason: &CloseReason) {
        hub.routes.push((conn, None));
        if let Some(addr) = self.dials.remove(&conn) {
            hub.dialling -= 1;
            self.let_go(now, addr, reason, false);
            self.tell_failure(hub, addr, reason);
        }
        self.forget_peer(hub, now, conn, reason);
        self.dial_some(hub, now);
    }

    /// We end a connection or a dial.
    pub(super) fn drop_conn(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, reason: CloseReason) {
        if let Some(addr) = self.dials.remove(&conn) {
            hub.dialling -= 1;
            self.candidates.released(now, addr, Duration::ZERO);
        } else if !self.forget_peer(hub, now, conn, &reason) {
            return;
        }
        hub.routes.push((conn, None));
        hub.close(conn, reason);
    }

    fn forget_peer(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, reason: &CloseReason) -> bool {
        self.give_back_all(hub, conn, false);
        let Some(peer) = self.peers.remove(&conn) else { return false };
        hub.connected -= 1;
        let short = *reason == CloseReason::Remote && now.since(peer.connected_at) < REST && peer.gave == [0; 2];
        if short || *reason != CloseReason::Remote {
            self.tell_failure(hub, peer.addr, reason);
        }
        self.choker.left(conn);
        if let Some(data) = self.data.as_mut().filter(|_| !peer.counted_as_seed) {
            peer.have.ones().filter_map(|i| data.lengths.piece(i)).for_each(|p| data.picker.lost(p));
        }
        if let Some(addr) = peer.listens {
            let lived = now.since(peer.connected_at) > REST;
            self.let_go(now, addr, reason, lived);
        }
        // What it was asked for is free now, and perhaps others can take it on.
        if !hub.shutting_down && !matches!(reason, CloseReason::Inactive) {
            self.fill_all(hub, now);
        }
        true
    }

    /// The user may want to know why a peer is of no use, unless it is by our own choice.
    fn tell_failure(&self, hub: &mut Hub, addr: SocketAddr, reason: &CloseReason) {
        if PeerFailure::of(reason).is_some() && !hub.shutting_down {
            hub.event(Event::PeerFailed(self.id, addr, reason.clone()));
        }
    }

    /// When an address may be dialled again, by how the last time ended.
    fn let_go(&mut self, now: Instant, addr: SocketAddr, reason: &CloseReason, lived: bool) {
        match reason {
            CloseReason::Ourselves | CloseReason::WrongInfoHash | CloseReason::Banned | CloseReason::Private => self.candidates.forget(addr),
            CloseReason::Redundant => self.candidates.released(now, addr, REST_REDUNDANT),
            CloseReason::Duplicate | CloseReason::Full | CloseReason::Replaced => self.candidates.released(now, addr, REST),
            CloseReason::Inactive | CloseReason::Outdated => self.candidates.released(now, addr, Duration::ZERO),
            CloseReason::Remote | CloseReason::Silent if lived => self.candidates.released(now, addr, REST),
            _ => self.candidates.failed(now, addr),
        }
    }

    /// This peer sent corrupt data: never again, by address or by name.
    pub(super) fn ban(&mut self, hub: &mut Hub, now: Instant, who: Who) {
        if self.candidates.is_banned_peer(who) {
            return;
        }
        self.candidates.ban(who);
        hub.event(Event::Banned(self.id, who.addr));
        let hit: Vec<ConnId> = self.peers.iter().filter(|(_, p)| self.candidates.is_banned_peer(p.who())).map(|(c, _)| *c).collect();
        for conn in hit {
            self.drop_conn(hub, now, conn, CloseReason::Banned);
        }
    }
}

/// BEP 3, 6: what we have, said first. Nothing is said of nothing, unless the peer expects a word.
fn first_word(have: &Bitfield, fast: bool) -> Option<Message> {
    match fast {
        true if have.is_none() => Some(Message::HaveNone),
        true if have.is_all() => Some(Message::HaveAll),
        false if have.is_none() => None,
        _ => Some(Message::Bitfield(have.as_bytes().to_vec().into())),
    }
}

/// Both ends know the address that the other has on this connection, and at least its dialler knows the listening port.
fn rank(ranking: Ranking, peer: &Peer) -> u32 {
    ranking.of(peer.listens.unwrap_or(peer.addr))
}

/// Outside private networks one address (/64) is one peer.
fn same_household(a: SocketAddr, b: SocketAddr) -> bool {
    network(a.ip()) == network(b.ip()) && !is_local(a.ip())
}
