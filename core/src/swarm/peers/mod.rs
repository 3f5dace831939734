//! The peers of one torrent: connected ones, dials in progress, addresses to dial, and introductions
//! that are sought.

mod candidates;
mod dials;
mod idle_messages;
mod introductions;
mod outgoing;
mod peer;

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use candidates::{Candidates, Refused};
pub(crate) use dials::Dial;
pub(crate) use idle_messages::Progress;
pub(crate) use peer::{EarlyHave, Opened, Peer};

use self::dials::Dials;
use self::introductions::Introductions;
use crate::config::Config;
use crate::context::Context;
use crate::io::{CloseReason, DialKind, Output};
use crate::net::{Network, is_shared, network};
use crate::types::{
    ConnId, InfoHashV1, Instant, PeerAddr, PeerIdentity, Piece, SortedMap, SortedSet, sort,
};
use crate::wire::Message;

/// The delay before a peer that left is dialled again.
const REST: Duration = Duration::from_secs(30);
/// The delay before another seed is dialled again: two seeds need nothing from each other.
const REST_REDUNDANT: Duration = Duration::from_secs(3600);
/// The time for which a new peer is not replaced by another.
const SETTLED: Duration = Duration::from_secs(60);
/// A connection that was silent for so long is replaced when its peer connects again.
const SUPERSEDED_AFTER: Duration = Duration::from_secs(10);

/// Addresses that are connected or being dialled.
#[derive(Default)]
struct Taken {
    addrs: SortedSet<PeerAddr>,
    networks: SortedSet<Network>,
}

impl Taken {
    /// `one_per_network`: whether this excludes other peers at the same address (/64 for IPv6).
    fn add(&mut self, addr: PeerAddr, one_per_network: bool) {
        self.addrs.insert(addr);
        if one_per_network && !is_shared(addr) {
            self.networks.insert(network(addr));
        }
    }

    fn holds(&self, addr: PeerAddr) -> bool {
        self.addrs.contains(&addr) || self.networks.contains(&network(addr))
    }
}

#[derive(Debug)]
pub(crate) struct Peers {
    connected: SortedMap<ConnId, Peer>,
    dials: Dials,
    pub(crate) candidates: Candidates,
    pub(crate) introductions: Introductions,
}

impl Peers {
    /// No peers yet. Addresses are limited as configured.
    pub(crate) fn new(config: &Config) -> Self {
        let candidates = Candidates::new(config.max_candidates, Arc::clone(&config.blocklist));
        Self {
            connected: SortedMap::new(),
            dials: Dials::default(),
            candidates,
            introductions: Introductions::default(),
        }
    }

    pub(crate) fn get(&self, conn: ConnId) -> Option<&Peer> {
        self.connected.get(&conn)
    }

    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Peer> {
        self.connected.get_mut(&conn)
    }

    /// The peer that listens at an address, or can otherwise be reached there.
    pub(crate) fn at(&self, addr: PeerAddr) -> Option<(ConnId, &Peer)> {
        let is_there = |peer: &Peer| peer.listens == Some(addr) || peer.contact() == addr;
        self.iter().find(|(_, peer)| is_there(peer))
    }

