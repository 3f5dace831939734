//! Our requests to one peer, and how it answers them.

use std::collections::VecDeque;

use super::pipeline::Pipeline;
use super::refusals::Refusals;
use crate::net::Rate;
use crate::swarm::peers::{Peer, Progress};
use crate::types::{Block, Instant, Piece, SortedSet};

/// The maximum number of allowed-fast pieces per peer (BEP 6). More are ignored.
const MAX_ALLOWED_FAST: usize = 64;
/// The amount of unrequested payload in bytes after which a peer is disconnected.
const MAX_UNSOLICITED: u64 = 64 * 1024;

/// A pending request.
#[derive(Clone, Copy, Debug)]
pub(super) struct SentRequest {
    pub(super) block: Block,
    pub(super) at: Instant,
    /// The number of later requests that were answered earlier. Peers answer approximately in
    /// order.
    pub(super) overtaken: u32,
    /// Whether it is late and requested elsewhere. If it still arrives, it is accepted.
    pub(super) late: bool,
}

/// The download state of one connected peer.
#[derive(Debug)]
pub(crate) struct PeerDownload {
    /// Whether it joined as a seed, which the picker does not count piece by piece.
    pub(super) counted_as_seed: bool,
    /// The number of its pieces that we need.
    pub(crate) useful: u32,
    /// The number of these that are open.
    pub(super) pickable: u32,
    /// Pieces that we may request while it chokes us (BEP 6).
    pub(super) allowed_fast: SortedSet<Piece>,
    /// Pieces of which it rejected a block; other peers are asked for them first.
    pub(super) refusals: Refusals,
    pub(super) pipeline: Pipeline,
    requests: VecDeque<SentRequest>,
    /// The number of late requests.
    late: usize,
    /// Blocks that are no longer requested but may still arrive.
    released: VecDeque<Block>,
    /// The piece that it downloads for us.
    pub(super) current: Option<Piece>,
    pub(super) last_block_at: Instant,
    pub(crate) snubbed: bool,
    unsolicited: u64,
    /// The number of its pieces that it lost (BEP 54).
    losses: u32,
    pub(crate) rate: Rate,
    /// Payload bytes received in this choking round and in the previous one.
    received: [u64; 2],
}

