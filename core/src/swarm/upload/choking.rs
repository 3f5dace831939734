//! Choking and unchoking (BEP 3), and the pieces a newcomer gets while it is choked (BEP 6).

use std::net::IpAddr;
use std::time::Duration;

use super::Upload;
use super::allowed_fast::allowed_fast;
use super::choker::{Choker, Contender, Standing};
use super::peer::PeerUpload;
use crate::context::Context;
use crate::swarm::peers::{Peer, Peers};
use crate::swarm::storage::Pieces;
use crate::types::{ConnId, InfoHashV1, Piece};
use crate::wire::Message;

/// A peer counts as new to the optimistic unchoke for a minute.
const NEW: Duration = Duration::from_secs(60);
/// A seed lets a peer have its slot so long before others get their turn.
const TURN: Duration = Duration::from_secs(30);
/// A peer with fewer pieces than this may have some while it is choked (BEP 6).
const NEWCOMER: u32 = 10;
/// So many of them. BEP 6 suggests ten; but what is given away is not traded, and a slow seed with
/// many newcomers gave away all it had.
const ALLOWED_FAST: usize = 3;

impl Upload {
    /// A peer is there. BEP 6: a newcomer gets something to trade.
    pub(crate) fn add_peer(
        &mut self,
        cx: &mut Context,
        pieces: Option<&Pieces>,
        (conn, peer): (ConnId, &mut Peer),
        info_hash: InfoHashV1,
    ) {
        let mut known = PeerUpload::default();
        if let (Some(pieces), Some(IpAddr::V4(ip))) = (pieces, peer.addr.ip())
            && peer.fast
            && peer.have.count() < NEWCOMER
        {
            let set = allowed_fast(ip, info_hash, &pieces.lengths, ALLOWED_FAST);
            let had: Vec<Piece> = set.into_iter().filter(|p| pieces.have().has(*p)).collect();
            for piece in &had {
                peer.send(cx, conn, Message::AllowedFast(piece.get()));
            }
            known.allowed_fast = had;
        }
        self.peers.insert(conn, known);
    }

    /// A peer became interested: if a slot is free it need not wait for the next round.
    pub(crate) fn handle_interested(&mut self, cx: &mut Context, peers: &mut Peers, conn: ConnId) {
        let Some(peer) = peers.get_mut(conn) else {
            return;
        };
        peer.peer_interested = true;
        let unchoked = peers
            .iter()
            .filter(|(_, p)| !p.am_choking && p.peer_interested)
            .count();
        if Choker::has_room(unchoked, cx.config().unchoke_slots) {
            self.unchoke(cx, peers, conn);
        }
    }

    /// Decides anew who may request. A leech ranks peers by what they sent in the last two rounds.
    /// A seed receives nothing, and lets each in turn have its slot for a while.
    pub(crate) fn choke_round(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        seeding: bool,
        standing: impl Fn(ConnId) -> Standing,
    ) {
        let mut contenders = Vec::new();
        for (conn, peer) in peers.iter() {
            contenders.push(self.contender(cx, (conn, peer), seeding, standing(conn)));
        }
        let slots = cx.config().unchoke_slots;
        let chosen = self.choker.decide(&contenders, slots, &mut cx.shared.rng);
        for Contender { conn, .. } in contenders {
            if chosen.contains(&conn) {
                self.unchoke(cx, peers, conn);
            } else {
                self.choke(cx, peers, conn);
            }
        }
    }

    fn contender(
        &self,
        cx: &Context,
        (conn, peer): (ConnId, &Peer),
        seeding: bool,
        standing: Standing,
    ) -> Contender {
        let unchoked_at = self.peers.get(&conn).and_then(|known| known.unchoked_at);
        let in_turn = !peer.am_choking && unchoked_at.is_some_and(|at| cx.now.since(at) < TURN);
        Contender {
            conn,
            // BEP 21: a partial seed asks for nothing, whatever it said before.
            interested: peer.peer_interested && !peer.extensions.upload_only(),
            snubbed: standing.snubbed && !seeding,
            merit: if seeding {
                u64::from(in_turn)
            } else {
                standing.received
            },
            unchoked_at: unchoked_at.filter(|_| seeding),
            new: cx.now.since(peer.connected_at) < NEW,
        }
    }

    fn unchoke(&mut self, cx: &mut Context, peers: &mut Peers, conn: ConnId) {
        let Some(peer) = peers.get_mut(conn).filter(|peer| peer.am_choking) else {
            return;
        };
        peer.am_choking = false;
        peer.send(cx, conn, Message::Unchoke);
        self.peers.entry(conn).or_default().unchoked_at = Some(cx.now);
    }

    /// BEP 6: what a choked peer waits for is rejected, but for the pieces that it may have all the
    /// same.
    fn choke(&mut self, cx: &mut Context, peers: &mut Peers, conn: ConnId) {
        let Some(peer) = peers.get_mut(conn).filter(|peer| !peer.am_choking) else {
            return;
        };
        peer.am_choking = true;
        peer.send(cx, conn, Message::Choke);
        let Some(known) = self.peers.get_mut(&conn) else {
            return;
        };
        let allowed = std::mem::take(&mut known.allowed_fast);
        for block in known.remove_all_but(&allowed) {
            peer.reject(cx, conn, block.into());
        }
        known.allowed_fast = allowed;
    }
}
