//! Connections: dialled, accepted, ended, banned.

use std::time::Duration;

use super::peers::Peer;
use super::state::State;
use super::transfer::Transfer;
use crate::context::Context;
use crate::extensions::{hello, no_exchange};
use crate::io::{CloseReason, Event, Handshaken, Output};
use crate::net::disclosure;
use crate::peer_failure::PeerFailure;
use crate::types::{Bitfield, ConnId, Instant, PeerAddr, PeerIdentity, PeerSource};
use crate::wire::Message;

/// A peer that leaves so soon, and gave nothing, was of no use.
const SHORT: Duration = Duration::from_secs(30);

/// A connection about to be taken on.
struct Arrival<'a> {
    conn: ConnId,
    who: PeerIdentity,
    listens: Option<PeerAddr>,
    handshake: &'a Handshaken,
}

impl Transfer {
    /// Dials as many as the bounds allow. Returns when the pace will allow more, if it is the pace
    /// that stops us.
    pub(super) fn dial(&mut self, cx: &mut Context) -> Option<Instant> {
        if !self.state.is_active(cx) {
            return None;
        }
        self.peers.dial(cx, self.info_hash.wire())
    }

    /// Addresses from discovery.
    pub(super) fn handle_peers(
        &mut self,
        cx: &mut Context,
        source: PeerSource,
        addrs: Vec<PeerAddr>,
    ) {
        if self.state.is_private() && !source.suits_private() {
            return;
        }
        // Most are known already, and some are unusable: neither is worth a word.
        let candidates = &mut self.peers.candidates;
        let is_new = |addr: &PeerAddr| candidates.add(*addr, source).is_ok();
        let new = addrs.into_iter().filter(is_new).collect();
        self.handle_new_candidates(cx, source, new);
    }

    /// New addresses are dialled. An engine that never dials passes on what only it can hear of;
    /// the rest comes from the bridge that dials for it.
    pub(super) fn handle_new_candidates(
        &mut self,
        cx: &mut Context,
        source: PeerSource,
        new: Vec<PeerAddr>,
    ) {
        if cx.config().max_dialling > 0 {
            self.dial(cx);
        } else if matches!(source, PeerSource::Pex | PeerSource::Link) {
            let connected = |addr: &PeerAddr| {
                self.peers
                    .iter()
                    .any(|(_, peer)| peer.listens == Some(*addr))
            };
            let unknown = new.into_iter().filter(|addr| !connected(addr));
            let addrs: Vec<_> = unknown.filter_map(disclosure::to_bridge).collect();
            if !addrs.is_empty() {
                cx.shared.outbox.push(Output::Hint {
                    torrent: cx.torrent,
                    addrs,
                });
            }
        }
    }

    /// A dial of ours succeeded.
    pub(super) fn handle_connected(
        &mut self,
        cx: &mut Context,
        conn: ConnId,
        handshake: &Handshaken,
    ) {
        let Some(addr) = self.peers.take_dial(cx, conn) else {
            return;
        };
        self.peers.candidates.succeeded(addr);
        let who = PeerIdentity {
            addr,
            peer_id: handshake.peer_id,
        };
        self.end_crossing(cx, who, true);
        match self.refuse(cx, &who) {
            None => self.take_on(
                cx,
                &Arrival {
                    conn,
                    who,
                    listens: Some(addr),
                    handshake,
                },
            ),
            Some(reason) => {
                self.peers.rest(cx.now, addr, &reason, false);
                tell_failure(cx, addr, &reason);
                cx.close(conn, reason);
                cx.shared.routes.push((conn, None));
            }
        }
    }

    /// Somebody connected to us. `dialled`: the bridge dialled `addr` for us.
    pub(super) fn handle_accepted(
        &mut self,
        cx: &mut Context,
        conn: ConnId,
        (addr, dialled): (PeerAddr, bool),
        handshake: &Handshaken,
    ) {
        let who = PeerIdentity {
            addr,
            peer_id: handshake.peer_id,
        };
        self.end_crossing(cx, who, dialled);
        let mut refused = self.refuse(cx, &who);
        if refused == Some(CloseReason::Full) && self.make_room(cx, addr) {
            refused = self.refuse(cx, &who);
        }
        if let Some(reason) = refused {
            return cx.close(conn, reason);
        }
        cx.shared.routes.push((conn, Some(cx.torrent)));
        let listens = dialled.then_some(addr);
        self.take_on(
            cx,
            &Arrival {
                conn,
                who,
                listens,
                handshake,
            },
        );
    }

    fn end_crossing(&mut self, cx: &mut Context, who: PeerIdentity, dialled: bool) {
        if let Some(other) = self.peers.crossing(cx, who, dialled) {
            self.disconnect(cx, other, CloseReason::Duplicate);
        }
    }

    /// Why this peer is not wanted, if it is not.
    fn refuse(&self, cx: &Context, who: &PeerIdentity) -> Option<CloseReason> {
        if who.peer_id == cx.shared.peer_id {
            return Some(CloseReason::Ourselves);
        }
        if !self.state.is_active(cx) || cx.shared.shutting_down {
            return Some(CloseReason::Inactive);
        }
        self.peers.refuse(cx, who)
    }

