//! Which block to ask of whom: whole pieces from one peer while there are pieces enough, everybody on the rest in the end.

use std::time::Duration;

use super::data::Data;
use super::hub::Hub;
use super::swarm::Swarm;
use crate::peer::{Asked, Peer};
use crate::torrent::Partial;
use crate::types::{Block, ConnId, Instant, Piece};
use crate::wire::Message;

/// In the endgame a block is asked of so many peers at a time.
const ENDGAME_REQUESTERS: u8 = 3;
/// In the endgame a peer is asked for so many blocks at a time: what is asked twice is paid for twice. Who has yet to show how fast it is gets one.
const ENDGAME_DEPTH: usize = 32;
/// A request that so many later ones overtook was probably dropped.
const OVERTAKEN: u32 = 4;

impl Swarm {
    /// Fills one peer's pipeline.
    pub(super) fn fill(&mut self, hub: &mut Hub, now: Instant, conn: ConnId) {
        if !self.downloading() {
            return;
        }
        let (Some(data), Some(peer)) = (&mut self.data, self.peers.get_mut(&conn)) else { return };
        let limit = hub.config.max_requests_out.min(peer.extensions.request_limit());
        let depth = peer.pipeline.depth(limit);
        let mut opened = Opened::default();
        while peer.in_flight() < depth && peer.asked.len() < limit.saturating_mul(2) && peer.useful > 0 && hub.down.ready(now) {
            let when = When { now, due: now + peer.pipeline.wait(peer.in_flight()) };
            let Some(block) = next_block(data, hub, (conn, peer), when, &mut opened) else {
                hub.starved.insert(self.id);
                break;
            };
            hub.down.spend(u64::from(block.length()));
            peer.asked.push_back(Asked { block, at: now, overtaken: 0, late: false });
            peer.say(hub, conn, Message::Request(block.into()));
        }
        opened.pieces.into_iter().for_each(|piece| self.count_closed(piece));
        opened.whole.into_iter().for_each(|piece| self.on_all_blocks(hub, piece));
    }

    /// Fills every peer's pipeline: after memory, bandwidth or blocks became free.
    pub(super) fn fill_all(&mut self, hub: &mut Hub, now: Instant) {
        hub.starved.remove(&self.id);
        let conns: Vec<ConnId> = self.peers.keys().copied().collect();
        conns.into_iter().for_each(|conn| self.fill(hub, now, conn));
    }

    /// A piece left the picker: it is no longer to be had for opening.
    pub(super) fn count_closed(&mut self, piece: Piece) {
        for peer in self.peers.values_mut().filter(|p| p.have.has(piece)) {
            peer.pickable = peer.pickable.saturating_sub(1);
        }
    }

    /// A piece went back to the picker.
    pub(super) fn reopen(&mut self, hub: &mut Hub, piece: Piece) {
        let Some(data) = &mut self.data else { return };
        if !data.should_be_open(piece) {
            return;
        }
        data.picker.open(piece, &mut hub.rng);
        for peer in self.peers.values_mut().filter(|p| p.have.has(piece)) {
            peer.pickable += 1;
        }
    }

    /// Everything this peer was asked for may be asked of others. `forgive`: it may still come, without offence.
    pub(super) fn give_back_all(&mut self, hub: &Hub, conn: ConnId, forgive: bool) {
        let (Some(data), Some(peer)) = (&mut self.data, self.peers.get_mut(&conn)) else { return };
        peer.late = 0;
        for asked in std::mem::take(&mut peer.asked) {
            give_back(data, asked);
            if forgive {
                peer.forgive(asked.block, hub.config.max_requests_out);
            }
        }
        release_ownership(data, peer, conn);
    }

    /// A peer that chokes us may still answer what it was asked for, but others need not wait for it (BEP 6). What it allows all the same it owes.
    /// Returns whether anything became free.
    pub(super) fn doubt_all(&mut self, conn: ConnId) -> bool {
        let (Some(data), Some(peer)) = (&mut self.data, self.peers.get_mut(&conn)) else { return false };
        let mut found = false;
        for asked in peer.asked.iter_mut().filter(|a| !a.late && !peer.allowed_in.contains(&a.block.piece())) {
            give_back(data, *asked);
            asked.late = true;
            peer.late += 1;
            found = true;
        }
        release_ownership(data, peer, conn);
        found
    }

