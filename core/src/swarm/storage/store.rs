//! From a verified piece to the resume record: write, flush, save.

use std::time::Duration;

use super::Pieces;
use crate::context::{Context, Pending};
use crate::io::{Op, OpError, OpResult, Rope};
use crate::types::{Bitfield, Instant, Piece};

/// A write that failed is tried again after this time: space may have come back.
const RETRY: Duration = Duration::from_secs(10);

/// What came of a write.
#[derive(Debug)]
pub(crate) enum Written {
    /// The piece is had now.
    Stored,
    /// It is written once more.
    Again,
    /// Storage refused it; it is tried again later.
    Refused(OpError),
}

/// Writes that storage refused, and what was written but not flushed.
#[derive(Debug)]
pub(crate) struct Store {
    /// Pieces being stored that must be written once more, because a flush failed meanwhile.
    rewrite: Bitfield,
    /// Verified pieces that storage refused.
    refused: Vec<(Piece, Rope)>,
    /// When those are tried again.
    retry_at: Instant,
    /// Bytes written since the last flush was asked for.
    unflushed: u64,
    unflushed_since: Option<Instant>,
    flushing: bool,
}

impl Store {
    /// For a torrent of so many pieces.
    pub(crate) fn new(pieces: u32) -> Self {
        Self {
            rewrite: Bitfield::none(pieces),
            refused: Vec::new(),
            retry_at: Instant::ZERO,
            unflushed: 0,
            unflushed_since: None,
            flushing: false,
        }
    }

    /// Whether something waits for time: a flush, or another try.
    pub(crate) fn is_waiting(&self) -> bool {
        self.unflushed_since.is_some() || !self.refused.is_empty()
    }

    /// Whether storage took everything so far.
    pub(crate) fn is_sound(&self) -> bool {
        self.refused.is_empty()
    }

    /// Something changed that the resume record should say, without a byte written.
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

    /// A write is over.
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

    /// Tries the writes again that storage refused. `at_once`: whenever that was.
    pub(crate) fn retry(&mut self, cx: &mut Context, pieces: &Pieces, at_once: bool) {
        if self.refused.is_empty() || cx.now < self.retry_at && !at_once {
            return;
        }
        for (piece, data) in std::mem::take(&mut self.refused) {
            self.write(cx, pieces, piece, data);
        }
    }

    /// Flushes when enough was written, when it was written long enough ago, when it was the last,
    /// or when nothing follows because of a pause.
    pub(crate) fn flush_if_due(&mut self, cx: &mut Context, pieces: &Pieces) {
        let Some(since) = self.unflushed_since.filter(|_| !self.flushing) else {
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

    /// What was written before the flush is durable: only now may the resume record say so.
    /// `transferred`: bytes uploaded and downloaded, all runs.
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

    /// A failed flush may have dropped any of the writes before it, and the next one succeeds all
    /// the same, because the system counts what it dropped as clean. So what is being written is
    /// written once more, and all that was not flushed must be fetched anew: it is returned.
    pub(crate) fn handle_flush_failed(&mut self, now: Instant, pieces: &Pieces) -> Vec<Piece> {
        self.flushing = false;
        self.rewrite = pieces.storing().clone();
        self.unflushed = 0;
        self.unflushed_since = Some(now);
        pieces.unflushed()
    }

    /// The resume record was saved, or not.
    pub(crate) fn handle_saved(&mut self, now: Instant, ok: bool) {
        self.flushing = false;
        if !ok {
            self.unflushed_since = Some(now);
        }
    }

    /// Gives back the memory of pieces that storage refused.
    pub(crate) fn release(&mut self, cx: &mut Context) {
        for (_, data) in self.refused.drain(..) {
            cx.shared.memory.release(data.len() as u64);
        }
    }
}
