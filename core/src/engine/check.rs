//! Reading and hashing what is on disk, before the swarm is joined.

use super::data::Data;
use super::hub::{Hub, Pending};
use super::swarm::Swarm;
use crate::ext::{Extension, donthave};
use crate::io::{CheckRange, Event, Failure, Op, OpError, OpResult};
use crate::types::{Instant, Piece};
use crate::wire::Message;

impl Swarm {
    /// Keeps some checks in flight; when none is left, joins the swarm.
    pub(super) fn check_more(&mut self, hub: &mut Hub, now: Instant) {
        let Some(data) = &mut self.data else { return };
        let Some(checking) = &mut data.checking else { return };
        while !self.paused && self.failure.is_none() && checking.in_flight < hub.config.checks_in_flight {
            let Some(piece) = checking.todo.pop_front() else { break };
            checking.in_flight += 1;
            let range = CheckRange { piece, offset: data.lengths.offset(piece), length: data.lengths.size(piece) };
            hub.request(self.id, Op::Check(range), Pending::Check { piece });
        }
        if checking.todo.is_empty() && checking.in_flight == 0 {
            self.end_check(hub, now);
        }
    }

    /// One piece was read and hashed: while checking, or because it could not be served.
    pub(super) fn on_checked(&mut self, hub: &mut Hub, now: Instant, piece: Piece, result: Result<OpResult, OpError>) {
        let Some(data) = &mut self.data else { return };
        let good = matches!(result, Ok(OpResult::Digest(digest)) if data.info.piece_hash(piece) == Some(digest));
        let Some(checking) = &mut data.checking else { return self.on_rechecked(hub, now, piece, good) };
        checking.in_flight -= 1;
        match result {
            Err(error) => {
                checking.todo.push_front(piece);
                self.fail(hub, Failure::Storage(error));
            }
            Ok(_) => {
                checking.bytes += u64::from(data.lengths.size(piece));
                if !good && checking.sample.has(piece) {
                    data.suspect(piece);
                }
                mark(&mut data.have, piece, good);
                mark(&mut data.durable, piece, good);
            }
        }
        self.check_more(hub, now);
    }

    fn end_check(&mut self, hub: &mut Hub, now: Instant) {
        let Some(data) = &mut self.data else { return };
        let Some(checking) = data.checking.take() else { return };
        data.recount(&mut hub.rng);
        data.came_complete = data.have.is_all();
        // What a check found is worth a record: the next start need not read it all again.
        if checking.bytes > 0 {
            data.unflushed_since = Some(now);
        }
        hub.event(Event::Checked(self.id, data.have.count()));
        if data.lacking == 0 && checking.bytes == 0 {
            self.say_finished(hub);
        }
        self.flush_if_due(hub, now);
        self.start(hub, now);
    }

    /// A piece that could not be read is looked at again; if it is not what it was, it is fetched anew.
    pub(super) fn recheck(&mut self, hub: &mut Hub, piece: Piece) {
        let Some(data) = &self.data else { return };
        let range = CheckRange { piece, offset: data.lengths.offset(piece), length: data.lengths.size(piece) };
        hub.request(self.id, Op::Check(range), Pending::Check { piece });
    }

    fn on_rechecked(&mut self, hub: &mut Hub, now: Instant, piece: Piece, good: bool) {
        if !good && self.forget(hub, now, &[piece]) {
            self.fill_all(hub, now);
        }
    }

    /// What was had is not there, or may not be: it is to be fetched anew. Says whether anything was had.
    pub(super) fn forget(&mut self, hub: &mut Hub, now: Instant, pieces: &[Piece]) -> bool {
        let Some(data) = &mut self.data else { return false };
        let gone: Vec<Piece> = pieces.iter().copied().filter(|piece| data.have.clear(*piece)).collect();
        if gone.is_empty() {
            return false;
        }
        for piece in &gone {
            data.durable.clear(*piece);
        }
        data.unflushed_since.get_or_insert(now);
        data.said_finished = false;
        data.recount(&mut hub.rng);
        gone.into_iter().for_each(|piece| self.tell_dont_have(hub, piece));
        self.recount_peers(hub);
        true
    }

    /// BEP 54: a piece that was announced is gone.
    fn tell_dont_have(&mut self, hub: &mut Hub, piece: Piece) {
        for (&conn, peer) in &mut self.peers {
            if let Some(id) = peer.extensions.remote_id(Extension::DontHave) {
                peer.say(hub, conn, Message::Extended { id, payload: donthave::encode(piece.get()) });
            }
        }
    }
}

impl Data {
    /// A sample is wrong although its files look untouched: what else is had of these files may be wrong, too, and is to be read.
    fn suspect(&mut self, piece: Piece) {
        let Some(checking) = &mut self.checking else { return };
        let (offset, length) = (self.lengths.offset(piece), u64::from(self.lengths.size(piece)));
        for file in self.info.layout(offset, length).filter_map(|span| self.info.files.get(span.file)) {
            self.lengths.pieces_of(file.offset, file.size).filter(|piece| self.have.has(*piece)).for_each(|piece| checking.list(piece));
        }
    }
}

fn mark(set: &mut crate::types::Bitfield, piece: Piece, good: bool) {
    if good {
        set.set(piece)
    } else {
        set.clear(piece)
    };
}