impl PeerDownload {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            counted_as_seed: false,
            useful: 0,
            pickable: 0,
            allowed_fast: SortedSet::new(),
            refusals: Refusals::default(),
            pipeline: Pipeline::default(),
            requests: VecDeque::new(),
            late: 0,
            released: VecDeque::new(),
            current: None,
            last_block_at: now,
            snubbed: false,
            unsolicited: 0,
            losses: 0,
            rate: Rate::default(),
            received: [0; 2],
        }
    }

    /// Whether this piece may be requested from the peer now.
    pub(super) fn may_ask(&self, now: Instant, peer: &Peer, piece: Piece) -> bool {
        let open = !peer.peer_choking || self.allowed_fast.contains(&piece);
        open && peer.have.has(piece) && !self.refusals.hold(now, piece)
    }

    /// Adds an allowed-fast piece. Returns whether it was new.
    pub(super) fn allow_fast(&mut self, piece: Piece) -> bool {
        self.allowed_fast.len() < MAX_ALLOWED_FAST && self.allowed_fast.insert(piece)
    }

    /// Pending requests, including late ones.
    pub(super) fn requests(&self) -> &VecDeque<SentRequest> {
        &self.requests
    }

    /// The number of pending requests that are not late.
    pub(crate) fn in_flight(&self) -> usize {
        self.requests.len() - self.late
    }

    pub(super) fn add_request(&mut self, block: Block, at: Instant) {
        self.requests.push_back(SentRequest {
            block,
            at,
            overtaken: 0,
            late: false,
        });
    }

    /// Removes a pending request, if it exists.
    pub(super) fn take_request(&mut self, block: Block) -> Option<SentRequest> {
        let at = self
            .requests
            .iter()
            .position(|request| request.block == block)?;
        let request = self.requests.remove(at)?;
        self.late -= usize::from(request.late);
        Some(request)
    }

    /// Removes all pending requests for a block. A late one may be repeated at the same peer, and a
    /// cancel applies to both.
    pub(super) fn take_requests_of(&mut self, block: Block) -> Vec<SentRequest> {
        std::iter::from_fn(|| self.take_request(block)).collect()
    }

    /// As `take_request`, for a request that is answered with its block. Earlier requests count as
    /// overtaken.
    fn take_answered(&mut self, block: Block) -> Option<SentRequest> {
        let at = self
            .requests
            .iter()
            .position(|request| request.block == block)?;
        for earlier in self.requests.iter_mut().take(at) {
            earlier.overtaken = earlier.overtaken.saturating_add(1);
        }
        self.take_request(block)
    }

    /// Releases late requests: they are no longer counted, and an answer is still accepted. At most
    /// `bound` blocks are remembered.
    pub(super) fn release_late(&mut self, bound: usize) {
        for request in self.take_requests() {
            if request.late {
                self.release(request.block, bound);
            } else {
                self.requests.push_back(request);
            }
        }
    }

    /// Removes all pending requests.
    pub(super) fn take_requests(&mut self) -> VecDeque<SentRequest> {
        self.late = 0;
        std::mem::take(&mut self.requests)
    }

    /// Marks requests as late, and returns them.
    pub(super) fn mark_late(&mut self, is_late: impl Fn(&SentRequest) -> bool) -> Vec<SentRequest> {
        let overdue = self
            .requests
            .iter_mut()
            .filter(|request| !request.late && is_late(request));
        let late: Vec<SentRequest> = overdue
            .map(|request| {
                let before = *request;
                request.late = true;
                before
            })
            .collect();
        self.late += late.len();
        late
    }

    /// Remembers a block that is no longer requested, so that it is accepted if it arrives. At most
    /// `bound` blocks are remembered.
    pub(super) fn release(&mut self, block: Block, bound: usize) {
        if self.released.len() >= bound {
            self.released.pop_front();
        }
        self.released.push_back(block);
    }

    /// Records that a block arrived. `None` if it was not requested; otherwise whether it was late.
    pub(super) fn handle_block(&mut self, block: Block, now: Instant) -> Option<bool> {
        let late = match self.take_answered(block) {
            Some(request) => {
                let waited = now.since(request.at);
                self.pipeline
                    .on_block(now, u64::from(block.length()), waited);
                request.late
            }
            None if self.take_released(block) => true,
            None => return None,
        };
        self.last_block_at = now;
        self.snubbed = false;
        self.refusals.lift(block.piece());
        Some(late)
    }

    /// Counts requested payload.
    pub(super) fn count(&mut self, now: Instant, bytes: u64) {
        self.rate.add(now, bytes);
        self.received[0] += bytes;
    }

    /// Counts unrequested payload. Returns whether the limit is exceeded.
    pub(super) fn count_unsolicited(&mut self, bytes: u64) -> bool {
        self.unsolicited += bytes;
        self.unsolicited > MAX_UNSOLICITED
    }

    /// Counts a piece that it lost. `pieces`: of the torrent.
    pub(super) fn count_loss(&mut self, pieces: u32) -> Progress {
        self.losses = self.losses.saturating_add(1);
        if self.losses <= pieces {
            Progress::Made
        } else {
            Progress::None
        }
    }

    /// Payload bytes received in this choking round and in the previous one.
    pub(crate) fn received_lately(&self) -> u64 {
        self.received.iter().sum()
    }

    /// Ends a choking round.
    pub(super) fn end_round(&mut self) {
        self.received = [0, self.received[0]];
    }

    /// Forgets a block that is no longer requested. Returns whether it was remembered.
    pub(super) fn take_released(&mut self, block: Block) -> bool {
        let at = self.released.iter().position(|other| *other == block);
        at.and_then(|at| self.released.remove(at)).is_some()
    }
}
