//! A torrent whose metadata are known and whose storage is open.

mod writes;

use std::sync::Arc;

use crate::context::{Context, Pending, Verdict};
use crate::io::{
    CloseReason, Event, FileChange, Op, OpError, OpResult, PriorityRange, Resumed, Rope,
};
use crate::meta::Info;
use crate::swarm::completion::Completion;
use crate::swarm::download::{Download, FollowUp};
use crate::swarm::peers::{Peers, Progress};
use crate::swarm::storage::{Checking, Pieces, Store, check_range};
use crate::types::{Bitfield, ConnId, Instant, PeerIdentity, Piece};
use crate::wire::Message;

/// How much is known about the data on disk.
#[derive(Debug)]
enum Stage {
    /// They are read and hashed before the torrent joins the swarm.
    Checking(Checking),
    /// They are known.
    Ready,
}

#[derive(Debug)]
pub(crate) struct Content {
    pub(super) pieces: Pieces,
    pub(super) download: Download,
    pub(super) store: Store,
    stage: Stage,
    /// The storage failure, if any. Nothing is requested until storage works again.
    failure: Option<OpError>,
    completion: Completion,
}

impl Content {
    /// `wanted`: one flag per file; `None`: all. Data are not read before [`Content::check_more`].
    pub(super) fn new(info: Arc<Info>, resumed: Resumed, wanted: Option<&[bool]>) -> Self {
        let mut pieces = Pieces::new(info, wanted);
        let lengths = pieces.lengths;
        let mut download = Download::new(lengths);
        if let Resumed::Record { downloaded, .. } = &resumed {
            download.totals.downloaded = *downloaded;
        }
        let checking = Checking::of(resumed, &mut pieces);
        Self {
            store: Store::new(lengths.pieces()),
            pieces,
            download,
            stage: Stage::Checking(checking),
            failure: None,
            completion: Completion::default(),
        }
    }

    pub(super) fn failure(&self) -> Option<&OpError> {
        self.failure.as_ref()
    }

    /// The check of the data on disk, while it is running.
    pub(super) fn checking(&self) -> Option<&Checking> {
        match &self.stage {
            Stage::Checking(checking) => Some(checking),
            Stage::Ready => None,
        }
    }

    /// Whether blocks may be requested.
    pub(super) fn is_downloading(&self) -> bool {
        self.checking().is_none() && self.failure.is_none() && self.pieces.lacking() > 0
    }

    /// Whether all wanted pieces are complete.
    pub(super) fn is_complete(&self) -> bool {
        self.checking().is_none() && self.pieces.lacking() == 0
    }

    /// Whether all wanted pieces are complete, but not all pieces (BEP 21).
    pub(super) fn is_partial_seed(&self) -> bool {
        self.is_complete() && !self.pieces.have().is_all()
    }

    /// Whether anything depends on the time.
    pub(super) fn is_waiting(&self) -> bool {
        self.store.is_waiting()
    }

    /// Bytes of wanted pieces that are complete.
    pub(super) fn bytes_done(&self) -> u64 {
        self.pieces.bytes_done(self.checking().is_some())
    }

    /// Sets the ranges that are downloaded first.
    pub(super) fn prioritise(&mut self, cx: &mut Context, peers: &mut Peers, to: &[PriorityRange]) {
        if self.download.prioritise(cx, &self.pieces, peers, to) {
            self.fill_all(cx, peers);
        }
    }

    /// Changes which files are wanted, one flag per file.
    pub(super) fn set_wanted(&mut self, cx: &mut Context, peers: &mut Peers, flags: &[bool]) {
        self.pieces.set_wanted(flags);
        self.completion.said_finished &= self.pieces.lacking() == 0;
        self.download.recount(cx, &self.pieces, peers);
        self.drop_unwanted_writes(cx, peers);
        self.fill_all(cx, peers);
    }

    /// Handles a message about pieces.
    pub(super) fn handle_message(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        conn: ConnId,
        message: Message,
    ) -> Result<Progress, CloseReason> {
        let (follow_up, progress) =
            self.download
                .handle_message(cx, &self.pieces, peers, (conn, message))?;
        match follow_up {
            FollowUp::Nothing => {}
            FollowUp::Has => {
                self.check_redundant(peers, conn)?;
                self.fill(cx, peers, conn);
            }
            FollowUp::Fill(conn) => self.fill(cx, peers, conn),
            FollowUp::FillAll => self.fill_all(cx, peers),
            FollowUp::Block(complete) => {
                complete.into_iter().for_each(|piece| self.hash(cx, piece));
                self.fill(cx, peers, conn);
            }
        }
        Ok(progress)
    }

    /// BEP 54: handles a peer's loss of a piece.
    pub(super) fn handle_dont_have(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        lost: (ConnId, u32),
    ) -> Result<Progress, CloseReason> {
        let (fetched, progress) = self
            .download
            .handle_dont_have(cx, &self.pieces, peers, lost)?;
        if fetched {
            self.fill_all(cx, peers);
        }
        Ok(progress)
    }

