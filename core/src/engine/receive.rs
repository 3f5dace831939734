//! What peers say (BEP 3, 6), and what follows from it.

use bytes::Bytes;

use super::hub::Hub;
use super::request::{give_back, release_ownership};
use super::swarm::Swarm;
use crate::ext::donthave;
use crate::io::CloseReason;
use crate::peer::Peer;
use crate::torrent::Arrival;
use crate::types::{Bitfield, Block, ConnId, Instant, Piece};
use crate::wire::{Message, RawBlock};

/// Payload nobody asked for: so much is dropped before the connection is.
const UNSOLICITED: u64 = 64 * 1024;
/// Pieces a peer may offer as allowed-fast or, before the torrent's size is known, as had. More are ignored.
const MAX_ALLOWED_IN: usize = 64;
const MAX_EARLY_HAVES: usize = 10_000;

/// A peer that speaks and lets so many times [`crate::Config::max_unsent`] pile up is parted with.
const UNREAD: u64 = 2;

/// Either all is well, or the connection must end.
pub(super) type Verdict = Result<(), CloseReason>;

fn misbehaved(what: &'static str) -> Verdict {
    Err(CloseReason::Misbehaved(what))
}

impl Swarm {
    /// One message of a connected peer.
    pub(super) fn on_message(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, message: Message) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        peer.heard_at = now;
        let verdict = self.dispatch(hub, now, conn, message).and_then(|()| self.check_reading(hub, conn));
        if let Err(reason) = verdict {
            self.drop_conn(hub, now, conn, reason);
        }
    }

    /// Blocks wait until the queue to the socket has room; short answers cannot wait. Who goes on asking and reads none of them would fill our memory.
    fn check_reading(&self, hub: &Hub, conn: ConnId) -> Verdict {
        let most = hub.config.max_unsent.saturating_mul(UNREAD);
        if self.peers.get(&conn).is_some_and(|peer| peer.unsent > most) { misbehaved("it does not read what it is sent") } else { Ok(()) }
    }

    fn dispatch(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, message: Message) -> Verdict {
        match message {
            Message::Piece { index, begin, data } => self.on_piece(hub, now, conn, (index, begin), data),
            Message::Request(block) => self.on_request(hub, now, conn, block),
            Message::Have(index) => self.on_have(hub, now, conn, index),
            Message::Choke => self.on_choke(hub, now, conn),
            Message::Unchoke => self.on_unchoke(hub, now, conn),
            Message::Interested => self.on_interested(hub, now, conn),
            Message::NotInterested => self.on_not_interested(now, conn),
            Message::Bitfield(bytes) => self.on_bitfield(hub, now, conn, bytes),
            Message::Cancel(block) => self.on_cancel(hub, now, conn, block),
            Message::Extended { id, payload } => self.on_extended(hub, now, conn, id, payload),
            Message::Port(port) => self.on_port(hub, conn, port),
            Message::KeepAlive => Ok(()),
            fast => self.on_fast(hub, now, conn, fast),
        }
    }

    /// BEP 6: none of these may be sent unless both sides said that they speak it.
    fn on_fast(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, message: Message) -> Verdict {
        if !self.peers.get(&conn).is_some_and(|p| p.fast) {
            return misbehaved("a fast-extension message without the extension");
        }
        match message {
            Message::HaveAll => self.on_have_all(hub, now, conn),
            Message::HaveNone => self.first_word(conn),
            Message::Reject(block) => self.on_reject(hub, now, conn, block),
            Message::AllowedFast(index) => self.on_allowed_fast(hub, now, conn, index),
            _ => Ok(()),
        }
    }

    /// BEP 6: have-all and have-none come first or not at all.
    fn first_word(&mut self, conn: ConnId) -> Verdict {
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        if std::mem::replace(&mut peer.said_have, true) {
            return misbehaved("it said twice what it has");
        }
        Ok(())
    }

    /// BEP 3 has one bitfield, as the first message. Some clients (aria2) say later what is new in another one; what it adds counts as HAVEs.
    fn on_bitfield(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, bytes: Bytes) -> Verdict {
        let (data, Some(peer)) = (&self.data, self.peers.get_mut(&conn)) else { return Ok(()) };
        let first = !std::mem::replace(&mut peer.said_have, true);
        let Some(data) = data else {
            peer.early.bitfield = Some(bytes);
            return Ok(());
        };
        let Ok(have) = Bitfield::from_wire(&bytes, data.lengths.pieces()) else { return misbehaved("its bitfield does not fit the torrent") };
        if first {
            return self.learn(hub, now, conn, have);
        }
        let added: Vec<Piece> = have.ones().filter_map(|i| data.lengths.piece(i)).filter(|piece| !peer.have.has(*piece)).collect();
        added.into_iter().for_each(|piece| self.gained(conn, piece));
        self.use_gained(hub, now, conn)
    }

    fn on_have_all(&mut self, hub: &mut Hub, now: Instant, conn: ConnId) -> Verdict {
        self.first_word(conn)?;
        let pieces = self.pieces();
        match (&self.data, self.peers.get_mut(&conn)) {
            (Some(_), _) => self.learn(hub, now, conn, Bitfield::all(pieces)),
            (None, Some(peer)) => {
                peer.early.all = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What a peer has, all at once.
    pub(super) fn learn(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, have: Bitfield) -> Verdict {
        let (Some(data), Some(peer)) = (&mut self.data, self.peers.get_mut(&conn)) else { return Ok(()) };
        peer.counted_as_seed = have.is_all();
        if !peer.counted_as_seed {
            have.ones().filter_map(|i| data.lengths.piece(i)).for_each(|p| data.picker.gained(p));
        }
        (peer.useful, peer.pickable) = data.count_useful(&have);
        peer.have = have;
        self.redundant(conn)?;
        self.update_interest(hub, conn);
        self.fill(hub, now, conn);
        Ok(())
    }

    /// Two that want nothing of each other, seeds or partial ones (BEP 21), have nothing to say.
    pub(super) fn redundant(&self, conn: ConnId) -> Verdict {
        let wants_nothing = |p: &Peer| p.extensions.upload_only() || p.have.is_all() && !p.have.is_empty();
        if self.complete() && self.peers.get(&conn).is_some_and(wants_nothing) {
            return Err(CloseReason::Redundant);
        }
        Ok(())
    }

    /// BEP 54: a piece is gone. What was asked of it there is asked elsewhere.
    pub(super) fn on_dont_have(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, payload: &[u8]) -> Verdict {
        let (Some(data), Some(peer)) = (&mut self.data, self.peers.get_mut(&conn)) else { return Ok(()) };
        let Some(index) = donthave::decode(payload) else { return misbehaved("its lt_donthave is not four bytes long") };
        let Some(piece) = data.lengths.piece(index) else { return misbehaved("it lost a piece that the torrent has not") };
        if std::mem::take(&mut peer.counted_as_seed) {
            data.lengths.iter().for_each(|p| data.picker.gained(p));
        }
        if !peer.have.clear(piece) {
            return Ok(());
        }
        data.picker.lost(piece);
        peer.useful = peer.useful.saturating_sub(u32::from(data.lacks(piece)));
        peer.pickable = peer.pickable.saturating_sub(u32::from(data.picker.is_open(piece)));
        self.update_interest(hub, conn);
        if self.fetches(conn, piece) {
            self.give_back_piece(hub, conn, piece);
            self.fill_all(hub, now);
        }
        Ok(())
    }

    /// Whether a piece under way is this peer's to fetch, or was asked of it in part.
    fn fetches(&self, conn: ConnId, piece: Piece) -> bool {
        let owned = self.data.as_ref().and_then(|data| data.partials.get(&piece)).is_some_and(|partial| partial.owner == Some(conn));
        owned || self.peers.get(&conn).is_some_and(|peer| peer.asked.iter().any(|asked| asked.block.piece() == piece))
    }

    fn on_have(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, index: u32) -> Verdict {
        let (data, Some(peer)) = (&mut self.data, self.peers.get_mut(&conn)) else { return Ok(()) };
        peer.said_have = true;
        let Some(data) = data else {
            if peer.early.indices.len() < MAX_EARLY_HAVES {
                peer.early.indices.push(index);
            }
            return Ok(());
        };
        let Some(piece) = data.lengths.piece(index) else { return misbehaved("it has a piece that the torrent has not") };
        if peer.have.has(piece) {
            return Ok(());
        }
        self.gained(conn, piece);
        self.use_gained(hub, now, conn)
    }

    /// Counts a piece that a peer did not have before.
    fn gained(&mut self, conn: ConnId, piece: Piece) {
        let (Some(data), Some(peer)) = (&mut self.data, self.peers.get_mut(&conn)) else { return };
        if peer.have.set(piece) {
            data.picker.gained(piece);
            peer.useful += u32::from(data.lacks(piece));
            peer.pickable += u32::from(data.picker.is_open(piece));
        }
    }

    /// A peer has more than before: it may be of use now, or want nothing of us any more.
    fn use_gained(&mut self, hub: &mut Hub, now: Instant, conn: ConnId) -> Verdict {
        self.redundant(conn)?;
        self.update_interest(hub, conn);
        self.fill(hub, now, conn);
        Ok(())
    }

    /// Says that we are interested, or no longer, when that changes (BEP 3).
    pub(super) fn update_interest(&mut self, hub: &mut Hub, conn: ConnId) {
        let wants = !self.paused;
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let want = wants && peer.useful > 0;
        if peer.we_want != want {
            peer.we_want = want;
            let message = if want { Message::Interested } else { Message::NotInterested };
            peer.say(hub, conn, message);
        }
    }

    /// BEP 6: with the fast extension every request is still answered, by a block or a reject. Not all who say so do, and nobody need wait for it.
    fn on_choke(&mut self, hub: &mut Hub, now: Instant, conn: ConnId) -> Verdict {
        let Some(peer) = self.peers.get_mut(&conn).filter(|peer| !peer.chokes_us) else { return Ok(()) };
        peer.chokes_us = true;
        let (fast, owed) = (peer.fast, peer.in_flight() > 0);
        let freed = if fast { self.doubt_all(conn) } else { owed };
        if !fast {
            self.give_back_all(hub, conn, true);
        }
        if freed {
            self.fill_all(hub, now);
        }
        Ok(())
    }

    fn on_unchoke(&mut self, hub: &mut Hub, now: Instant, conn: ConnId) -> Verdict {
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        peer.chokes_us = false;
        peer.refusals.clear();
        peer.last_block = now;
        peer.pipeline.restart();
        peer.forgive_late(hub.config.max_requests_out);
        self.fill(hub, now, conn);
        Ok(())
    }

    fn on_allowed_fast(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, index: u32) -> Verdict {
        let (Some(data), Some(peer)) = (&self.data, self.peers.get_mut(&conn)) else { return Ok(()) };
        let Some(piece) = data.lengths.piece(index) else { return misbehaved("it allows a piece that the torrent has not") };
        if peer.allowed_in.len() < MAX_ALLOWED_IN && peer.allowed_in.insert(piece) {
            self.fill(hub, now, conn);
        }
        Ok(())
    }

    /// BEP 6: a request that will not be served. Others are asked for it at once. The peer itself is asked for the piece again after a pause, or the
    /// two would spin.
    fn on_reject(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, block: RawBlock) -> Verdict {
        let (Some(data), Some(peer)) = (&mut self.data, self.peers.get_mut(&conn)) else { return Ok(()) };
        let block = data.lengths.block(block.index, block.begin, block.length);
        let Some(asked) = block.and_then(|b| peer.take_asked(b)) else { return Ok(()) };
        let piece = asked.block.piece();
        give_back(data, asked);
        peer.allowed_in.remove(&piece);
        if !peer.chokes_us {
            peer.refusals.add(now, piece);
            peer.pipeline.on_reject();
        }
        release_ownership(data, peer, conn);
        if !asked.late {
            self.offer(hub, now, piece);
        }
        Ok(())
    }

    /// A block of a piece under way became free: the first peer that may be asked for it, and has room, is.
    fn offer(&mut self, hub: &mut Hub, now: Instant, piece: Piece) {
        let limit = hub.config.max_requests_out;
        let idle = |p: &Peer| p.in_flight() < p.pipeline.depth(limit.min(p.extensions.request_limit()));
        let taker = self.peers.iter().find(|(_, p)| p.may_ask(now, piece) && idle(p)).map(|(conn, _)| *conn);
        taker.into_iter().for_each(|conn| self.fill(hub, now, conn));
    }

    /// A block of data. The hot path.
    fn on_piece(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, at: (u32, u32), bytes: Bytes) -> Verdict {
        let (Some(data), Some(peer)) = (&mut self.data, self.peers.get_mut(&conn)) else { return Ok(()) };
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let Some(block) = data.lengths.block(at.0, at.1, length) else { return misbehaved("it sent a block that the torrent has not") };
        let Some(was_late) = accept(peer, block, now) else {
            return self.unsolicited(conn, u64::from(length));
        };
        self.downloaded += u64::from(length);
        self.down.add(now, u64::from(length));
        peer.down.add(now, u64::from(length));
        peer.gave[0] += u64::from(length);
        let who = peer.who();
        let arrival = data.partials.get_mut(&block.piece()).map(|p| (p.arrived(block.number(), bytes, who, !was_late), p.missing()));
        match arrival {
            None | Some((Arrival::Duplicate, _)) => self.wasted += u64::from(length),
            Some((Arrival::Taken { others }, missing)) => {
                if others > 0 {
                    self.cancel_elsewhere(hub, block);
                }
                if missing == 0 {
                    self.on_all_blocks(hub, block.piece());
                }
            }
        }
        self.fill(hub, now, conn);
        Ok(())
    }

    fn unsolicited(&mut self, conn: ConnId, bytes: u64) -> Verdict {
        self.wasted += bytes;
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        peer.unsolicited += bytes;
        if peer.unsolicited > UNSOLICITED { misbehaved("it sent blocks that nobody asked for") } else { Ok(()) }
    }

    /// Endgame: whoever else was asked for this block need not send it.
    fn cancel_elsewhere(&mut self, hub: &mut Hub, block: Block) {
        for (&conn, peer) in &mut self.peers {
            if peer.take_asked(block).is_some() {
                peer.forgive(block, hub.config.max_requests_out);
                peer.say(hub, conn, Message::Cancel(block.into()));
            }
        }
    }

    /// A piece that a peer has is had by us now: it is of use to us no more.
    pub(super) fn count_had(&mut self, hub: &mut Hub, piece: Piece) {
        let mut bored = Vec::new();
        for (&conn, peer) in self.peers.iter_mut().filter(|(_, p)| p.have.has(piece)) {
            peer.useful = peer.useful.saturating_sub(1);
            if peer.useful == 0 {
                bored.push(conn);
            }
        }
        bored.into_iter().for_each(|conn| self.update_interest(hub, conn));
    }
}

/// Whether this peer was asked for the block: `None` if not, else whether it was given up as late or cancelled.
fn accept(peer: &mut Peer, block: Block, now: Instant) -> Option<bool> {
    let late = match peer.take_answered(block) {
        Some(asked) => {
            peer.pipeline.on_block(now, u64::from(block.length()), now.since(asked.at));
            asked.late
        }
        None if peer.take_forgiven(block) => true,
        None => return None,
    };
    peer.last_block = now;
    peer.snubbed = false;
    peer.refusals.lift(block.piece());
    Some(late)
}
