//! From the last block of a piece to the resume record: hash, write, have, flush, save.

use super::hub::{Hub, Pending};
use super::swarm::Swarm;
use crate::io::{DiscoverRequest, Event, Failure, Op, OpError, OpResult, Rope};
use crate::peer::Peer;
use crate::torrent::Who;
use crate::types::{Bitfield, ConnId, Instant, Piece};
use crate::wire::Message;

/// A write that failed is tried again after this time: space may have come back.
const RETRY: std::time::Duration = std::time::Duration::from_secs(10);

impl Swarm {
    /// All blocks of a piece are there: it is hashed off the engine's thread.
    pub(super) fn on_all_blocks(&mut self, hub: &mut Hub, piece: Piece) {
        let Some(data) = &mut self.data else { return };
        let Some(partial) = data.partials.remove(&piece) else { return };
        data.storing.set(piece);
        let (rope, from) = partial.into_piece();
        hub.request(self.id, Op::Hash(rope.clone()), Pending::Hash { piece, data: rope, from });
    }

    pub(super) fn on_hashed(
        &mut self,
        hub: &mut Hub,
        now: Instant,
        piece: Piece,
        rope: Rope,
        from: &[Option<Who>],
        result: Result<OpResult, OpError>,
    ) {
        let Some(data) = &mut self.data else { return };
        match result {
            Ok(OpResult::Digest(digest)) if data.info.piece_hash(piece) == Some(digest) => {
                let liars = data.blame.passed(piece, &rope);
                self.write(hub, piece, rope);
                liars.into_iter().for_each(|who| self.ban(hub, now, who));
            }
            Ok(OpResult::Digest(_)) => self.on_corrupt(hub, now, piece, &rope, from),
            Ok(_) => self.unstore(hub, now, piece, rope.len() as u64),
            Err(error) => {
                self.unstore(hub, now, piece, rope.len() as u64);
                self.fail(hub, Failure::Storage(error));
            }
        }
    }

    fn on_corrupt(&mut self, hub: &mut Hub, now: Instant, piece: Piece, rope: &Rope, from: &[Option<Who>]) {
        hub.event(Event::Corrupt(self.id, piece));
        let liar = self.data.as_mut().and_then(|d| d.blame.failed(piece, rope, from));
        self.unstore(hub, now, piece, rope.len() as u64);
        liar.into_iter().for_each(|who| self.ban(hub, now, who));
    }

    /// A piece that is not had after all goes back to the picker, and its memory to whoever needs it.
    fn unstore(&mut self, hub: &mut Hub, now: Instant, piece: Piece, bytes: u64) {
        hub.release(bytes);
        if let Some(data) = &mut self.data {
            self.wasted += bytes - data.padding.in_piece(piece);
            data.storing.clear(piece);
        }
        self.reopen(hub, piece);
        self.fill_all(hub, now);
    }

    fn write(&mut self, hub: &mut Hub, piece: Piece, rope: Rope) {
        let Some(data) = &self.data else { return };
        let offset = data.lengths.offset(piece);
        hub.request(self.id, Op::Write { offset, data: rope.clone() }, Pending::Write { piece, data: rope });
    }

    pub(super) fn on_written(&mut self, hub: &mut Hub, now: Instant, piece: Piece, rope: Rope, result: Result<OpResult, OpError>) {
        let Some(data) = &mut self.data else { return };
        if let Err(error) = result {
            data.stuck.push((piece, rope));
            data.stuck_until = now + RETRY;
            return self.fail(hub, Failure::Storage(error));
        }
        if data.rewrite.clear(piece) {
            return self.write(hub, piece, rope);
        }
        let bytes = rope.len() as u64;
        hub.release(bytes);
        data.storing.clear(piece);
        data.have.set(piece);
        data.lacking -= u32::from(data.wanted.has(piece));
        data.unflushed.bytes += bytes;
        data.unflushed.since.get_or_insert(now);
        let recovered = data.stuck.is_empty() && self.failure.take().is_some();
        hub.event(Event::Piece(self.id, piece));
        self.tell_have(hub, piece, |_| true);
        self.count_had(hub, piece);
        if self.complete() {
            self.on_complete(hub, now);
        }
        self.flush_if_due(hub, now);
        if hub.starved.contains(&self.id) || recovered {
            self.fill_all(hub, now);
        }
    }

    /// BEP 3: everybody who lacks the piece learns that we have it.
    pub(super) fn tell_have(&mut self, hub: &mut Hub, piece: Piece, whom: impl Fn(&Peer) -> bool) {
        for (&conn, peer) in self.peers.iter_mut().filter(|(_, p)| !p.have.has(piece) && whom(p)) {
            peer.say(hub, conn, Message::Have(piece.get()));
        }
    }

