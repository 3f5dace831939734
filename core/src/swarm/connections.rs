//! Connections: dialled, accepted, closed, banned.

use std::time::Duration;

use super::peers::{Dial, Opened, Peer};
use super::state::State;
use super::transfer::Transfer;
use crate::context::Context;
use crate::extensions::{hello, no_exchange};
use crate::io::{CloseReason, DialKind, Event, Handshaken, Output};
use crate::net::disclosure;
use crate::peer_failure::PeerFailure;
use crate::types::{Bitfield, ConnId, Instant, PeerAddr, PeerIdentity, PeerSource};
use crate::wire::Message;

/// A peer that leaves within this time and sent no data counts as failed.
const SHORT: Duration = Duration::from_secs(30);

/// A connection that is about to be added.
struct Arrival<'a> {
    conn: ConnId,
    who: PeerIdentity,
    listens: Option<PeerAddr>,
    opened: Opened,
    handshake: &'a Handshaken,
}

impl Transfer {
    /// Starts as many dials as the limits allow. Returns when the rate limit permits more, if that
    /// is what prevents them.
    pub(super) fn dial(&mut self, cx: &mut Context) -> Option<Instant> {
        if !self.state.is_active(cx) {
            return None;
        }
        self.peers.dial(cx, self.info_hash.wire())
    }

    /// Handles addresses from discovery.
    pub(super) fn handle_peers(
        &mut self,
        cx: &mut Context,
        source: PeerSource,
        addrs: Vec<PeerAddr>,
    ) {
        if self.state.is_private() && !source.suits_private() {
            return;
        }
        // Most are known already and some are unusable; neither is reported.
        let candidates = &mut self.peers.candidates;
        let is_new = |addr: &PeerAddr| candidates.add(*addr, source).is_ok();
        let new = addrs.into_iter().filter(is_new).collect();
        self.handle_new_candidates(cx, source, new);
    }

    /// Dials new addresses. An engine that never dials reports those that only it can learn of; the
    /// others come from its bridge.
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

    /// Handles a successful dial.
    pub(super) fn handle_connected(
        &mut self,
        cx: &mut Context,
        conn: ConnId,
        handshake: &Handshaken,
    ) {
        let Some(Dial { addr, kind, .. }) = self.peers.take_dial(cx, conn) else {
            return;
        };
        self.peers.candidates.succeeded(addr);
        let who = PeerIdentity {
            addr,
            peer_id: handshake.peer_id,
        };
        self.end_older(cx, who, true);
        match self.refuse(cx, &who) {
            None => self.take_on(
                cx,
                &Arrival {
                    conn,
                    who,
                    listens: Some(addr),
                    opened: match kind {
                        DialKind::Direct => Opened::Dialled,
                        DialKind::Holepunch => Opened::Introduced,
                    },
                    handshake,
                },
            ),
            Some(reason) => {
                self.peers.rest(cx.now, addr, &reason, false);
                report_failure(cx, addr, &reason);
                cx.close(conn, reason);
                cx.shared.routes.push((conn, None));
            }
        }
    }

