//! Reading and hashing what is on disk, before the swarm is joined.

use std::collections::{BTreeSet, VecDeque};

use super::data::Data;
use super::hub::{Hub, Pending};
use super::swarm::Swarm;
use crate::ext::{Extension, donthave};
use crate::io::{CheckRange, CloseReason, Event, Failure, Op, OpError, OpResult};
use crate::types::{Instant, Piece};
use crate::wire::Message;

/// So many messages say what is gone; a handshake with a new bitfield says more in less.
const MAX_TOLD: usize = 256;

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

    /// One piece was read and hashed: while checking, or because something else may have changed it.
    pub(super) fn on_checked(&mut self, hub: &mut Hub, now: Instant, piece: Piece, result: Result<OpResult, OpError>) {
        let Some(data) = &mut self.data else { return };
        let Some(checking) = &mut data.checking else { return self.on_rechecked(hub, now, piece, &result) };
        let good = matches!(result, Ok(OpResult::Digest(digest)) if data.info.piece_hash(piece) == Some(digest));
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
        if data.seed_only {
            data.wanted = data.have.clone();
        }
        data.recount(&mut hub.rng);
        data.came_complete = data.have.is_all();
        // What a check found is worth a record: the next start need not read it all again.
        if checking.bytes > 0 {
            data.unflushed.since = Some(now);
        }
        hub.event(Event::Checked(self.id, data.have.count()));
        if data.lacking == 0 && checking.bytes == 0 {
            self.say_finished(hub);
        }
        self.flush_if_due(hub, now);
        self.recheck_more(hub, now);
        self.start(hub, now);
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
        if data.seed_only {
            for piece in &gone {
                data.wanted.clear(*piece);
            }
        }
        data.unflushed.since.get_or_insert(now);
        data.said_finished &= data.seed_only;
        data.recount(&mut hub.rng);
        self.reject_waiting(hub, &gone);
        self.tell_dont_have(hub, now, &gone);
        self.recount_peers(hub);
        true
    }

    /// BEP 6: who waits for what is gone is told.
    fn reject_waiting(&mut self, hub: &mut Hub, gone: &[Piece]) {
        let gone: BTreeSet<Piece> = gone.iter().copied().collect();
        for (&conn, peer) in &mut self.peers {
            let (lost, kept) = peer.wants.drain(..).partition::<VecDeque<_>, _>(|block| gone.contains(&block.piece()));
            peer.wants = kept;
            peer.allowed_out.retain(|piece| !gone.contains(piece));
            lost.into_iter().for_each(|block| peer.reject(hub, conn, block.into()));
        }
    }

    /// BEP 54: pieces that were announced are gone. Who cannot be told so, or would have to be told too much, hears it in a new handshake. A
    /// seed asks for nothing and need not know.
    fn tell_dont_have(&mut self, hub: &mut Hub, now: Instant, gone: &[Piece]) {
        let mut outdated = Vec::new();
        for (&conn, peer) in self.peers.iter_mut().filter(|(_, peer)| !peer.have.is_all()) {
            match peer.extensions.remote_id(Extension::DontHave).filter(|_| gone.len() <= MAX_TOLD) {
                Some(id) => gone.iter().for_each(|piece| peer.say(hub, conn, Message::Extended { id, payload: donthave::encode(piece.get()) })),
                None => outdated.push(conn),
            }
        }
        outdated.into_iter().for_each(|conn| self.drop_conn(hub, now, conn, CloseReason::Outdated));
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