    /// Nothing wanted is lacking any more.
    pub(super) fn on_complete(&mut self, hub: &mut Hub, now: Instant) {
        self.drop_partials(hub);
        let conns: Vec<ConnId> = self.peers.keys().copied().collect();
        for conn in conns {
            if let Err(reason) = self.redundant(conn) {
                self.drop_conn(hub, now, conn, reason);
            }
        }
    }

    /// Tries the writes again that storage refused.
    pub(super) fn retry_stuck(&mut self, hub: &mut Hub, now: Instant) {
        let Some(data) = &mut self.data else { return };
        if data.stuck.is_empty() || now < data.stuck_until {
            return;
        }
        for (piece, rope) in std::mem::take(&mut data.stuck) {
            self.write(hub, piece, rope);
        }
    }

    /// Flushes when enough was written, when it was written long enough ago, when it was the last, or when nothing follows because of a pause.
    pub(super) fn flush_if_due(&mut self, hub: &mut Hub, now: Instant) {
        let Some(data) = &self.data else { return };
        let Some(since) = data.unflushed.since else { return };
        let old = now.since(since) >= hub.config.flush_interval;
        let paused = self.paused && data.unflushed.bytes > 0;
        let due = old || paused || data.unflushed.bytes >= hub.config.max_unflushed || data.lacking == 0 || hub.shutting_down;
        if due && !data.unflushed.flushing && data.checking.is_none() {
            self.flush(hub);
        }
    }

    fn flush(&mut self, hub: &mut Hub) {
        let Some(data) = &mut self.data else { return };
        data.unflushed.flushing = true;
        data.unflushed.bytes = 0;
        data.unflushed.since = None;
        hub.request(self.id, Op::Flush, Pending::Flush { have: data.have.clone() });
    }

    /// What was written before the flush is durable: only now may the resume record say so.
    pub(super) fn on_flushed(&mut self, hub: &mut Hub, now: Instant, have: Bitfield, result: Result<OpResult, OpError>) {
        let Some(data) = &mut self.data else { return };
        if let Err(error) = result {
            data.unflushed.flushing = false;
            self.distrust_unflushed(hub, now);
            return self.fail(hub, Failure::Storage(error));
        }
        let have = data.beyond_doubt(have);
        let complete = data.wanted.ones().filter_map(|i| data.lengths.piece(i)).all(|p| have.has(p));
        data.durable = have.clone();
        let op = Op::Save { have, uploaded: self.uploaded, downloaded: self.downloaded };
        hub.request(self.id, op, Pending::Save { complete });
    }

    /// A failed flush may have dropped any of the writes before it, and the next one succeeds all the same, because the system counts what it
    /// dropped as clean. So all that was not flushed is fetched anew, and what is being written is written once more.
    fn distrust_unflushed(&mut self, hub: &mut Hub, now: Instant) {
        let Some(data) = &mut self.data else { return };
        let unflushed: Vec<Piece> = data.have.ones().filter_map(|i| data.lengths.piece(i)).filter(|piece| !data.durable.has(*piece)).collect();
        data.rewrite = data.storing.clone();
        data.unflushed.bytes = 0;
        data.unflushed.since = Some(now);
        self.forget(hub, now, &unflushed);
    }

    pub(super) fn on_saved(&mut self, hub: &mut Hub, now: Instant, complete: bool, result: Result<OpResult, OpError>) {
        let Some(data) = &mut self.data else { return };
        data.unflushed.flushing = false;
        match result {
            Ok(_) => {
                let recovered = data.stuck.is_empty() && self.failure.take().is_some();
                if complete {
                    self.say_finished(hub);
                } else if recovered {
                    self.fill_all(hub, now);
                }
            }
            Err(error) => {
                data.unflushed.since = Some(now);
                self.fail(hub, Failure::Storage(error));
            }
        }
        self.flush_if_due(hub, now);
    }

    /// Everything wanted is there, durable and beyond doubt: told once, until something is wanted anew.
    pub(super) fn say_finished(&mut self, hub: &mut Hub) {
        let Some(data) = &mut self.data else { return };
        if data.lacking > 0 || !data.recheck.is_over() || std::mem::replace(&mut data.said_finished, true) {
            return;
        }
        hub.event(Event::Finished(self.id));
        // BEP 3: of the whole download, which a selection of files is not.
        if !data.came_complete && data.have.is_all() && self.announced {
            hub.discover(self.id, DiscoverRequest::Completed);
        }
    }
}
