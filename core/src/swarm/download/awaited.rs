//! Data that are awaited now, as after a seek in a film. They are requested before everything else,
//! and pending requests for other data are cancelled in their favour: at a slow peer these would be
//! answered first, which takes seconds.

use std::time::Duration;

use super::Download;
use crate::context::Context;
use crate::io::PriorityRange;
use crate::net::{KeyedLimiter, Limit};
use crate::swarm::peers::{Peer, Peers};
use crate::swarm::storage::Pieces;
use crate::types::{Block, ConnId};
use crate::wire::Message;

/// The number of cancelled requests per peer and second, and at once. Peers count cancels as messages
/// that change nothing, of which they accept few; a slider that is dragged awaits other data many
/// times per second.
const CANCELS: Limit = Limit::per_second(50).with_burst(1000);
/// The blocks that a peer sends within this time are not cancelled: most are on the way.
const ON_THE_WAY: Duration = Duration::from_millis(100);
/// The maximum number of peers whose cancels are counted. Further ones keep their requests.
const MAX_COUNTED: usize = 1000;

pub(super) const fn limit_on_cancels() -> KeyedLimiter<ConnId> {
    KeyedLimiter::new(CANCELS, MAX_COUNTED)
}

/// Whether a peer can be asked for data that are awaited and not requested yet.
pub(crate) fn awaits_data(download: &mut Download, pieces: &Pieces, peers: &Peers) -> bool {
    let mut unchoking = peers.iter().filter(|(_, peer)| !peer.peer_choking);
    unchoking.any(|(_, peer)| download.picker.has_open_awaited(pieces, &peer.have))
}

impl Download {
    /// Sets the ranges that are downloaded first. Returns whether requests were cancelled, so that
    /// more can be requested.
    pub(crate) fn prioritise(
        &mut self,
        cx: &mut Context,
        pieces: &Pieces,
        peers: &mut Peers,
        ranges: &[PriorityRange],
    ) -> bool {
        self.picker.prioritise(cx.now, &pieces.lengths, ranges);
        let Some(next) = self.picker.next_awaited(pieces) else {
            return false;
        };
        if !self.picker.has_room(cx.shared, pieces) {
            // What an earlier call has left behind.
            for piece in self.picker.stop_untouched(cx, pieces) {
                self.reopen(cx, pieces, peers, piece);
            }
        }
        if !self.picker.has_room(cx.shared, pieces) {
            return false;
        }
        let mut cancelled = false;
        for (conn, peer) in peers.iter_mut() {
            if !peer.peer_choking && peer.have.has(next) {
                cancelled |= self.cancel_others(cx, conn, peer);
            }
        }
        cancelled
    }

    /// Cancels a peer's requests for data that are not awaited, the newest ones first, as far as the
    /// limit permits. Those that it answers nevertheless are accepted. Returns whether there were any.
    fn cancel_others(&mut self, cx: &mut Context, conn: ConnId, peer: &mut Peer) -> bool {
        let Some(known) = self.peers.get_mut(&conn) else {
            return false;
        };
        let pending = known.requests().iter().filter(|request| !request.late);
        let blocks = pending.map(|request| request.block);
        let mut others: Vec<Block> = blocks
            .skip(known.pipeline.blocks_within(ON_THE_WAY))
            .filter(|block| !self.picker.awaits(block.piece()))
            .collect();
        let cancelled = self
            .cancels
            .take_available(cx.now, conn, others.len() as u64);
        let kept = others.len() - usize::try_from(cancelled).unwrap_or(usize::MAX);
        for block in others.split_off(kept) {
            let requests = known.take_requests_of(block);
            known.release(block, cx.config().max_requests_out);
            requests
                .into_iter()
                .for_each(|request| self.picker.give_back(request));
            peer.send(cx, conn, Message::Cancel(block.into()));
        }
        if cancelled > 0 {
            self.release_ownership(conn);
        }
        cancelled > 0
    }
}