    /// Whether a peer is connected that is at this address, or at another port of the same host
    /// where only one may be.
    pub(crate) fn is_connected(&self, cx: &Context, addr: PeerAddr) -> bool {
        let same_host = |peer: &Peer| cx.config().one_per_address && same_host(peer.addr, addr);
        self.at(addr).is_some() || self.connected.values().any(same_host)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnId, &Peer)> {
        self.connected.iter().map(|(conn, peer)| (*conn, peer))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (ConnId, &mut Peer)> {
        self.connected.iter_mut().map(|(conn, peer)| (*conn, peer))
    }

    /// As [`Peers::conns`], beginning after this one.
    pub(crate) fn conns_after(&self, conn: Option<ConnId>) -> Vec<ConnId> {
        let mut conns = self.conns();
        let first = conns.partition_point(|other| Some(*other) <= conn);
        conns.rotate_left(first);
        conns
    }

    /// The connections in order, for loops that modify the peers.
    pub(crate) fn conns(&self) -> Vec<ConnId> {
        self.connected.keys().copied().collect()
    }

    /// All connections and dials.
    pub(crate) fn conns_and_dials(&self) -> Vec<ConnId> {
        let connected = self.connected.keys().copied();
        connected.chain(self.dials.conns()).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.connected.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.connected.is_empty()
    }

    /// The number of dials in progress.
    pub(crate) fn dialling(&self) -> usize {
        self.dials.len()
    }

    pub(crate) fn insert(&mut self, cx: &mut Context, conn: ConnId, peer: Peer) {
        cx.shared.connections.connected += 1;
        self.connected.insert(conn, peer);
    }

    /// Removes a closed connection. The peer's address may be dialled again after a delay that
    /// depends on the reason.
    pub(crate) fn remove(
        &mut self,
        cx: &mut Context,
        conn: ConnId,
        reason: &CloseReason,
    ) -> Option<Peer> {
        let peer = self.connected.remove(&conn)?;
        cx.shared.connections.connected -= 1;
        if let Some(addr) = peer.listens {
            let lived = cx.now.since(peer.connected_at) > REST;
            self.rest(cx.now, addr, reason, lived);
        }
        Some(peer)
    }

    /// Removes a completed or failed dial, and returns it.
    pub(crate) fn take_dial(&mut self, cx: &mut Context, conn: ConnId) -> Option<Dial> {
        let dial = self.dials.remove(conn)?;
        cx.shared.connections.dialling -= 1;
        Some(dial)
    }

    /// A dial of this kind to this address.
    pub(crate) fn dial_to(&self, addr: PeerAddr, kind: DialKind) -> Option<ConnId> {
        self.dials
            .that(|dial| (dial.addr, dial.kind) == (addr, kind))
            .next()
    }

    /// The addresses of direct dials that have taken at least this long, and whose peers may be
    /// behind a NAT. Each dial is returned once.
    pub(crate) fn take_slow_dials(&mut self, now: Instant, span: Duration) -> Vec<PeerAddr> {
        let is_reachable = |addr| self.candidates.is_called_reachable(addr);
        let may_help = |addr| self.candidates.may_be_introduced(addr) && !is_reachable(addr);
        self.dials.mark_slow(now, span, may_help)
    }

    /// Starts as many dials as the limits allow. Returns when the rate limit permits more, if that
    /// is what prevents them.
    pub(crate) fn dial(&mut self, cx: &mut Context, info_hash: InfoHashV1) -> Option<Instant> {
        let one_per_network = cx.config().one_per_address;
        let (ranking, mut taken) = (cx.shared.ranking(), self.taken(one_per_network));
        while self.connected.len() + self.dials.len() < cx.config().max_peers {
            match cx.shared.connections.may_dial(cx.now, cx.config()) {
                Ok(true) if !cx.shared.shutting_down => {}
                Ok(_) => return None,
                Err(at) => return (self.candidates.next_rested()? <= cx.now).then_some(at),
            }
            let addr = self
                .candidates
                .next(cx.now, ranking, |addr| taken.holds(addr))?;
            taken.add(addr, one_per_network);
            self.start_dial(cx, info_hash, (addr, DialKind::Direct), false);
        }
        None
    }

    /// Dials a known address immediately, at the same time as its peer dials us (BEP 55), if the
    /// limits allow it and the peer is not connected or being dialled. `is_passing`: whether the
    /// address is dropped if that fails. Returns whether it is dialled.
    pub(crate) fn dial_now(
        &mut self,
        cx: &mut Context,
        info_hash: InfoHashV1,
        (addr, is_passing): (PeerAddr, bool),
    ) -> bool {
        let config = cx.config();
        let has_room = self.connected.len() + self.dials.len() < config.max_peers;
        let may_dial = cx.shared.connections.may_dial(cx.now, config) == Ok(true);
        let is_taken = self.taken(config.one_per_address).holds(addr);
        let dials = has_room && may_dial && !is_taken && self.candidates.take(addr);
        if dials {
            self.start_dial(cx, info_hash, (addr, DialKind::Holepunch), is_passing);
        }
        dials
    }

    /// Asks a connected peer for an introduction to the peer at `target` (BEP 55), one that was not
    /// asked before. Returns whether there was one.
    pub(crate) fn request_introduction(&mut self, cx: &mut Context, target: PeerAddr) -> bool {
        let Some(addr) = target.socket_addr() else {
            return false;
        };
        for (conn, peer) in &mut self.connected {
            if !peer.extensions.introduces(addr) || !self.introductions.may_ask(target, *conn) {
                continue;
            }
            if let Some(request) = peer.extensions.request_introduction(cx.now, addr) {
                self.introductions.ask(cx.now, target, *conn);
                peer.send(cx, *conn, request);
                return true;
            }
        }
        false
    }

    fn taken(&self, one_per_network: bool) -> Taken {
        let mut taken = Taken::default();
        let connected = self.connected.values();
        let connected = connected.flat_map(|p| [Some(p.addr), p.listens]).flatten();
        let all = connected.chain(self.dials.addrs());
        all.for_each(|addr| taken.add(addr, one_per_network));
        taken
    }

    fn start_dial(
        &mut self,
        cx: &mut Context,
        info_hash: InfoHashV1,
        (addr, kind): (PeerAddr, DialKind),
        is_passing: bool,
    ) {
        let shared = &mut *cx.shared;
        let conn = shared.connections.start_dial(cx.now, &shared.config);
        shared.routes.push((conn, Some(cx.torrent)));
        shared.outbox.push(Output::Dial {
            conn,
            torrent: cx.torrent,
            info_hash,
            addr,
            kind,
        });
        let dial = Dial {
            addr,
            kind,
            started: cx.now,
            is_slow: false,
            is_passing,
        };
        self.dials.insert(conn, dial);
    }

    /// The reason to refuse this peer, if any.
    pub(crate) fn refuse(&mut self, cx: &Context, who: &PeerIdentity) -> Option<CloseReason> {
        let config = cx.config();
        // Anybody can present another peer's id, and must not keep that peer away by it.
        let known = |p: &Peer| {
            p.peer_id == who.peer_id && !are_apart(p.addr, who.addr)
                || config.one_per_address && same_host(p.addr, who.addr)
        };
        if self.candidates.is_blocked(who.addr) {
            Some(CloseReason::Blocked)
        } else if self.candidates.is_banned_peer(*who) {
            Some(CloseReason::Banned)
        } else if self.connected.values().any(known) {
            Some(CloseReason::Duplicate)
        } else if self.connected.len() >= config.max_peers
            || cx.shared.connections.connected >= config.max_peers_total
        {
            Some(CloseReason::Full)
        } else {
            None
        }
    }

    /// Handles simultaneous dials: two peers that dial each other end up with two connections. Both
    /// keep the one that was dialled by the peer with the greater id; if each kept the older one,
    /// both could be lost. Returns the connection to close.
    pub(crate) fn crossing(
        &self,
        cx: &Context,
        who: PeerIdentity,
        dialled: bool,
    ) -> Option<ConnId> {
        let better = dialled == (cx.shared.peer_id > who.peer_id);
        let crossed = |p: &Peer| (p.opened != Opened::Accepted) != dialled;
        self.earlier(who, |p| better && crossed(p))
    }

    /// The silent connection of a peer that connects again. Its network has changed or failed, which
    /// the peer notices before we do: without something to send, we would learn of it minutes later.
    pub(crate) fn superseded(&self, now: Instant, who: PeerIdentity) -> Option<ConnId> {
        self.earlier(who, |p| p.outgoing.is_silent(now, SUPERSEDED_AFTER))
    }

    /// An earlier connection of this peer that fulfils `holds`. Only a peer at the same address can
    /// be the same peer.
    fn earlier(&self, who: PeerIdentity, holds: impl Fn(&Peer) -> bool) -> Option<ConnId> {
        let is_same = |p: &Peer| p.peer_id == who.peer_id && p.addr.ip() == who.addr.ip();
        self.iter()
            .find(|(_, p)| is_same(p) && holds(p))
            .map(|(conn, _)| conn)
    }

    /// Our dial that will be closed as a crossing one when it succeeds, because this peer has
    /// connected to us. It is ended early; that is safe for one side, the one with the smaller id.
    pub(crate) fn outdone_dial(&self, cx: &Context, who: PeerIdentity) -> Option<ConnId> {
        let is_outdone = |dial: &Dial| dial.addr == who.addr && who.peer_id > cx.shared.peer_id;
        self.dials.that(is_outdone).next()
    }

    /// BEP 40: if all slots are taken, the peer with the lowest priority is replaced by one with a
    /// higher priority, since otherwise new peers could not join full swarms. `spared`: peers that
    /// recently sent data stay. Whoever holds two slots by one peer id, at two addresses, gives up
    /// the younger one first. Returns the peer to disconnect.
    pub(crate) fn replaceable(
        &self,
        cx: &Context,
        newcomer: PeerAddr,
        spared: impl Fn(ConnId) -> bool,
    ) -> Option<ConnId> {
        let ranking = cx.shared.ranking();
        let settled = |p: &Peer| cx.now.since(p.connected_at) >= SETTLED;
        let idle = self.iter().filter(|(conn, p)| settled(p) && !spared(*conn));
        let idle: Vec<(ConnId, &Peer)> = idle.collect();
        let seconds = self.seconds();
        let second = idle.iter().find(|(conn, _)| seconds.contains(conn));
        if let Some((second, _)) = second {
            return Some(*second);
        }
        // At least the dialling side knows the other side's listening port.
        let rank = |p: &Peer| ranking.of(p.listens.unwrap_or(p.addr));
        let ranked = idle.into_iter().map(|(conn, p)| (rank(p), conn));
        let lowest = ranked
            .min()
            .filter(|(lowest, _)| *lowest < ranking.of(newcomer));
        lowest.map(|(_, conn)| conn)
    }

    /// The connections of each peer id but its oldest.
    fn seconds(&self) -> SortedSet<ConnId> {
        let all = self.iter();
        let mut all: Vec<_> = all
            .map(|(conn, p)| (p.peer_id, p.connected_at, conn))
            .collect();
        sort::sort(&mut all);
        let pairs = all.array_windows();
        pairs
            .filter(|[older, younger]| older.0 == younger.0)
            .map(|[_, younger]| younger.2)
            .collect()
    }

    /// The connections beyond the limit. Peers that recently sent least go first, and among equals the
    /// newest.
    pub(crate) fn surplus(&self, limit: usize, received: impl Fn(ConnId) -> u64) -> Vec<ConnId> {
        let number = self.len().saturating_sub(limit);
        let mut conns = self.conns();
        sort::sort_by_key(&mut conns, |conn| (received(*conn), Reverse(*conn)));
        conns.truncate(number);
        conns
    }

    /// Sets when an address may be dialled again, depending on how its connection ended.
    pub(crate) fn rest(&mut self, now: Instant, addr: PeerAddr, reason: &CloseReason, lived: bool) {
        use CloseReason as R;
        let candidates = &mut self.candidates;
        match reason {
            R::Ourselves | R::WrongInfoHash | R::Banned | R::Blocked | R::Private => {
                candidates.forget(addr)
            }
            R::Redundant => candidates.released(now, addr, REST_REDUNDANT),
            R::Duplicate | R::Full | R::Replaced => candidates.released(now, addr, REST),
            R::Inactive | R::Outdated => candidates.released(now, addr, Duration::ZERO),
            R::Remote | R::Silent if lived => candidates.released(now, addr, REST),
            _ => candidates.failed(now, addr),
        }
    }

    /// Bans a peer. Returns its connections, or `None` if it was already banned.
    pub(crate) fn ban(&mut self, who: PeerIdentity) -> Option<Vec<ConnId>> {
        if self.candidates.is_banned_peer(who) {
            return None;
        }
        self.candidates.ban(who);
        let banned = |p: &Peer| self.candidates.is_banned_peer(p.identity());
        Some(
            self.iter()
                .filter(|(_, p)| banned(p))
                .map(|(conn, _)| conn)
                .collect(),
        )
    }

    /// BEP 27: drops addresses that a private torrent must not use. Returns the connections and
    /// dials to close.
    pub(crate) fn forget_public(&mut self) -> Vec<ConnId> {
        let public = self.candidates.forget_public();
        let is_public = |addr: &PeerAddr| public.contains(addr);
        let peers = self
            .iter()
            .filter(|(_, p)| p.listens.as_ref().is_some_and(is_public));
        let dials = self.dials.that(|dial| is_public(&dial.addr));
        peers.map(|(conn, _)| conn).chain(dials).collect()
    }

    /// BEP 3: announces a piece to every peer that lacks it.
    pub(crate) fn announce_have(&mut self, cx: &mut Context, piece: Piece) {
        for (conn, peer) in self.iter_mut().filter(|(_, peer)| !peer.have.has(piece)) {
            peer.send(cx, conn, Message::Have(piece.get()));
        }
    }

    /// Called once per tick: sends keep-alives, and returns peers that were silent for too long.
    pub(crate) fn tick(&mut self, cx: &mut Context) -> Vec<ConnId> {
        let timeout = cx.config().silence_timeout;
        let mut silent = Vec::new();
        for (conn, peer) in self.iter_mut() {
            if peer.outgoing.is_silent(cx.now, timeout) {
                silent.push(conn);
            } else if peer.outgoing.tick() {
                peer.send(cx, conn, Message::KeepAlive);
            }
        }
        silent
    }
}

/// Whether two addresses are surely of two hosts, or of one with several public addresses. In private
/// networks one host is reached by many addresses.
fn are_apart(a: PeerAddr, b: PeerAddr) -> bool {
    !is_shared(a) && !is_shared(b) && network(a) != network(b)
}

/// Whether two addresses count as one host: outside private networks, the same IP address (/64 for
/// IPv6).
fn same_host(a: PeerAddr, b: PeerAddr) -> bool {
    network(a) == network(b) && !is_shared(a)
}
