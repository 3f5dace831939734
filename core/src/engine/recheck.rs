//! Reading and hashing again what something else may have changed, while the torrent goes on.
//!
//! A piece that waits for this is *doubted*: it stays had, as most changes are harmless, but it is not served, newcomers do not hear of it, and
//! nothing is called finished before the last doubt is gone. Requests for it wait.

use std::collections::{BTreeSet, VecDeque};

use super::data::Data;
use super::hub::{Hub, Pending};
use super::swarm::Swarm;
use crate::io::{CheckRange, Event, FileChange, Op, OpError, OpResult};
use crate::types::{Bitfield, Block, ConnId, Instant, Piece};

/// The pieces to read and hash again.
#[derive(Debug)]
pub(super) struct Recheck {
    /// May name pieces that were read meanwhile; `listed` decides.
    todo: VecDeque<Piece>,
    listed: Bitfield,
    /// Somebody waits for them: they come first.
    hurried: Bitfield,
    in_flight: BTreeSet<Piece>,
    /// Read and no longer right; to be forgotten.
    wrong: Bitfield,
    /// Read and right, although not had before.
    found: Vec<Piece>,
    read: u32,
    lost: u32,
    /// Peers that came after this did not hear of the doubted pieces.
    since: Option<Instant>,
}

impl Recheck {
    pub(super) fn new(pieces: u32) -> Self {
        let none = Bitfield::none(pieces);
        Self {
            todo: VecDeque::new(),
            listed: none.clone(),
            hurried: none.clone(),
            in_flight: BTreeSet::new(),
            wrong: none,
            found: Vec::new(),
            read: 0,
            lost: 0,
            since: None,
        }
    }

    /// Whether nothing is to be read and everything that was read is settled.
    pub(super) fn is_over(&self) -> bool {
        self.since.is_none()
    }

    /// Whether a piece may be other than it was.
    pub(super) fn doubts(&self, piece: Piece) -> bool {
        !self.is_over() && (self.listed.has(piece) || self.in_flight.contains(&piece) || self.wrong.has(piece))
    }

    /// Puts a piece on the list, also one that is being read: what is read may be older than the change.
    fn list(&mut self, now: Instant, piece: Piece) {
        self.since.get_or_insert(now);
        self.wrong.clear(piece);
        self.found.retain(|found| *found != piece);
        if self.listed.set(piece) {
            self.todo.push_back(piece);
        }
    }

    /// Somebody asked for a piece of the list.
    fn hurry(&mut self, piece: Piece) {
        if self.listed.has(piece) && self.hurried.set(piece) {
            self.todo.push_front(piece);
        }
    }

    fn next(&mut self) -> Option<Piece> {
        loop {
            let piece = self.todo.iter().position(|piece| !self.in_flight.contains(piece)).and_then(|at| self.todo.remove(at))?;
            self.hurried.clear(piece);
            if self.listed.clear(piece) {
                self.in_flight.insert(piece);
                return Some(piece);
            }
        }
    }

    /// A piece was read. Says whether the result counts.
    fn done(&mut self, piece: Piece) -> bool {
        self.in_flight.remove(&piece) && !self.listed.has(piece)
    }

    /// What is left for the next start: a record does not vouch for files that something else changed.
    pub(super) fn abandon(&mut self) {
        self.todo.clear();
    }
}

impl Swarm {
    /// Something else removed, replaced or wrote to a file.
    pub(super) fn on_file_changed(&mut self, hub: &mut Hub, now: Instant, index: u32, change: FileChange) {
        let Some(data) = &mut self.data else { return };
        let Some(file) = data.info.files.get(index as usize) else { return };
        // What is lacking can only have come with another file, or when a seed's file was put right.
        let all = data.seed_only || change == FileChange::Replaced;
        for piece in data.lengths.pieces_of(file.offset, file.size) {
            match &mut data.checking {
                Some(checking) => checking.list_again(piece),
                None if all || data.have.has(piece) => data.recheck.list(now, piece),
                None => {}
            }
        }
        hub.event(Event::FileChanged(self.id, index, change));
        self.recheck_more(hub, now);
    }

    /// A piece that could not be read is looked at again; if it is not what it was, it is fetched anew.
    pub(super) fn recheck(&mut self, hub: &mut Hub, now: Instant, piece: Piece) {
        let Some(data) = &mut self.data else { return };
        data.recheck.list(now, piece);
        data.recheck.hurry(piece);
        self.recheck_more(hub, now);
    }