    /// Handles an accepted connection. `dialled`: the bridge dialled `addr` for us.
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
        self.end_older(cx, who, dialled);
        let mut refused = self.refuse(cx, &who);
        if refused == Some(CloseReason::Full) && self.make_room(cx, addr) {
            refused = self.refuse(cx, &who);
        }
        if let Some(reason) = refused {
            return cx.close(conn, reason);
        }
        if let Some(outdone) = self.peers.outdone_dial(cx, who) {
            self.disconnect(cx, outdone, CloseReason::Duplicate);
        }
        cx.shared.routes.push((conn, Some(cx.torrent)));
        let listens = dialled.then_some(addr);
        self.take_on(
            cx,
            &Arrival {
                conn,
                who,
                listens,
                opened: if dialled {
                    Opened::Dialled
                } else {
                    Opened::Accepted
                },
                handshake,
            },
        );
    }

    /// Ends an older connection of a peer, if the new one is kept instead.
    fn end_older(&mut self, cx: &mut Context, who: PeerIdentity, dialled: bool) {
        let crossing = self.peers.crossing(cx, who, dialled);
        if let Some(older) = crossing.or_else(|| self.peers.superseded(cx.now, who)) {
            self.disconnect(cx, older, CloseReason::Duplicate);
        }
    }

    /// The reason to refuse this peer, if any.
    fn refuse(&mut self, cx: &Context, who: &PeerIdentity) -> Option<CloseReason> {
        if who.peer_id == cx.shared.peer_id {
            return Some(CloseReason::Ourselves);
        }
        if cx.paused || cx.shared.shutting_down {
            return Some(CloseReason::Inactive);
        }
        self.peers.refuse(cx, who)
    }

    /// Makes room for a new peer by disconnecting another one, if priorities justify it (BEP 40).
    /// Returns whether it did.
    fn make_room(&mut self, cx: &mut Context, newcomer: PeerAddr) -> bool {
        let gave = |conn| self.state.received_lately(conn) > 0;
        let leaves = self.peers.replaceable(cx, newcomer, gave);
        if let Some(conn) = leaves {
            self.disconnect(cx, conn, CloseReason::Replaced);
        }
        leaves.is_some()
    }

    /// Adds a peer, and announces our pieces and capabilities to it.
    fn take_on(&mut self, cx: &mut Context, new: &Arrival<'_>) {
        let have = self
            .state
            .pieces()
            .map_or_else(Bitfield::default, |pieces| pieces.announced());
        let mut peer = Peer::new(
            cx.now,
            new.who,
            (new.opened, new.listens),
            new.handshake,
            have.len(),
        );
        self.peers.introductions.give_up(new.who.addr);
        if let Some(message) = first_message(&have, peer.fast) {
            peer.send(cx, new.conn, message);
        }
        if new.handshake.reserved.extended() {
            let hello = hello(cx.config(), self.state.own_state(cx), new.who.addr);
            peer.send(cx, new.conn, hello);
        }
        cx.event(Event::PeerConnected(cx.torrent, new.who.addr));
        // BEP 5: if both sides have a DHT node, its port is announced.
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

    /// Handles a connection or dial that ended.
    pub(super) fn handle_closed(&mut self, cx: &mut Context, conn: ConnId, reason: &CloseReason) {
        cx.shared.routes.push((conn, None));
        if let Some(dial) = self.peers.take_dial(cx, conn) {
            self.peers.rest(cx.now, dial.addr, reason, false);
            report_failure(cx, dial.addr, reason);
            if dial.is_passing {
                self.peers.candidates.forget(dial.addr);
            }
            if dial.kind == DialKind::Direct
                && !dial.is_slow
                && reason.is_unreached()
                && let Some(mut holepunching) = self.holepunching(cx)
            {
                holepunching.seek_introduction(cx, dial.addr);
            }
        }
        self.forget_peer(cx, conn, reason);
        self.dial(cx);
    }

    /// Closes a connection or cancels a dial.
    pub(super) fn disconnect(&mut self, cx: &mut Context, conn: ConnId, reason: CloseReason) {
        if let Some(Dial { addr, .. }) = self.peers.take_dial(cx, conn) {
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
            report_failure(cx, peer.addr, reason);
        }
        if let Some(mut holepunching) = self.holepunching(cx) {
            holepunching.handle_relay_left(cx, conn);
        }
        self.upload.remove_peer(conn);
        match &mut self.state {
            State::Metadata(fetch) => fetch.remove_peer(conn),
            State::Open(content) => content.download.remove_peer(&content.pieces, conn, &peer),
            State::Invalid(_) | State::Opening { .. } => {}
        }
        // Its requested blocks are free now and may be requested from others; so is its slot.
        if !cx.shared.shutting_down && !matches!(reason, CloseReason::Inactive) {
            self.fill_all(cx);
            self.upload.fill_slots(cx, &mut self.peers);
        }
        true
    }

    /// Bans a peer that sent corrupt data, by address and by peer id.
    pub(super) fn ban(&mut self, cx: &mut Context, who: PeerIdentity) {
        let Some(connected) = self.peers.ban(who) else {
            return;
        };
        cx.event(Event::Banned(cx.torrent, who.addr));
        for conn in connected {
            self.disconnect(cx, conn, CloseReason::Banned);
        }
    }

    /// BEP 27: the metadata turned out to be those of a private torrent. Disconnects all peers that
    /// were not found through trackers or the user.
    pub(super) fn become_private(&mut self, cx: &mut Context) {
        self.peers.introductions.clear();
        for conn in self.peers.forget_public() {
            self.disconnect(cx, conn, CloseReason::Private);
        }
        if cx.config().pex || cx.config().utp {
            for (conn, peer) in self.peers.iter_mut().filter(|(_, p)| p.extensions.spoken()) {
                peer.send(cx, conn, no_exchange());
            }
        }
    }
}

/// Reports why a peer failed, unless the connection ended by our own choice.
fn report_failure(cx: &mut Context, addr: PeerAddr, reason: &CloseReason) {
    if PeerFailure::of(reason).is_some() && !cx.shared.shutting_down {
        cx.event(Event::PeerFailed(cx.torrent, addr, reason.clone()));
    }
}

/// BEP 3, 6: our pieces, as the first message. With no pieces it is omitted, unless the fast
/// extension requires it.
fn first_message(have: &Bitfield, fast: bool) -> Option<Message> {
    match fast {
        true if have.is_none() => Some(Message::HaveNone),
        true if have.is_all() => Some(Message::HaveAll),
        false if have.is_none() => None,
        _ => Some(Message::Bitfield(have.as_bytes().to_vec().into())),
    }
}
