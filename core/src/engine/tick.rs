//! What time asks for, once a second: choking, late blocks, keep-alives, flushes, dials.

use std::time::Duration;

use super::hub::Hub;
use super::receive::Verdict;
use super::swarm::Swarm;
use crate::io::{CloseReason, DiscoverRequest};
use crate::peer::Peer;
use crate::torrent::{Choker, Contender};
use crate::types::{ConnId, Instant};
use crate::wire::Message;

/// The engine looks round so often.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// Choking is decided anew every so many ticks (BEP 3: 10 s).
pub(super) const CHOKE_TICKS: u32 = 10;
/// A keep-alive goes out after so many ticks of silence: well within the two minutes of BEP 3.
const KEEP_ALIVE_TICKS: u32 = 90;
/// A peer counts as new to the optimistic unchoke for a minute.
const NEW: Duration = Duration::from_secs(60);
/// A seed lets a peer have its seat so long before others get their turn.
const SEAT: Duration = Duration::from_secs(30);
/// With fewer peers and addresses than this, discovery is asked for more.
const FEW: usize = 10;
/// But at most this often; discovery then waits for as long as its trackers want.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// A leech ranks peers by what they gave in the last two rounds. A seed gets nothing, and lets each in turn have its seat for a while.
fn contender(conn: ConnId, p: &mut Peer, now: Instant, seeding: bool) -> Contender {
    let seated = !p.choked && p.unchoked_at.is_some_and(|at| now.since(at) < SEAT);
    let merit = if seeding { u64::from(seated) } else { p.gave[0] + p.gave[1] };
    p.gave = [0, p.gave[0]];
    Contender {
        conn,
        // BEP 21: who is a partial seed asks for nothing, whatever it said before.
        interested: p.wants_us && !p.extensions.upload_only(),
        snubbed: p.snubbed && !seeding,
        merit,
        unchoked_at: p.unchoked_at.filter(|_| seeding),
        new: now.since(p.connected_at) < NEW,
    }
}

impl Swarm {
    /// Returns when the next dial may be made, if one waits for its turn.
    pub(super) fn tick(&mut self, hub: &mut Hub, now: Instant) -> Option<Instant> {
        self.ticks = self.ticks.wrapping_add(1);
        let conns: Vec<ConnId> = self.peers.keys().copied().collect();
        for conn in conns {
            self.tick_peer(hub, now, conn);
        }
        if self.ticks.is_multiple_of(CHOKE_TICKS) {
            self.choke_round(hub, now);
        }
        self.retry_stuck(hub, now);
        self.settle_recheck(hub, now);
        self.flush_if_due(hub, now);
        self.tick_metadata(hub, now);
        self.tell_upload_only(hub);
        self.tell_peers(hub, now);
        self.ask_for_more(hub, now);
        self.fill_all(hub, now);
        self.dial_some(hub, now)
    }

    fn tick_peer(&mut self, hub: &mut Hub, now: Instant, conn: ConnId) {
        self.expire_requests(hub, now, conn);
        if let Err(reason) = self.keep_alive(hub, now, conn) {
            self.drop_conn(hub, now, conn, reason);
        }
    }

    fn keep_alive(&mut self, hub: &mut Hub, now: Instant, conn: ConnId) -> Verdict {
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        if now.since(peer.heard_at) >= hub.config.silence_timeout {
            return Err(CloseReason::Silent);
        }
        peer.quiet_ticks = if std::mem::take(&mut peer.said) { 0 } else { peer.quiet_ticks + 1 };
        if peer.quiet_ticks >= KEEP_ALIVE_TICKS {
            peer.say(hub, conn, Message::KeepAlive);
        }
        Ok(())
    }

    fn choke_round(&mut self, hub: &mut Hub, now: Instant) {
        let seeding = self.complete();
        let contenders: Vec<Contender> = self.peers.iter_mut().map(|(&conn, p)| contender(conn, p, now, seeding)).collect();
        let chosen = self.choker.decide(&contenders, hub.config.unchoke_slots, &mut hub.rng);
        for Contender { conn, .. } in contenders {
            if chosen.contains(&conn) { self.unchoke(hub, now, conn) } else { self.choke(hub, conn) }
        }
    }

    /// A peer became interested: if a seat is free it need not wait for the next round.
    pub(super) fn offer_seat(&mut self, hub: &mut Hub, now: Instant, conn: ConnId) {
        let seated = self.peers.values().filter(|p| !p.choked && p.wants_us).count();
        if Choker::has_room(seated, hub.config.unchoke_slots) {
            self.unchoke(hub, now, conn);
        }
    }

    fn unchoke(&mut self, hub: &mut Hub, now: Instant, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(&conn).filter(|p| p.choked) else { return };
        peer.choked = false;
        peer.unchoked_at = Some(now);
        peer.say(hub, conn, Message::Unchoke);
    }

    /// BEP 6: what a choked peer waits for is rejected, but for the pieces that it may have all the same.
    fn choke(&mut self, hub: &mut Hub, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(&conn).filter(|p| !p.choked) else { return };
        peer.choked = true;
        peer.say(hub, conn, Message::Choke);
        let keep = std::mem::take(&mut peer.allowed_out);
        let waiting: Vec<_> = peer.wants.iter().chain(&peer.reading).copied().filter(|b| !keep.contains(&b.piece())).collect();
        peer.wants.retain(|b| keep.contains(&b.piece()));
        peer.reading.retain(|b| keep.contains(&b.piece()));
        peer.allowed_out = keep;
        waiting.into_iter().for_each(|block| peer.reject(hub, conn, block.into()));
    }

    fn ask_for_more(&mut self, hub: &mut Hub, now: Instant) {
        // What an engine knows that never dials brings it nobody.
        let known = if hub.config.max_dialling == 0 { 0 } else { self.candidates.idle() };
        let few = self.peers.len() < FEW && known < FEW;
        if few && self.announced && !self.complete() && now.since(self.asked_more_at) >= ASK_AGAIN {
            self.asked_more_at = now;
            hub.discover(self.id, DiscoverRequest::More);
        }
    }
}
