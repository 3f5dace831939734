//! Serving requests. No more is read from storage than the peer's socket accepts.

use std::time::Duration;

use bytes::Bytes;

use super::Upload;
use super::peer::{MAX_READ, PeerUpload};
use crate::context::{Context, Pending, misbehaved};
use crate::io::{CloseReason, Op};
use crate::swarm::peers::{Peer, Peers, Progress};
use crate::swarm::storage::Pieces;
use crate::types::{Block, ConnId, Piece, SortedSet};
use crate::wire::{Message, RawBlock};

/// The maximum length of a request in bytes: 128 KiB, eight times the usual length.
const MAX_BLOCK: u32 = 128 * 1024;
/// The number of invalid requests after which a peer is disconnected.
const MAX_INVALID: u32 = 300;
/// A peer without the fast extension cannot be told that its queue is full. Its queue may be this
/// many times longer before that counts as misbehaviour.
const SILENT_EXCESS: usize = 4;
/// The bytes that an upload limit permits within this time are read at once at most.
const LONGEST_READ: Duration = Duration::from_millis(100);

impl Upload {
    /// Handles a request. `pieces` is `None` while the torrent's size is unknown. Progress is made
    /// if the request is going to be served.
    pub(crate) fn handle_request(
        &mut self,
        cx: &mut Context,
        pieces: Option<&Pieces>,
        (conn, peer): (ConnId, &mut Peer),
        raw: RawBlock,
    ) -> Result<Progress, CloseReason> {
        let known = self.peers.get_or_insert_with(conn, Default::default);
        let valid = |pieces: &Pieces| {
            let block = pieces.lengths.block(raw.index, raw.begin, raw.length);
            block.filter(|block| pieces.is_announced(block.piece()) && block.length() <= MAX_BLOCK)
        };
        let Some(block) = pieces.and_then(valid) else {
            peer.reject(cx, conn, raw);
            return match known.count_invalid() > MAX_INVALID {
                true => misbehaved("it asked for what is not there"),
                false => Ok(Progress::None),
            };
        };
        if peer.am_choking && !known.allowed_fast.contains(&block.piece()) {
            peer.reject(cx, conn, raw);
            return Ok(Progress::None);
        }
        if known.waits_for(block) {
            return Ok(Progress::None);
        }
        let (waiting, limit) = (known.waiting(), cx.config().max_requests_in);
        if waiting >= limit {
            peer.reject(cx, conn, raw);
            if peer.fast {
                return Ok(Progress::None);
            }
            if waiting >= limit * SILENT_EXCESS {
                return misbehaved("it has too many requests waiting");
            }
        }
        known.queue(block);
        Ok(Progress::Made)
    }

    /// BEP 6: a cancelled request is still answered, by a reject or by the block.
    pub(crate) fn handle_cancel(
        &mut self,
        cx: &mut Context,
        pieces: &Pieces,
        (conn, peer): (ConnId, &mut Peer),
        raw: RawBlock,
    ) {
        let Some(known) = self.peers.get_mut(&conn) else {
            return;
        };
        let block = pieces.lengths.block(raw.index, raw.begin, raw.length);
        if let Some(block) = block.filter(|block| known.waits_for(*block)) {
            known.remove(block);
            peer.reject(cx, conn, raw);
        }
    }

    /// Reads for one peer while its send queue has room. Returns the piece that it waits for, if
    /// that piece must be checked first.
    pub(crate) fn serve(
        &mut self,
        cx: &mut Context,
        pieces: &Pieces,
        conn: ConnId,
        peer: &Peer,
    ) -> Option<Piece> {
        let known = self.peers.get_mut(&conn)?;
        let max_unsent = cx.config().max_unsent;
        // With a limit, one long read would use it up for a while, for blocks that may be cancelled.
        let longest = cx.upload_within(LONGEST_READ).min(MAX_READ);
        while let Some(next) = known.next_queued() {
            if pieces.recheck.doubts(next.piece()) {
                return Some(next.piece());
            }
            let room = peer
                .outgoing
                .has_room(cx.now, known.reading_bytes(), max_unsent);
            if !room || !cx.may_upload() {
                break;
            }
            let blocks = known.next_run(longest);
            let length = blocks.iter().map(|block| block.length()).sum::<u32>();
            cx.spend_upload(length);
            self.newest = Some(conn);
            let offset = pieces.lengths.offset(next.piece()) + u64::from(next.begin());
            cx.request(Op::Read { offset, length }, Pending::Read { conn, blocks });
        }
        None
    }

    /// The peers whose next block is in this piece.
    pub(crate) fn waiting_for(&self, piece: Piece) -> Vec<ConnId> {
        let next = |known: &PeerUpload| known.next_queued().map(Block::piece);
        self.peers
            .iter()
            .filter(|(_, known)| next(known) == Some(piece))
            .map(|(conn, _)| *conn)
            .collect()
    }

    /// BEP 6: rejects pending requests for pieces that are gone.
    pub(crate) fn reject_waiting(&mut self, cx: &mut Context, peers: &mut Peers, gone: &[Piece]) {
        let gone: SortedSet<Piece> = gone.iter().copied().collect();
        for (conn, peer) in peers.iter_mut() {
            let Some(known) = self.peers.get_mut(&conn) else {
                continue;
            };
            known.allowed_fast.retain(|piece| !gone.contains(piece));
            for block in known.remove_queued(|block| gone.contains(&block.piece())) {
                peer.reject(cx, conn, block.into());
            }
        }
    }

    /// Handles bytes that were read. Blocks that were cancelled in the meantime are omitted.
    pub(crate) fn handle_read(
        &mut self,
        cx: &mut Context,
        (conn, peer): (ConnId, &mut Peer),
        (blocks, bytes): (&[Block], &Bytes),
    ) {
        let Some(known) = self.peers.get_mut(&conn) else {
            return;
        };
        let mut at = 0usize;
        for &block in blocks {
            let end = at + block.length() as usize;
            if bytes.len() >= end && known.take_read(block) {
                let length = u64::from(block.length());
                self.uploaded += length;
                self.rate.add(cx.now, length);
                known.rate.add(cx.now, length);
                let (index, begin) = (block.piece().get(), block.begin());
                let message = Message::Piece {
                    index,
                    begin,
                    data: bytes.slice(at..end),
                };
                peer.send(cx, conn, message);
            }
            at = end;
        }
    }

    /// Handles a failed read: its requests wait until the cause is known.
    pub(crate) fn handle_unreadable(&mut self, conn: ConnId, blocks: &[Block]) {
        if let Some(known) = self.peers.get_mut(&conn) {
            blocks.iter().rev().for_each(|block| known.put_back(*block));
        }
    }
}
