//! Serving: requests in, blocks out, never more read from disk than the peer's socket takes.

use bytes::Bytes;

use super::hub::{Hub, Pending};
use super::receive::Verdict;
use super::swarm::Swarm;
use crate::io::{CloseReason, Op};
use crate::peer::Peer;
use crate::types::{Block, ConnId, Instant, Piece};
use crate::wire::{Message, RawBlock};

/// A request for more than this is refused: 128 KiB, eight times what is usual.
const MAX_BLOCK: u32 = 128 * 1024;
/// Requests for what is not there, before the connection ends.
const MAX_INVALID: u32 = 300;
/// One read covers requests that follow each other, up to so many bytes.
const MAX_READ: u32 = 256 * 1024;
/// Wire bytes that may be queued for the slowest of peers.
const LEAST_UNSENT: u64 = 64 * 1024;
/// A peer without the fast extension cannot be told that its queue is too long: it may be so many times longer before that is misbehaviour.
const SILENT_EXCESS: usize = 4;

impl From<Block> for RawBlock {
    fn from(b: Block) -> Self {
        Self { index: b.piece().get(), begin: b.begin(), length: b.length() }
    }
}

impl Swarm {
    pub(super) fn on_interested(&mut self, hub: &mut Hub, now: Instant, conn: ConnId) -> Verdict {
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.wants_us = true;
            peer.useless_since = now;
        }
        self.offer_seat(hub, now, conn);
        Ok(())
    }

    pub(super) fn on_not_interested(&mut self, now: Instant, conn: ConnId) -> Verdict {
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.wants_us = false;
            peer.useless_since = now;
        }
        Ok(())
    }

    pub(super) fn on_request(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, raw: RawBlock) -> Verdict {
        let (data, Some(peer)) = (&self.data, self.peers.get_mut(&conn)) else { return Ok(()) };
        let valid = data.as_ref().and_then(|d| d.lengths.block(raw.index, raw.begin, raw.length).filter(|b| d.have.has(b.piece())));
        let Some(block) = valid.filter(|b| b.length() <= MAX_BLOCK) else {
            peer.invalid_requests += 1;
            peer.reject(hub, conn, raw);
            return if peer.invalid_requests > MAX_INVALID { Err(CloseReason::Misbehaved("it asked for what is not there")) } else { Ok(()) };
        };
        if peer.choked && !peer.allowed_out.contains(&block.piece()) {
            peer.reject(hub, conn, raw);
            return Ok(());
        }
        if peer.waits_for(block) {
            return Ok(());
        }
        let waiting = peer.wants.len() + peer.reading.len();
        if waiting >= hub.config.max_requests_in {
            peer.reject(hub, conn, raw);
            let flood = !peer.fast && waiting >= hub.config.max_requests_in * SILENT_EXCESS;
            if flood || peer.fast {
                return if flood { Err(CloseReason::Misbehaved("it has too many requests waiting")) } else { Ok(()) };
            }
        }
        peer.wants.push_back(block);
        self.serve(hub, now, conn);
        Ok(())
    }

    /// BEP 6: a cancelled request is answered too, with a reject if not with the block.
    pub(super) fn on_cancel(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, raw: RawBlock) -> Verdict {
        let (Some(data), Some(peer)) = (&self.data, self.peers.get_mut(&conn)) else { return Ok(()) };
        if let Some(block) = data.lengths.block(raw.index, raw.begin, raw.length).filter(|b| peer.waits_for(*b)) {
            peer.wants.retain(|b| *b != block);
            peer.reading.retain(|b| *b != block);
            peer.reject(hub, conn, raw);
            self.serve(hub, now, conn);
        }
        Ok(())
    }

    /// Reads for one peer as long as its queue to the socket has room.
    pub(super) fn serve(&mut self, hub: &mut Hub, now: Instant, conn: ConnId) {
        let next = self.peers.get(&conn).and_then(|peer| peer.wants.front().copied());
        if self.must_wait(hub, now, next) {
            return;
        }
        let (Some(data), Some(peer)) = (&self.data, self.peers.get_mut(&conn)) else { return };
        while peer.has_room(now, hub.config.max_unsent)
            && peer.wants.front().is_some_and(|block| !data.recheck.doubts(block.piece()))
            && hub.up.ready(now)
        {
            let blocks = peer.next_run();
            let Some(first) = blocks.first().copied() else { return };
            let length = blocks.iter().map(|b| b.length()).sum::<u32>();
            hub.up.spend(u64::from(length));
            let offset = data.lengths.offset(first.piece()) + u64::from(first.begin());
            hub.request(self.id, Op::Read { offset, length }, Pending::Read { conn, blocks });
        }
    }

    /// Serves everybody: after the limit on uploads left room again.
    pub(super) fn serve_all(&mut self, hub: &mut Hub, now: Instant) {
        let conns: Vec<ConnId> = self.peers.keys().copied().collect();
        conns.into_iter().for_each(|conn| self.serve(hub, now, conn));
    }

    /// Bytes were read. Blocks that were cancelled meanwhile are left out.
    pub(super) fn on_read(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, blocks: &[Block], bytes: &Bytes) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let mut at = 0usize;
        for &block in blocks {
            let end = at + block.length() as usize;
            let part = bytes.len() >= end;
            if let (true, Some(i)) = (part, peer.reading.iter().position(|b| *b == block)) {
                peer.reading.remove(i);
                self.uploaded += u64::from(block.length());
                self.up.add(now, u64::from(block.length()));
                peer.up.add(now, u64::from(block.length()));
                peer.say(hub, conn, Message::Piece { index: block.piece().get(), begin: block.begin(), data: bytes.slice(at..end) });
            }
            at = end;
        }
        self.serve(hub, now, conn);
    }

    /// Bytes could not be read: the piece is looked at again, and the requests wait for the outcome.
    pub(super) fn on_unreadable(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, blocks: &[Block], piece: Piece) {
        if let Some(peer) = self.peers.get_mut(&conn) {
            for block in blocks.iter().rev() {
                if let Some(at) = peer.reading.iter().position(|reading| reading == block) {
                    peer.reading.remove(at);
                    peer.wants.push_front(*block);
                }
            }
        }
        self.recheck(hub, now, piece);
        self.serve(hub, now, conn);
    }

    /// The driver's queue for this peer is shorter by so many bytes.
    pub(super) fn on_sent(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, bytes: u64) {
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.unsent = peer.unsent.saturating_sub(bytes);
            peer.drained.add(now, bytes);
        }
        self.serve(hub, now, conn);
    }
}