    /// What this peer was asked for of one piece may be asked of others; it may still come, without offence.
    pub(super) fn give_back_piece(&mut self, hub: &Hub, conn: ConnId, piece: Piece) {
        let (Some(data), Some(peer)) = (&mut self.data, self.peers.get_mut(&conn)) else { return };
        let asked: Vec<Block> = peer.asked.iter().map(|a| a.block).filter(|block| block.piece() == piece).collect();
        for block in asked {
            peer.take_asked(block).into_iter().for_each(|asked| give_back(data, asked));
            peer.forgive(block, hub.config.max_requests_out);
        }
        release_ownership(data, peer, conn);
    }

    /// Blocks that this peer owes for too long are asked elsewhere, or of the same peer again. Returns whether there were any.
    pub(super) fn expire_requests(&mut self, hub: &Hub, now: Instant, conn: ConnId) -> bool {
        let (Some(data), Some(peer)) = (&mut self.data, self.peers.get_mut(&conn)) else { return false };
        let patience = Patience::with(peer, hub.config.block_timeout);
        let (owes, quiet) = (peer.in_flight() > 0, now.since(peer.last_block));
        let mut found = false;
        for asked in peer.asked.iter_mut().filter(|a| !a.late && now.since(a.at) >= patience.of(a, quiet)) {
            give_back(data, *asked);
            asked.late = true;
            peer.late += 1;
            found = true;
        }
        if found && quiet >= patience.silence {
            peer.pipeline.on_snub();
            release_ownership(data, peer, conn);
        }
        peer.snubbed |= owes && quiet >= hub.config.block_timeout;
        found
    }
}

/// How long to wait for a block of one peer.
struct Patience {
    /// If nothing at all comes.
    silence: Duration,
    /// If later requests were answered earlier.
    overtaken: Duration,
    /// If others come.
    longest: Duration,
}

impl Patience {
    /// `timeout`: [`crate::Config::block_timeout`], the longest for a silent peer. A peer that has shown how fast it is is given less.
    fn with(peer: &Peer, timeout: Duration) -> Self {
        let in_flight = peer.in_flight();
        Self {
            silence: peer.pipeline.patience(in_flight).unwrap_or(timeout).min(timeout),
            overtaken: peer.pipeline.patience_overtaken(in_flight).unwrap_or(timeout).min(timeout),
            longest: timeout * 3,
        }
    }

    fn of(&self, asked: &Asked, quiet: Duration) -> Duration {
        if quiet >= self.silence {
            self.silence
        } else if asked.overtaken >= OVERTAKEN {
            self.overtaken
        } else {
            self.longest
        }
    }
}

/// One request of ours will not be answered: the block is free, unless others are asked for it.
pub(super) fn give_back(data: &mut Data, asked: Asked) {
    if let Some(partial) = data.partials.get_mut(&asked.block.piece()).filter(|_| !asked.late) {
        partial.give_back(asked.block.number());
    }
}

pub(super) fn release_ownership(data: &mut Data, peer: &mut Peer, conn: ConnId) {
    peer.current = None;
    data.partials.values_mut().filter(|p| p.owner == Some(conn)).for_each(|p| p.owner = None);
}

/// Pieces that one filling of a pipeline took from the picker.
#[derive(Default)]
struct Opened {
    pieces: Vec<Piece>,
    /// Of these, those that are all padding: nothing of them is to be asked for.
    whole: Vec<Piece>,
}

/// Now, and when a peer should have sent what it is asked for now.
#[derive(Clone, Copy)]
struct When {
    now: Instant,
    due: Instant,
}

