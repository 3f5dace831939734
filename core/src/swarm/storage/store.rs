//! The steps from a verified piece to the resume record: write, flush, save.

use std::time::Duration;

use super::Pieces;
use crate::context::{Context, Pending};
use crate::io::{Op, OpError, OpResult, Rope};
use crate::types::{Bitfield, Instant, Piece};

/// The delay before what failed is retried, since space may have become available.
const RETRY: Duration = Duration::from_secs(10);

/// The result of a write.
#[derive(Debug)]
pub(crate) enum Written {
    /// The piece is complete.
    Stored,
    /// The piece is being written again.
    Again,
    /// Storage failed; the write is retried later.
    Refused(OpError),
}

/// Writes that failed, and data that were written but not flushed.
#[derive(Debug)]
pub(crate) struct Store {
    /// Pieces being stored that must be written again, because a flush failed in the meantime.
    rewrite: Bitfield,
    /// Verified pieces whose write failed.
    refused: Vec<(Piece, Rope)>,
    /// When failed writes are retried.
    retry_at: Instant,
    /// Bytes written since the last flush was requested.
    unflushed: u64,
    unflushed_since: Option<Instant>,
    flushing: bool,
    /// Nothing is flushed earlier, because a resume record could not be saved.
    flush_at: Instant,
}

impl Store {
    /// The state for a torrent of this many pieces.
    pub(crate) fn new(pieces: u32) -> Self {
        Self {
            rewrite: Bitfield::none(pieces),
            refused: Vec::new(),
            retry_at: Instant::ZERO,
            unflushed: 0,
            unflushed_since: None,
            flushing: false,
            flush_at: Instant::ZERO,
        }
    }

    /// Whether a flush or a retry is waiting for its time.
    pub(crate) fn is_waiting(&self) -> bool {
        self.unflushed_since.is_some() || !self.refused.is_empty()
    }

    /// Whether no write has failed.
    pub(crate) fn is_sound(&self) -> bool {
        self.refused.is_empty()
    }

    /// Records a change that the resume record should contain although nothing was written.
    pub(crate) fn mark_changed(&mut self, now: Instant) {
        self.unflushed_since.get_or_insert(now);
    }

    /// Writes a verified piece.
    pub(crate) fn write(&self, cx: &mut Context, pieces: &Pieces, piece: Piece, data: Rope) {
        let offset = pieces.lengths.offset(piece);
        cx.request(
            Op::Write {
                offset,
                data: data.clone(),
            },
            Pending::Write { piece, data },
        );
    }

    /// Handles the result of a write.
    pub(crate) fn handle_written(
        &mut self,
        cx: &mut Context,
        pieces: &mut Pieces,
        (piece, data): (Piece, Rope),
        result: Result<OpResult, OpError>,
    ) -> Written {
        if let Err(error) = result {
            self.refused.push((piece, data));
            self.retry_at = cx.now + RETRY;
            return Written::Refused(error);
        }
        if self.rewrite.clear(piece) {
            self.write(cx, pieces, piece, data);
            return Written::Again;
        }
        let bytes = data.len() as u64;
        cx.shared.memory.release(bytes);
        pieces.set_stored(piece);
        self.unflushed += bytes;
        self.mark_changed(cx.now);
        Written::Stored
    }

    /// Retries writes that failed. `at_once`: without waiting for the retry delay.
    pub(crate) fn retry(&mut self, cx: &mut Context, pieces: &Pieces, at_once: bool) {
        if self.refused.is_empty() || cx.now < self.retry_at && !at_once {
            return;
        }
        for (piece, data) in std::mem::take(&mut self.refused) {
            self.write(cx, pieces, piece, data);
        }
    }

    /// Removes pieces whose write failed and that are not wanted. Returns each with its length.
    pub(crate) fn take_unwanted(&mut self, pieces: &Pieces) -> Vec<(Piece, u64)> {
        let is_unwanted = |(piece, _): &mut (Piece, Rope)| !pieces.wanted().has(*piece);
        let unwanted = self.refused.extract_if(.., is_unwanted);
        unwanted
            .map(|(piece, data)| (piece, data.len() as u64))
            .collect()
    }

    /// The next flush need not wait until a resume record that could not be saved is retried.
    pub(crate) const fn hasten_flush(&mut self) {
        self.flush_at = Instant::ZERO;
    }

    /// Starts a flush if enough was written, if a write is old enough, after the last write, or if
    /// a pause means that nothing follows.
    pub(crate) fn flush_if_due(&mut self, cx: &mut Context, pieces: &Pieces) {
        let is_free = !self.flushing && cx.now >= self.flush_at;
        let Some(since) = self.unflushed_since.filter(|_| is_free) else {
            return;
        };
        let old = cx.now.since(since) >= cx.config().flush_interval;
        let last = pieces.lacking() == 0 || cx.shared.shutting_down;
        let much = self.unflushed >= cx.config().max_unflushed;
        if old || last || much || cx.paused && self.unflushed > 0 {
            self.flushing = true;
            self.unflushed = 0;
            self.unflushed_since = None;
            cx.request(
                Op::Flush,
                Pending::Flush {
                    have: pieces.have().clone(),
                },
            );
        }
    }

    /// Handles a successful flush. Writes before it are durable, so the resume record may now
    /// include them. `transferred`: bytes uploaded and downloaded in all runs.
    pub(crate) fn handle_flushed(
        &mut self,
        cx: &mut Context,
        pieces: &mut Pieces,
        have: Bitfield,
        (uploaded, downloaded): (u64, u64),
    ) {
        let have = pieces.beyond_doubt(have);
        let complete = pieces.wanted_are_in(&have);
        pieces.set_durable(have.clone());
        cx.request(
            Op::Save {
                have,
                uploaded,
                downloaded,
            },
            Pending::Save { complete },
        );
    }

    /// Handles a failed flush. It may have dropped any of the writes before it, and the next flush
    /// may succeed all the same, since the system marks dropped pages as clean. Pieces that are
    /// being written are therefore written again, and all unflushed pieces are returned and must be
    /// downloaded again.
    pub(crate) fn handle_flush_failed(&mut self, now: Instant, pieces: &Pieces) -> Vec<Piece> {
        self.flushing = false;
        self.rewrite = pieces.storing().clone();
        self.unflushed = 0;
        self.unflushed_since = Some(now);
        pieces.unflushed()
    }

    /// Handles the result of saving the resume record. After a failure it is saved again later, so
    /// that a folder without space is not written to without pause.
    pub(crate) fn handle_saved(&mut self, now: Instant, ok: bool) {
        self.flushing = false;
        if !ok {
            self.unflushed_since = Some(now);
            self.flush_at = now + RETRY;
        }
    }

    /// Releases the memory of pieces whose write failed.
    pub(crate) fn release(&mut self, cx: &mut Context) {
        for (_, data) in self.refused.drain(..) {
            cx.shared.memory.release(data.len() as u64);
        }
    }
}