    pub(super) fn recheck_more(&mut self, hub: &mut Hub, now: Instant) {
        let Some(data) = self.data.as_mut().filter(|data| data.checking.is_none() && !hub.shutting_down) else { return };
        while data.recheck.in_flight.len() < hub.config.checks_in_flight {
            let Some(piece) = data.recheck.next() else { break };
            let range = CheckRange { piece, offset: data.lengths.offset(piece), length: data.lengths.size(piece) };
            hub.request(self.id, Op::Check(range), Pending::Check { piece });
        }
        if data.recheck.since.is_some() && data.recheck.in_flight.is_empty() {
            self.end_recheck(hub, now);
        }
    }

    pub(super) fn on_rechecked(&mut self, hub: &mut Hub, now: Instant, piece: Piece, result: &Result<OpResult, OpError>) {
        let Some(data) = &mut self.data else { return };
        let good = matches!(result, Ok(OpResult::Digest(digest)) if data.info.piece_hash(piece) == Some(*digest));
        if data.recheck.done(piece) {
            data.recheck.read += 1;
            match (good, data.have.has(piece)) {
                (true, true) => self.serve_waiting(hub, now, piece),
                (true, false) => data.recheck.found.push(piece),
                (false, true) => {
                    data.recheck.wrong.set(piece);
                }
                (false, false) => {}
            }
        }
        self.recheck_more(hub, now);
    }

    /// A piece is as it was after all: who asked for it gets it, and who came meanwhile hears of it.
    fn serve_waiting(&mut self, hub: &mut Hub, now: Instant, piece: Piece) {
        let since = self.data.as_ref().and_then(|data| data.recheck.since);
        self.tell_have(hub, piece, |peer| since.is_none_or(|since| peer.connected_at >= since));
        let waiting = self.peers.iter().filter(|(_, peer)| peer.wants.front().is_some_and(|block| block.piece() == piece));
        let waiting: Vec<ConnId> = waiting.map(|(conn, _)| *conn).collect();
        waiting.into_iter().for_each(|conn| self.serve(hub, now, conn));
    }

    /// What turned out to be wrong is forgotten, what turned up is had. Once a second, and at the end.
    pub(super) fn settle_recheck(&mut self, hub: &mut Hub, now: Instant) {
        let Some(data) = self.data.as_mut().filter(|data| !data.recheck.is_over()) else { return };
        let recheck = &mut data.recheck;
        let wrong: Vec<Piece> = recheck.wrong.ones().filter_map(|index| data.lengths.piece(index)).collect();
        let found = std::mem::take(&mut recheck.found);
        recheck.lost += recheck.wrong.count();
        recheck.wrong = Bitfield::none(data.lengths.pieces());
        self.find(hub, &found);
        if self.forget(hub, now, &wrong) {
            self.fill_all(hub, now);
        }
    }

    /// Everything was read. The record is due: it says what the files are like now.
    fn end_recheck(&mut self, hub: &mut Hub, now: Instant) {
        self.settle_recheck(hub, now);
        let Some(data) = &mut self.data else { return };
        let ended = std::mem::replace(&mut data.recheck, Recheck::new(data.lengths.pieces()));
        data.unflushed.since.get_or_insert(now);
        hub.event(Event::Rechecked { torrent: self.id, read: ended.read, wrong: ended.lost });
        if self.complete() {
            self.on_complete(hub, now);
        }
        self.flush_if_due(hub, now);
        self.serve_all(hub, now);
        self.fill_all(hub, now);
    }

    /// Pieces are there that nobody fetched: a file was put back.
    fn find(&mut self, hub: &mut Hub, pieces: &[Piece]) {
        let Some(data) = &mut self.data else { return };
        let under_way = |data: &Data, piece: Piece| data.storing.has(piece) || data.partials.contains_key(&piece);
        let found: Vec<Piece> = pieces.iter().copied().filter(|piece| !under_way(data, *piece) && data.have.set(*piece)).collect();
        if found.is_empty() {
            return;
        }
        for piece in found.iter().filter(|_| data.seed_only) {
            data.wanted.set(*piece);
        }
        data.recount(&mut hub.rng);
        for piece in found {
            hub.event(Event::Piece(self.id, piece));
            self.tell_have(hub, piece, |_| true);
        }
        self.recount_peers(hub);
    }

