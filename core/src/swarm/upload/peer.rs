//! The requests of one peer, and how they are served.

use std::collections::VecDeque;

use crate::net::Rate;
use crate::types::{Block, Instant, Piece};

/// The maximum size in bytes of one read, which may cover several consecutive requests.
pub(super) const MAX_READ: u32 = 256 * 1024;

/// The upload state of one connected peer.
#[derive(Debug, Default)]
pub(super) struct PeerUpload {
    /// When it was last unchoked.
    pub(super) unchoked_at: Option<Instant>,
    /// Pieces that it may request while it is choked (BEP 6).
    pub(super) allowed_fast: Vec<Piece>,
    /// Requested blocks that are not being read yet.
    queued: VecDeque<Block>,
    /// Requested blocks that are being read.
    reading: VecDeque<Block>,
    invalid_requests: u32,
    pub(super) rate: Rate,
}

impl PeerUpload {
    /// The number of blocks that it waits for.
    pub(super) fn waiting(&self) -> usize {
        self.queued.len() + self.reading.len()
    }

    /// Whether it already waits for this block.
    pub(super) fn waits_for(&self, block: Block) -> bool {
        self.queued.contains(&block) || self.reading.contains(&block)
    }

    pub(super) fn queue(&mut self, block: Block) {
        self.queued.push_back(block);
    }

    /// The block that is read next.
    pub(super) fn next_queued(&self) -> Option<Block> {
        self.queued.front().copied()
    }

    /// Moves a block that was being read back to the front of the queue.
    pub(super) fn put_back(&mut self, block: Block) {
        if self.take_read(block) {
            self.queued.push_front(block);
        }
    }

    /// Removes blocks from the queue that are not being read yet.
    pub(super) fn remove_queued(&mut self, removed: impl Fn(&Block) -> bool) -> Vec<Block> {
        let (gone, kept) = self.queued.drain(..).partition::<VecDeque<_>, _>(removed);
        self.queued = kept;
        gone.into()
    }

    /// The number of bytes being read for it.
    pub(super) fn reading_bytes(&self) -> u64 {
        self.reading
            .iter()
            .map(|block| u64::from(block.length()))
            .sum()
    }

    /// Counts an invalid request. Returns the number of invalid requests so far.
    pub(super) fn count_invalid(&mut self) -> u32 {
        self.invalid_requests += 1;
        self.invalid_requests
    }

    /// Removes a block that it no longer wants or cannot get.
    pub(super) fn remove(&mut self, block: Block) {
        self.queued.retain(|other| *other != block);
        self.reading.retain(|other| *other != block);
    }

    /// Removes the pending blocks that are not part of these pieces, and returns them.
    pub(super) fn remove_all_but(&mut self, pieces: &[Piece]) -> Vec<Block> {
        let stays = |block: &Block| pieces.contains(&block.piece());
        let waiting = self.queued.iter().chain(&self.reading).copied();
        let removed = waiting.filter(|block| !stays(block)).collect();
        self.queued.retain(stays);
        self.reading.retain(stays);
        removed
    }

    /// Removes a block that was read. Returns whether the peer still waits for it.
    pub(super) fn take_read(&mut self, block: Block) -> bool {
        let at = self.reading.iter().position(|other| *other == block);
        at.and_then(|at| self.reading.remove(at)).is_some()
    }

    /// The next requests that a single read can serve, moved from queued to reading: at least one,
    /// and of several at most `bound` bytes.
    pub(super) fn next_run(&mut self, bound: u32) -> Vec<Block> {
        let mut run: Vec<Block> = Vec::new();
        let mut length = 0;
        while let Some(&block) = self.queued.front() {
            let follows = run.last().is_none_or(|last| {
                last.piece() == block.piece()
                    && last.begin() + last.length() == block.begin()
                    && length + block.length() <= bound
            });
            if !follows {
                break;
            }
            length += block.length();
            self.queued.pop_front();
            self.reading.push_back(block);
            run.push(block);
        }
        run
    }
}
