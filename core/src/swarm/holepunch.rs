//! Holepunching (BEP 55): whom we ask for introductions to peers that cannot be dialled, and which
//! introductions we follow.
//!
//! A peer that cannot be dialled, or not within [`HEAD_START`], may be behind a NAT. If it supports
//! holepunching, a connected peer that named it (BEP 11) is asked to introduce us. Then both sides
//! dial over uTP at the same time. The bounds: `peers/introductions.rs` for each attempt,
//! `peers/candidates.rs` for the number of attempts per address, `extensions/holepunch` for the
//! requests per relaying peer.
//!
//! An introduction that we did not ask for is followed, too, since the other peer asked for it. But
//! anybody can say so of any address. It is therefore treated as an address from peer exchange: it
//! must be usable and within its source's share of the candidates. It is dropped if the dial fails,
//! and `context/unasked.rs` limits how many are followed.

use std::net::SocketAddr;
use std::time::Duration;

use super::transfer::Transfer;
use crate::context::Context;
use crate::extensions::PexFlags;
use crate::io::{CloseReason, DialKind};
use crate::swarm::peers::{Peer, Peers, Refused};
use crate::types::{ConnId, InfoHashV1, PeerAddr};

/// The time after which a dial to a peer that may be behind a NAT is slow: most others have
/// answered by then.
const HEAD_START: Duration = Duration::from_secs(2);

/// What opens connections this way for one torrent.
pub(super) struct Holepunching<'a> {
    info_hash: InfoHashV1,
    peers: &'a mut Peers,
}

impl Transfer {
    /// `None`: we open no connections this way. That is so for a private torrent (BEP 27), and if
    /// the user wants no addresses from peers.
    pub(super) fn holepunching(&mut self, cx: &Context) -> Option<Holepunching<'_>> {
        let dials = cx.config().utp && cx.config().max_dialling > 0 && !cx.shared.shutting_down;
        let is_on = dials && self.state.exchanges(cx) && self.state.is_active(cx);
        is_on.then_some(Holepunching {
            info_hash: self.info_hash.wire(),
            peers: &mut self.peers,
        })
    }
}

impl Holepunching<'_> {
    /// Asks for introductions to peers that are slow to answer, and asks other peers for those that
    /// were not made in time.
    pub(super) fn tick(&mut self, cx: &mut Context) {
        let overdue: Vec<_> = self.peers.introductions.overdue(cx.now).collect();
        for target in overdue {
            self.ask_next(cx, target);
        }
        for target in self.peers.take_slow_dials(cx.now, HEAD_START) {
            self.seek_introduction(cx, target);
        }
    }

    /// Asks for an introduction to a peer that cannot be dialled, if one may help and none is under
    /// way.
    pub(super) fn seek_introduction(&mut self, cx: &mut Context, target: PeerAddr) {
        let introduces = |(_, peer): (ConnId, &Peer)| {
            let target = target.socket_addr();
            target.is_some_and(|target| peer.extensions.introduces(target))
        };
        if self.peers.introductions.has_room_for(target)
            && self.peers.iter().any(introduces)
            && self.peers.candidates.count_introduction(target)
        {
            self.ask_next(cx, target);
        }
    }

    /// Asks the next connected peer that may introduce us. If there is none, or no need any more,
    /// none is asked.
    fn ask_next(&mut self, cx: &mut Context, target: PeerAddr) {
        let is_connected = self.peers.is_connected(cx, target);
        if is_connected || !self.peers.request_introduction(cx, target) {
            self.peers.introductions.give_up(target);
        }
    }

    /// Handles an introduction: dials a peer that dials us at the same time.
    pub(super) fn handle_introduced(&mut self, cx: &mut Context, relay: ConnId, addr: SocketAddr) {
        let target = PeerAddr::from(addr);
        let Some(informant) = self.peers.get(relay).map(|peer| peer.addr) else {
            return;
        };
        match self.peers.introductions.take_made(relay, target) {
            Some(asked_for) => self.end_direct_dial(cx, asked_for),
            None if cx.shared.unasked.admits(cx.now, informant) => {}
            None => return,
        }
        let candidates = &mut self.peers.candidates;
        let flags = PexFlags::UTP.with(PexFlags::HOLEPUNCH);
        let is_passing = match candidates.add_told(addr, flags, informant) {
            Ok(()) => true,
            Err(Refused::Known) => false,
            Err(_) => return,
        };
        let dials = self
            .peers
            .dial_now(cx, self.info_hash, (target, is_passing));
        if is_passing && !dials {
            self.peers.candidates.forget(target);
        }
    }

    /// Handles the answer that an introduction is impossible, which another peer may be able to
    /// make.
    pub(super) fn handle_not_introduced(
        &mut self,
        cx: &mut Context,
        relay: ConnId,
        addr: SocketAddr,
    ) {
        let target = PeerAddr::from(addr);
        if self.peers.introductions.awaits(relay, target) {
            self.ask_next(cx, target);
        }
    }

    /// Handles the end of a connection whose peer may have been asked for introductions.
    pub(super) fn handle_relay_left(&mut self, cx: &mut Context, relay: ConnId) {
        let awaited: Vec<_> = self.peers.introductions.awaited(relay).collect();
        for target in awaited {
            self.ask_next(cx, target);
        }
    }

    /// The introduced peer is dialled over uTP from now on, so its direct dial has failed.
    fn end_direct_dial(&mut self, cx: &mut Context, addr: PeerAddr) {
        let Some(conn) = self.peers.dial_to(addr, DialKind::Direct) else {
            return;
        };
        self.peers.take_dial(cx, conn);
        self.peers.candidates.failed(cx.now, addr);
        cx.shared.routes.push((conn, None));
        cx.close(conn, CloseReason::Duplicate);
    }
}