    /// Processes what a peer announced before the storage was open.
    pub(super) fn adopt_peer(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        conn: ConnId,
    ) -> Verdict {
        let Some(peer) = peers.get_mut(conn) else {
            return Ok(());
        };
        let early = (conn, peer.take_early_have());
        self.download.add_peer(cx.now, conn);
        self.download
            .handle_early_have(cx, &self.pieces, peers, early)?;
        self.check_redundant(peers, conn)?;
        self.fill(cx, peers, conn);
        Ok(())
    }

    /// Two peers that need nothing from each other (seeds or partial seeds, BEP 21) do not stay
    /// connected.
    pub(super) fn check_redundant(&self, peers: &Peers, conn: ConnId) -> Verdict {
        let useless = peers
            .get(conn)
            .is_some_and(super::peers::Peer::is_upload_only);
        if self.is_complete() && useless {
            return Err(CloseReason::Redundant);
        }
        Ok(())
    }

    /// Requests as much from a peer as its pipeline holds.
    fn fill(&mut self, cx: &mut Context, peers: &mut Peers, conn: ConnId) {
        if self.is_downloading() {
            for piece in self.download.fill(cx, &self.pieces, peers, conn) {
                self.hash(cx, piece);
            }
        }
    }

    /// As `fill`, for all peers.
    pub(super) fn fill_all(&mut self, cx: &mut Context, peers: &mut Peers) {
        cx.shared.starved.remove(&cx.torrent);
        for conn in peers.conns_after(self.download.newest) {
            self.fill(cx, peers, conn);
        }
    }

    /// Starts hashing a piece whose blocks have all arrived, outside the engine's thread.
    fn hash(&mut self, cx: &mut Context, piece: Piece) {
        if let Some((data, from)) = self.download.take_complete(piece) {
            self.pieces.begin_storing(piece);
            cx.request(Op::Hash(data.clone()), Pending::Hash { piece, data, from });
        }
    }

    /// Handles a digest. A correct piece is written. Returns peers that sent wrong blocks.
    pub(super) fn handle_hashed(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        (piece, data, from): (Piece, Rope, &[Option<PeerIdentity>]),
        result: Result<OpResult, OpError>,
    ) -> Vec<PeerIdentity> {
        let bytes = data.len() as u64;
        match result {
            Ok(OpResult::Digest(digest))
                if self.pieces.info.piece_digest(piece) == Some(digest) =>
            {
                let liars = self.download.handle_verified(piece, &data);
                self.store.write(cx, &self.pieces, piece, data);
                return liars;
            }
            Ok(OpResult::Digest(_)) => {
                cx.event(Event::Corrupt(cx.torrent, piece));
                let liar = self.download.handle_corrupt(piece, &data, from);
                self.abort_storing(cx, peers, piece, bytes);
                return liar.into_iter().collect();
            }
            Ok(_) => self.abort_storing(cx, peers, piece, bytes),
            Err(error) => {
                self.abort_storing(cx, peers, piece, bytes);
                self.fail(cx, error);
            }
        }
        Vec::new()
    }

    /// Returns a piece that could not be stored to the picker, and releases its memory.
    pub(super) fn abort_storing(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        piece: Piece,
        bytes: u64,
    ) {
        cx.shared.memory.release(bytes);
        self.download.totals.wasted += bytes - self.pieces.padding.in_piece(piece);
        self.pieces.abort_storing(piece);
        self.download.reopen(cx, &self.pieces, peers, piece);
        self.fill_all(cx, peers);
    }

    /// Starts a flush, if one is due.
    pub(super) fn flush_if_due(&mut self, cx: &mut Context) {
        if self.checking().is_none() {
            self.store.flush_if_due(cx, &self.pieces);
        }
    }

    /// Handles the result of a flush. `uploaded`: bytes uploaded in all runs. After a failure,
    /// returns the pieces that must be downloaded again, and the reason.
    pub(super) fn handle_flushed(
        &mut self,
        cx: &mut Context,
        (have, uploaded): (Bitfield, u64),
        result: Result<OpResult, OpError>,
    ) -> Option<(Vec<Piece>, OpError)> {
        match result {
            Ok(_) => {
                let transferred = (uploaded, self.download.totals.downloaded);
                self.store
                    .handle_flushed(cx, &mut self.pieces, have, transferred);
                None
            }
            Err(error) => Some((self.store.handle_flush_failed(cx.now, &self.pieces), error)),
        }
    }

    /// Handles the result of saving the resume record. `complete`: whether the record contains all
    /// wanted pieces.
    pub(super) fn handle_saved(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        complete: bool,
        result: Result<OpResult, OpError>,
    ) {
        self.store.handle_saved(cx.now, result.is_ok());
        match result {
            Ok(_) => {
                let recovered = self.recover();
                if complete {
                    self.say_finished(cx);
                } else if recovered {
                    self.fill_all(cx, peers);
                }
            }
            Err(error) => self.fail(cx, error),
        }
        self.flush_if_due(cx);
    }