    /// Whether a block must not be read for a peer yet. It is then looked at before others.
    pub(super) fn must_wait(&mut self, hub: &mut Hub, now: Instant, block: Option<Block>) -> bool {
        let (Some(data), Some(block)) = (&mut self.data, block) else { return false };
        let doubted = data.recheck.doubts(block.piece());
        if doubted {
            data.recheck.hurry(block.piece());
            self.recheck_more(hub, now);
        }
        doubted
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::io::{CloseReason, Command, Handshaken, Input, Output, Resumed};
    use crate::meta::{Content, Details, Draft};
    use crate::types::{Lengths, PeerId, TorrentId};
    use crate::wire::{Message, Reserved};
    use crate::{Config, Engine};

    fn four() -> ([Piece; 4], Recheck) {
        let lengths = Lengths::new(64, 16).unwrap();
        let pieces: Vec<Piece> = lengths.iter().collect();
        (pieces.try_into().unwrap(), Recheck::new(4))
    }

    /// A seed of four pieces whose only file was written to, with one peer; every piece but the first is still right. What the peer gets.
    fn told(reserved: Reserved, hello: bool) -> Vec<Output> {
        let digests = [[1; 20], [2; 20], [3; 20], [4; 20]];
        let info = Draft::new("name", Content::File(65_536), Some(16_384)).unwrap().finish(&digests, Details::default()).unwrap().info;
        let (mut engine, now) = (Engine::new(Config::default(), PeerId([1; 20]), [0; 32], Instant::ZERO), Instant::ZERO);
        let have = Bitfield::all(4);
        let resumed = Resumed::Record { have, check: Vec::new(), sample: Vec::new(), uploaded: 0, downloaded: 0 };
        let (torrent, conn) = (TorrentId(0), ConnId::accepted(0));
        let add = Command::Add { torrent, info: Arc::clone(&info), resumed, wanted: None, paused: false };
        engine.command(now, add).unwrap();
        engine.command(now, Command::SeedOnly(torrent)).unwrap();
        let handshake = Handshaken { info_hash: info.info_hash.wire(), peer_id: PeerId([2; 20]), reserved };
        engine.handle(now, Input::Accepted { conn, addr: ([127, 0, 0, 1], 5).into(), dialled: false, handshake });
        if hello {
            let payload = Bytes::from_static(b"d1:md11:lt_donthavei7eee");
            engine.handle(now, Input::Message { conn, message: Message::Extended { id: 0, payload } });
        }
        engine.handle(now, Input::FileChanged { torrent, file: 0, change: FileChange::Written });
        let mut told = Vec::new();
        while let Some(output) = engine.poll_output() {
            match output {
                Output::Request { id, op: Op::Check(range), .. } => {
                    let digest = digests[range.piece.index()];
                    let result = if range.piece.get() == 0 { OpResult::Missing } else { OpResult::Digest(digest) };
                    engine.handle(now, Input::Done { id, result: Ok(result) });
                }
                Output::Send { .. } | Output::Close { .. } => told.push(output),
                _ => {}
            }
        }
        told
    }

    #[test]
    fn a_peer_hears_which_piece_is_gone_or_is_made_to_connect_again() {
        let gone = |output: &Output| matches!(output, Output::Send { message: Message::Extended { id: 7, payload }, .. } if payload[..] == [0; 4]);
        let closed = |output: &Output| matches!(output, Output::Close { reason: CloseReason::Outdated, .. });
        let outputs = told(Reserved::OURS, true);
        assert!(outputs.iter().any(gone) && !outputs.iter().any(closed), "{outputs:?}");
        let outputs = told(Reserved::default(), false);
        assert!(outputs.iter().any(closed) && !outputs.iter().any(gone), "{outputs:?}");
    }

    #[test]
    fn what_somebody_waits_for_is_read_first_and_everything_once() {
        let ([a, b, c, _], mut recheck) = four();
        [a, b, c, a].into_iter().for_each(|piece| recheck.list(Instant::ZERO, piece));
        recheck.hurry(c);
        recheck.hurry(c);
        let order: Vec<_> = std::iter::from_fn(|| recheck.next()).collect();
        assert_eq!(order, [c, a, b]);
    }

    #[test]
    fn a_piece_that_changes_while_it_is_read_is_read_again() {
        let ([a, ..], mut recheck) = four();
        recheck.list(Instant::ZERO, a);
        assert_eq!(recheck.next(), Some(a));
        recheck.list(Instant::ZERO, a);
        assert_eq!(recheck.next(), None, "not twice at a time");
        assert!(!recheck.done(a) && recheck.doubts(a));
        assert_eq!(recheck.next(), Some(a));
        assert!(recheck.done(a) && !recheck.doubts(a));
    }
}