/// The block to ask this peer for, in this order: of the piece it fetches, of one that was left, of a new one, of another peer's, of what others are asked for.
fn next_block(data: &mut Data, hub: &mut Hub, (conn, peer): (ConnId, &mut Peer), when: When, opened: &mut Opened) -> Option<Block> {
    if peer.chokes_us && peer.allowed_in.is_empty() {
        return None;
    }
    of_current(data, peer, when)
        .or_else(|| of_partial(data, (conn, peer), when, |p| p.owner.is_none_or(|o| o == conn)))
        .or_else(|| of_new(data, hub, (conn, peer), when.due, opened))
        .or_else(|| of_partial(data, (conn, peer), when, |p| !p.alone))
        .or_else(|| shared(data, peer, when))
}

fn of_current(data: &mut Data, peer: &Peer, When { now, due }: When) -> Option<Block> {
    let piece = peer.current.filter(|p| peer.may_ask(now, *p))?;
    let number = data.partials.get_mut(&piece)?.take_free(due)?;
    data.lengths.nth_block(piece, number)
}

/// Joins a piece under way, and takes it over if nobody fetches it.
fn of_partial(data: &mut Data, (conn, peer): (ConnId, &mut Peer), When { now, due }: When, may: impl Fn(&Partial) -> bool) -> Option<Block> {
    let mut fit = data.partials.iter_mut().filter(|(piece, p)| p.free() > 0 && may(p) && peer.may_ask(now, **piece));
    let (&piece, partial) = fit.next()?;
    let number = partial.take_free(due)?;
    partial.owner.get_or_insert(conn);
    peer.current = Some(piece);
    data.lengths.nth_block(piece, number)
}

fn of_new(data: &mut Data, hub: &mut Hub, (conn, peer): (ConnId, &mut Peer), due: Instant, opened: &mut Opened) -> Option<Block> {
    loop {
        if !hub.has_room(u64::from(data.lengths.piece_length())) {
            // Not even worth the search, which is the longest part of filling a pipeline.
            return None;
        }
        let piece = pick(data, peer, &opened.pieces)?;
        if !hub.reserve(u64::from(data.lengths.size(piece))) {
            return None;
        }
        data.picker.close(piece);
        opened.pieces.push(piece);
        let mut partial = data.new_partial(piece, conn);
        let number = partial.take_free(due);
        data.partials.insert(piece, partial);
        match number {
            Some(number) => {
                peer.current = Some(piece);
                return data.lengths.nth_block(piece, number);
            }
            None => opened.whole.push(piece),
        }
    }
}

fn pick(data: &Data, peer: &Peer, closed: &[Piece]) -> Option<Piece> {
    if peer.chokes_us && data.sequential {
        // What a choking peer allows lies anywhere; who wants the beginning first has no use for it.
        return None;
    }
    if peer.chokes_us {
        return peer.allowed_in.iter().copied().find(|&p| peer.have.has(p) && data.picker.is_open(p));
    }
    // Pieces closed in this very run are not yet taken off the peer's count.
    let just_closed = closed.iter().filter(|p| peer.have.has(**p)).count();
    let hits = peer.pickable.saturating_sub(u32::try_from(just_closed).unwrap_or(u32::MAX));
    match data.sequential {
        true if hits > 0 => data.picker.first(&peer.have),
        true => None,
        false => data.picker.rarest(&peer.have, hits),
    }
}

/// Endgame: what is slow to come is asked of somebody faster, too, so that the last blocks do not wait for the slowest.
fn shared(data: &mut Data, peer: &Peer, When { now, due }: When) -> Option<Block> {
    let depth = if peer.pipeline.is_known() { ENDGAME_DEPTH } else { 1 };
    if peer.in_flight() >= depth || data.picker.open_count() > 0 {
        return None;
    }
    let lengths = data.lengths;
    let mut fit = data.partials.iter_mut().filter(|(piece, p)| !p.alone && peer.may_ask(now, **piece));
    fit.find_map(|(&piece, partial)| {
        let unasked = |n| lengths.nth_block(piece, n).is_some_and(|b| !peer.asked.iter().any(|a| a.block == b));
        lengths.nth_block(piece, partial.take_shared(now, due, ENDGAME_REQUESTERS, unasked)?)
    })
}