    fn say_finished(&mut self, cx: &mut Context) {
        if self.pieces.lacking() == 0 && self.pieces.recheck.is_over() {
            let whole = self.pieces.have().is_all();
            self.completion.say_finished(cx, whole);
        }
    }

    /// Keeps some checks of the data on disk in flight. Returns whether checking has just ended.
    pub(super) fn check_more(&mut self, cx: &mut Context, peers: &mut Peers) -> bool {
        let may = !cx.paused && self.failure.is_none();
        let Stage::Checking(checking) = &mut self.stage else {
            return false;
        };
        let limit = cx.config().checks_in_flight;
        while let Some(piece) = may.then(|| checking.next(limit)).flatten() {
            let range = check_range(&self.pieces.lengths, piece);
            cx.request(Op::Check(range), Pending::Check { piece });
        }
        let over = checking.is_over();
        if over {
            let bytes = checking.bytes();
            self.end_check(cx, peers, bytes);
        }
        over
    }

    /// Handles the result of checking one piece. Returns whether checking has just ended.
    pub(super) fn handle_checked(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        piece: Piece,
        result: Result<OpResult, OpError>,
    ) -> bool {
        let expected = self.pieces.info.piece_digest(piece);
        let good = matches!(result, Ok(OpResult::Digest(digest)) if expected == Some(digest));
        let Stage::Checking(checking) = &mut self.stage else {
            return false;
        };
        match result {
            Err(error) => {
                checking.handle_unreadable(piece);
                self.fail(cx, error);
            }
            Ok(_) => {
                checking.handle_read(&mut self.pieces, piece, good);
                if good {
                    peers.announce_have(cx, piece);
                }
            }
        }
        self.check_more(cx, peers)
    }

    fn end_check(&mut self, cx: &mut Context, peers: &mut Peers, bytes: u64) {
        self.stage = Stage::Ready;
        self.pieces.end_check();
        self.download.recount(cx, &self.pieces, peers);
        self.completion.came_complete = self.pieces.have().is_all();
        // Save what the check found, so that the next start need not read everything again.
        if bytes > 0 {
            self.store.mark_changed(cx.now);
        }
        cx.event(Event::Checked(cx.torrent, self.pieces.have().count()));
        if self.pieces.lacking() == 0 && bytes == 0 {
            self.say_finished(cx);
        }
        self.flush_if_due(cx);
    }

    /// Aborts the checks. What they found counts.
    pub(super) fn abandon_checks(&mut self) {
        self.stage = Stage::Ready;
        self.pieces.announce_all();
        self.pieces.recount();
        self.pieces.recheck.abandon();
    }

    /// Downloads nothing more: only existing data are wanted.
    pub(super) fn set_seed_only(&mut self, cx: &mut Context, peers: &mut Peers) {
        let checking = self.checking().is_some();
        self.pieces.set_seed_only(checking);
        if !checking {
            self.download.recount(cx, &self.pieces, peers);
        }
    }

    /// Lists the pieces of a file that another program changed, to be read again. Returns whether
    /// the file exists.
    pub(super) fn list_changed(&mut self, now: Instant, file: u32, change: FileChange) -> bool {
        let pieces = &mut self.pieces;
        let Some(file) = pieces.info.files.get(file as usize) else {
            return false;
        };
        // Missing pieces can only have reappeared if the file was replaced, or if a seed's file was
        // repaired.
        let all = pieces.is_seed_only() || change == FileChange::Replaced;
        for piece in pieces.lengths.pieces_of(file.offset, file.size) {
            match &mut self.stage {
                Stage::Checking(checking) => checking.list_again(piece),
                Stage::Ready if all || pieces.have().has(piece) => pieces.recheck.list(now, piece),
                Stage::Ready => {}
            }
        }
        true
    }

    /// Adds pieces that exist without having been downloaded, because a file was put back.
    pub(super) fn find(&mut self, cx: &mut Context, peers: &mut Peers, pieces: &[Piece]) {
        let found = self
            .pieces
            .find(pieces, |piece| self.download.is_in_progress(piece));
        if found.is_empty() {
            return;
        }
        for piece in found {
            cx.event(Event::Piece(cx.torrent, piece));
            peers.announce_have(cx, piece);
        }
        self.download.recount(cx, &self.pieces, peers);
    }

    /// Removes pieces that are or may be missing; they must be downloaded again. Returns those that
    /// were complete; peers have yet to be notified.
    pub(super) fn forget(&mut self, now: Instant, pieces: &[Piece]) -> Vec<Piece> {
        let gone = self.pieces.forget(pieces);
        if !gone.is_empty() {
            self.store.mark_changed(now);
            self.completion.said_finished &= self.pieces.is_seed_only();
        }
        gone
    }

    /// Drops the pieces in progress and releases their memory.
    pub(super) fn drop_in_progress(&mut self, cx: &mut Context) {
        self.download.drop_in_progress(cx, &self.pieces);
    }

    /// Releases all memory that is reserved for the torrent.
    pub(super) fn release(&mut self, cx: &mut Context) {
        self.drop_in_progress(cx);
        self.store.release(cx);
    }
}
