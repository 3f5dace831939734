//! What we ask of one peer, and how it answers.

use std::collections::{BTreeSet, VecDeque};

use super::pipeline::Pipeline;
use super::refusals::Refusals;
use crate::net::Rate;
use crate::swarm::peers::Peer;
use crate::types::{Block, Instant, Piece};

/// Pieces that a peer may offer as allowed-fast (BEP 6). More are ignored.
const MAX_ALLOWED_FAST: usize = 64;
/// Payload that was not asked for: so much is dropped before the connection is.
const MAX_UNSOLICITED: u64 = 64 * 1024;

/// A request of ours on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct SentRequest {
    pub(super) block: Block,
    pub(super) at: Instant,
    /// Blocks that were asked for later and came earlier. Peers answer in order, or nearly so.
    pub(super) overtaken: u32,
    /// It was late and is asked elsewhere; if it comes all the same it is welcome.
    pub(super) late: bool,
}

/// The download's side of one connected peer.
#[derive(Debug)]
pub(crate) struct PeerDownload {
    /// Not counted piece by piece in the picker: it came as a seed.
    pub(super) counted_as_seed: bool,
    /// Pieces it has that we want and lack.
    pub(crate) useful: u32,
    /// Of these, the open ones.
    pub(super) pickable: u32,
    /// Pieces it lets us request while it chokes us (BEP 6).
    pub(super) allowed_fast: BTreeSet<Piece>,
    /// Pieces of which it rejected a block; others are asked for them first.
    pub(super) refusals: Refusals,
    pub(super) pipeline: Pipeline,
    requests: VecDeque<SentRequest>,
    /// Of these, the late ones.
    late: usize,
    /// Blocks no longer asked for that may still come.
    released: VecDeque<Block>,
    /// The piece it fetches.
    pub(super) current: Option<Piece>,
    pub(super) last_block_at: Instant,
    pub(crate) snubbed: bool,
    unsolicited: u64,
    pub(crate) rate: Rate,
    /// Payload bytes from it in this round of choking and in the one before.
    received: [u64; 2],
}

impl PeerDownload {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            counted_as_seed: false,
            useful: 0,
            pickable: 0,
            allowed_fast: BTreeSet::new(),
            refusals: Refusals::default(),
            pipeline: Pipeline::default(),
            requests: VecDeque::new(),
            late: 0,
            released: VecDeque::new(),
            current: None,
            last_block_at: now,
            snubbed: false,
            unsolicited: 0,
            rate: Rate::default(),
            received: [0; 2],
        }
    }

    /// Whether we may ask it for this piece now.
    pub(super) fn may_ask(&self, now: Instant, peer: &Peer, piece: Piece) -> bool {
        let open = !peer.peer_choking || self.allowed_fast.contains(&piece);
        open && peer.have.has(piece) && !self.refusals.hold(now, piece)
    }

    /// The peer lets us request a piece while it chokes us. Returns whether that is news.
    pub(super) fn allow_fast(&mut self, piece: Piece) -> bool {
        self.allowed_fast.len() < MAX_ALLOWED_FAST && self.allowed_fast.insert(piece)
    }

    /// Requests on their way, late ones included.
    pub(super) fn requests(&self) -> &VecDeque<SentRequest> {
        &self.requests
    }

    /// Requests on their way that are not given up.
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

    /// Takes one request of ours out of the list, if it is there.
    pub(super) fn take_request(&mut self, block: Block) -> Option<SentRequest> {
        let at = self
            .requests
            .iter()
            .position(|request| request.block == block)?;
        let request = self.requests.remove(at)?;
        self.late -= usize::from(request.late);
        Some(request)
    }

    /// The same for a request that is answered with its block: what was asked before it has been
    /// passed over.
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

    /// Requests that were given up may still be answered, without offence, and are not counted any
    /// more. `bound`: so many are remembered.
    pub(super) fn release_late(&mut self, bound: usize) {
        for request in self.take_requests() {
            if request.late {
                self.release(request.block, bound);
            } else {
                self.requests.push_back(request);
            }
        }
    }

    /// Takes all requests out of the list.
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

    /// A block that is not asked for any more; if it comes it is no offence. `bound`: so many are
    /// remembered.
    pub(super) fn release(&mut self, block: Block, bound: usize) {
        if self.released.len() >= bound {
            self.released.pop_front();
        }
        self.released.push_back(block);
    }

    /// A block came. `None`: it was not asked for; else whether it was given up before.
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

    /// Counts payload that was asked for.
    pub(super) fn count(&mut self, now: Instant, bytes: u64) {
        self.rate.add(now, bytes);
        self.received[0] += bytes;
    }

    /// Counts payload that was not asked for. Returns whether it was too much.
    pub(super) fn count_unsolicited(&mut self, bytes: u64) -> bool {
        self.unsolicited += bytes;
        self.unsolicited > MAX_UNSOLICITED
    }

    /// Payload bytes in this round of choking and in the one before.
    pub(crate) fn received_lately(&self) -> u64 {
        self.received.iter().sum()
    }

    /// A round of choking is over.
    pub(super) fn end_round(&mut self) {
        self.received = [0, self.received[0]];
    }

    fn take_released(&mut self, block: Block) -> bool {
        let at = self.released.iter().position(|other| *other == block);
        at.and_then(|at| self.released.remove(at)).is_some()
    }
}