    /// Returns whether a place became free.
    fn make_room(&mut self, cx: &mut Context, newcomer: PeerAddr) -> bool {
        let gave = |conn| self.state.received_lately(conn) > 0;
        let leaves = self.peers.replaceable(cx, newcomer, gave);
        if let Some(conn) = leaves {
            self.disconnect(cx, conn, CloseReason::Replaced);
        }
        leaves.is_some()
    }

    /// A new peer: it is told what we have and what we can.
    fn take_on(&mut self, cx: &mut Context, new: &Arrival<'_>) {
        let have = self
            .state
            .pieces()
            .map_or_else(Bitfield::default, |pieces| pieces.have_beyond_doubt());
        let mut peer = Peer::new(cx.now, new.who, new.listens, new.handshake, have.len());
        if let Some(message) = first_message(&have, peer.fast) {
            peer.send(cx, new.conn, message);
        }
        if new.handshake.reserved.extended() {
            let hello = hello(cx.config(), self.state.standing(cx), new.who.addr);
            peer.send(cx, new.conn, hello);
        }
        cx.event(Event::PeerConnected(cx.torrent, new.who.addr));
        // BEP 5: two that both have a DHT node tell each other its port.
        let dht_port = cx
            .config()
            .dht_port
            .filter(|_| new.handshake.reserved.dht() && !self.state.is_private());
        if let Some(port) = dht_port {
            peer.send(cx, new.conn, Message::Port(port));
        }
        let pieces = match &self.state {
            State::Open(content) => Some(&content.pieces),
            _ => None,
        };
        self.upload
            .add_peer(cx, pieces, (new.conn, &mut peer), self.info_hash.wire());
        self.peers.insert(cx, new.conn, peer);
        self.with_content(|content, _| content.download.add_peer(cx.now, new.conn));
    }

    /// The world ended a connection or a dial.
    pub(super) fn handle_closed(&mut self, cx: &mut Context, conn: ConnId, reason: &CloseReason) {
        cx.shared.routes.push((conn, None));
        if let Some(addr) = self.peers.take_dial(cx, conn) {
            self.peers.rest(cx.now, addr, reason, false);
            tell_failure(cx, addr, reason);
        }
        self.forget_peer(cx, conn, reason);
        self.dial(cx);
    }

    /// We end a connection or a dial.
    pub(super) fn disconnect(&mut self, cx: &mut Context, conn: ConnId, reason: CloseReason) {
        if let Some(addr) = self.peers.take_dial(cx, conn) {
            self.peers.candidates.released(cx.now, addr, Duration::ZERO);
        } else if !self.forget_peer(cx, conn, &reason) {
            return;
        }
        cx.shared.routes.push((conn, None));
        cx.close(conn, reason);
    }

    fn forget_peer(&mut self, cx: &mut Context, conn: ConnId, reason: &CloseReason) -> bool {
        let received = self.state.received_lately(conn);
        let Some(peer) = self.peers.remove(cx, conn, reason) else {
            return false;
        };
        let short = cx.now.since(peer.connected_at) < SHORT && received == 0;
        if short || *reason != CloseReason::Remote {
            tell_failure(cx, peer.addr, reason);
        }
        self.upload.remove_peer(conn);
        match &mut self.state {
            State::Metadata(fetch) => fetch.remove_peer(conn),
            State::Open(content) => content.download.remove_peer(&content.pieces, conn, &peer),
            State::Invalid(_) | State::Opening { .. } => {}
        }
        // What it was asked for is free now, and perhaps others can take it on.
        if !cx.shared.shutting_down && !matches!(reason, CloseReason::Inactive) {
            self.fill_all(cx);
        }
        true
    }

    /// This peer sent corrupt data: never again, by address or by peer id.
    pub(super) fn ban(&mut self, cx: &mut Context, who: PeerIdentity) {
        let Some(connected) = self.peers.ban(who) else {
            return;
        };
        cx.event(Event::Banned(cx.torrent, who.addr));
        for conn in connected {
            self.disconnect(cx, conn, CloseReason::Banned);
        }
    }

    /// BEP 27: the metadata are known now, and say that peers come from trackers alone. Whoever
    /// came in another way goes.
    pub(super) fn become_private(&mut self, cx: &mut Context) {
        for conn in self.peers.forget_public() {
            self.disconnect(cx, conn, CloseReason::Private);
        }
        if cx.config().pex {
            for (conn, peer) in self.peers.iter_mut().filter(|(_, p)| p.extensions.spoken()) {
                peer.send(cx, conn, no_exchange());
            }
        }
    }
}

/// The user may want to know why a peer is of no use, unless it is by our own choice.
fn tell_failure(cx: &mut Context, addr: PeerAddr, reason: &CloseReason) {
    if PeerFailure::of(reason).is_some() && !cx.shared.shutting_down {
        cx.event(Event::PeerFailed(cx.torrent, addr, reason.clone()));
    }
}

/// BEP 3, 6: what we have, said first. Nothing is said of nothing, unless the peer expects a word.
fn first_message(have: &Bitfield, fast: bool) -> Option<Message> {
    match fast {
        true if have.is_none() => Some(Message::HaveNone),
        true if have.is_all() => Some(Message::HaveAll),
        false if have.is_none() => None,
        _ => Some(Message::Bitfield(have.as_bytes().to_vec().into())),
    }
}
