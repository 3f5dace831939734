//! Choking and unchoking (BEP 3), and the pieces that a new peer may request while it is choked
//! (BEP 6).

use std::net::IpAddr;
use std::time::Duration;

use super::Upload;
use super::allowed_fast::allowed_fast;
use super::choker::{Choker, Contender, Contribution};
use super::peer::PeerUpload;
use crate::context::Context;
use crate::swarm::peers::{Peer, Peers};
use crate::swarm::storage::Pieces;
use crate::types::{ConnId, InfoHashV1, Piece, sort};
use crate::wire::Message;

/// The time for which a peer counts as new for the optimistic unchoke.
const NEW: Duration = Duration::from_secs(60);
/// The time for which a seed keeps a peer unchoked before others get a turn.
const TURN: Duration = Duration::from_secs(30);
/// The number of pieces below which a peer gets an allowed-fast set (BEP 6).
const NEWCOMER: u32 = 10;
/// The size of the allowed-fast set. BEP 6 suggests ten, but these pieces are given away without
/// trade: with many new peers, a slow seed would spend all its bandwidth on them.
const ALLOWED_FAST: usize = 3;

impl Upload {
    /// Adds a peer. BEP 6: a new peer gets an allowed-fast set.
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
            let had: Vec<Piece> = set
                .into_iter()
                .filter(|p| pieces.is_announced(*p))
                .collect();
            for piece in &had {
                peer.send(cx, conn, Message::AllowedFast(piece.get()));
            }
            known.allowed_fast = had;
        }
        self.peers.insert(conn, known);
    }

    /// Handles a peer that became interested: if a slot is free, it is unchoked immediately.
    pub(crate) fn handle_interested(&mut self, cx: &mut Context, peers: &mut Peers, conn: ConnId) {
        let Some(peer) = peers.get_mut(conn) else {
            return;
        };
        peer.peer_interested = true;
        if Choker::room(unchoked(peers), cx.config().unchoke_slots) > 0 {
            self.unchoke(cx, peers, conn);
        }
    }

    /// Gives slots that became free to the peers that have waited for longest, since the next round
    /// may be ten seconds away.
    pub(crate) fn fill_slots(&mut self, cx: &mut Context, peers: &mut Peers) {
        let free = Choker::room(unchoked(peers), cx.config().unchoke_slots);
        if free == 0 {
            return;
        }
        let waiting = peers.iter().filter(|(_, p)| p.am_choking && wants(p));
        let last = |conn| self.peers.get(&conn).and_then(|known| known.unchoked_at);
        let mut waiting: Vec<_> = waiting.map(|(conn, _)| (last(conn), conn)).collect();
        sort::sort(&mut waiting);
        for (_, conn) in waiting.into_iter().take(free) {
            self.unchoke(cx, peers, conn);
        }
    }

    /// Selects the unchoked peers. A leech ranks peers by what they sent in the last two rounds. A
    /// seed receives nothing, and gives each peer a slot in turn.
    pub(crate) fn choke_round(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        seeding: bool,
        contribution: impl Fn(ConnId) -> Contribution,
    ) {
        let mut contenders = Vec::new();
        for (conn, peer) in peers.iter() {
            contenders.push(self.contender(cx, (conn, peer), seeding, contribution(conn)));
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
        contribution: Contribution,
    ) -> Contender {
        let unchoked_at = self.peers.get(&conn).and_then(|known| known.unchoked_at);
        let in_turn = !peer.am_choking && unchoked_at.is_some_and(|at| cx.now.since(at) < TURN);
        Contender {
            conn,
            interested: wants(peer),
            snubbed: contribution.snubbed && !seeding,
            merit: if seeding {
                u64::from(in_turn)
            } else {
                contribution.received
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
        self.peers
            .get_or_insert_with(conn, Default::default)
            .unchoked_at = Some(cx.now);
    }

    /// Chokes a peer. BEP 6: its pending requests are rejected, except for allowed-fast pieces.
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

/// Whether a peer may request blocks. BEP 21: a partial seed requests none, whatever it announced
/// before.
fn wants(peer: &Peer) -> bool {
    peer.peer_interested && !peer.extensions.upload_only()
}

/// The number of slots that are in use.
fn unchoked(peers: &Peers) -> usize {
    let taken = |p: &Peer| !p.am_choking && p.peer_interested;
    peers.iter().filter(|(_, p)| taken(p)).count()
}