impl Peer {
    /// Queues one message for the peer.
    pub(super) fn say(&mut self, hub: &mut Hub, conn: ConnId, message: Message) {
        self.unsent += message.wire_len();
        self.said = true;
        hub.send(conn, message);
    }

    /// BEP 6: says that a request will not be served. Without the extension there is no way to say it.
    pub(super) fn reject(&mut self, hub: &mut Hub, conn: ConnId, raw: RawBlock) {
        if self.fast {
            self.say(hub, conn, Message::Reject(raw));
        }
    }

    /// A queue of one second at the peer's rate keeps its socket busy; more would only make what it cancels, and all else we say, come late.
    fn has_room(&self, now: Instant, bound: u64) -> bool {
        let reading: u64 = self.reading.iter().map(|b| u64::from(b.length())).sum();
        self.unsent + reading < self.drained.get(now).clamp(LEAST_UNSENT, bound.max(LEAST_UNSENT))
    }

    /// The next requests that one read can serve, moved from waiting to reading.
    fn next_run(&mut self) -> Vec<Block> {
        let mut run: Vec<Block> = Vec::new();
        let mut length = 0;
        while let Some(&block) = self.wants.front() {
            let follows = run.last().is_none_or(|last: &Block| last.piece() == block.piece() && last.begin() + last.length() == block.begin());
            if !follows || length + block.length() > MAX_READ {
                break;
            }
            length += block.length();
            self.wants.pop_front();
            self.reading.push_back(block);
            run.push(block);
        }
        run
    }
}
