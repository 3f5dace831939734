//! What is known of one connected peer.

mod pipeline;
mod refusals;

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;

use bytes::Bytes;

pub(crate) use pipeline::Pipeline;
pub(crate) use refusals::Refusals;

use crate::torrent::{Rate, Who};
use crate::types::{Bitfield, Block, Instant, PeerId, Piece};
use crate::wire::Reserved;

/// A request of ours on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) block: Block,
    pub(crate) at: Instant,
    /// Blocks that were asked for later and came earlier. Peers answer in order, or nearly so.
    pub(crate) overtaken: u32,
    /// It was late and is asked elsewhere; if it comes all the same it is welcome.
    pub(crate) late: bool,
}

/// What a peer said it has before the torrent's size was known (magnet links).
#[derive(Debug, Default)]
pub(crate) struct EarlyHave {
    pub(crate) all: bool,
    pub(crate) bitfield: Option<Bytes>,
    pub(crate) indices: Vec<u32>,
}

/// One connected peer of one torrent.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) addr: SocketAddr,
    /// Where it listens, if known: what may be dialled and told to others.
    pub(crate) listens: Option<SocketAddr>,
    pub(crate) peer_id: PeerId,
    /// Whether it was dialled, by us or for us.
    pub(crate) dialled: bool,
    pub(crate) fast: bool,
    pub(crate) connected_at: Instant,

    pub(crate) have: Bitfield,
    /// Not counted piece by piece in the picker: it came as a seed.
    pub(crate) counted_as_seed: bool,
    /// Whether it said what it has: that may be said once, as the first message.
    pub(crate) said_have: bool,
    pub(crate) early: EarlyHave,
    /// Pieces it has that we want and lack.
    pub(crate) useful: u32,
    /// Of these, the open ones.
    pub(crate) pickable: u32,

    pub(crate) chokes_us: bool,
    pub(crate) we_want: bool,
    pub(crate) choked: bool,
    pub(crate) wants_us: bool,
    pub(crate) unchoked_at: Option<Instant>,
    /// Payload bytes from it in this round of choking and in the one before.
    pub(crate) gave: [u64; 2],
    /// Pieces it lets us request while it chokes us (BEP 6).
    pub(crate) allowed_in: BTreeSet<Piece>,
    /// Pieces of which it rejected a block; others are asked for them first.
    pub(crate) refusals: Refusals,
    /// Pieces we let it request while we choke it (BEP 6).
    pub(crate) allowed_out: Vec<Piece>,

    pub(crate) pipeline: Pipeline,
    pub(crate) asked: VecDeque<Asked>,
    /// Of these, the late ones.
    pub(crate) late: usize,
    /// Blocks no longer asked for that may still come.
    pub(crate) forgiven: VecDeque<Block>,
    /// The piece it fetches.
    pub(crate) current: Option<Piece>,
    pub(crate) last_block: Instant,
    pub(crate) snubbed: bool,
    pub(crate) unsolicited: u64,
    pub(crate) down: Rate,

    /// Blocks it asked for and that are not read yet.
    pub(crate) wants: VecDeque<Block>,
    /// Blocks being read for it.
    pub(crate) reading: VecDeque<Block>,
    /// Wire bytes in the driver's queue.
    pub(crate) unsent: u64,
    /// Wire bytes that leave that queue.
    pub(crate) drained: Rate,
    pub(crate) invalid_requests: u32,
    pub(crate) up: Rate,

    pub(crate) heard_at: Instant,
    /// Something was sent since the last tick.
    pub(crate) said: bool,
    /// Ticks without anything sent.
    pub(crate) quiet_ticks: u32,
    /// Neither side has wanted anything since.
    pub(crate) useless_since: Instant,
    /// What it calls our extensions (BEP 10), once it said so.
    pub(crate) extensions: crate::ext::Extensions,
}

impl Peer {
    /// A peer whose handshake is done. `listens`: where it was dialled, if it was.
    pub(crate) fn new(now: Instant, who: Who, listens: Option<SocketAddr>, reserved: Reserved, pieces: u32) -> Self {
        Self {
            addr: who.addr,
            listens,
            peer_id: who.peer_id,
            dialled: listens.is_some(),
            fast: reserved.fast(),
            connected_at: now,
            have: Bitfield::none(pieces),
            counted_as_seed: false,
            said_have: false,
            early: EarlyHave::default(),
            useful: 0,
            pickable: 0,
            chokes_us: true,
            we_want: false,
            choked: true,
            wants_us: false,
            unchoked_at: None,
            gave: [0; 2],
            allowed_in: BTreeSet::new(),
            refusals: Refusals::default(),
            allowed_out: Vec::new(),
            pipeline: Pipeline::default(),
            asked: VecDeque::new(),
            late: 0,
            forgiven: VecDeque::new(),
            current: None,
            last_block: now,
            snubbed: false,
            unsolicited: 0,
            down: Rate::default(),
            wants: VecDeque::new(),
            reading: VecDeque::new(),
            unsent: 0,
            drained: Rate::default(),
            invalid_requests: 0,
            up: Rate::default(),
            heard_at: now,
            said: true,
            quiet_ticks: 0,
            useless_since: now,
            extensions: crate::ext::Extensions::new(reserved),
        }
    }

    /// Its name beyond this connection.
    pub(crate) fn who(&self) -> Who {
        Who { addr: self.listens.unwrap_or(self.addr), peer_id: self.peer_id }
    }

    /// Whether we may ask it for this piece now.
    pub(crate) fn may_ask(&self, now: Instant, piece: Piece) -> bool {
        self.have.has(piece) && !self.refusals.hold(now, piece) && (!self.chokes_us || self.allowed_in.contains(&piece))
    }

    /// Requests on their way that are not given up.
    pub(crate) fn in_flight(&self) -> usize {
        self.asked.len() - self.late
    }

    /// Whether it waits for this block from us already.
    pub(crate) fn waits_for(&self, block: Block) -> bool {
        self.wants.contains(&block) || self.reading.contains(&block)
    }

    /// Takes one request of ours out of the list, if it is there.
    pub(crate) fn take_asked(&mut self, block: Block) -> Option<Asked> {
        let at = self.asked.iter().position(|a| a.block == block)?;
        let asked = self.asked.remove(at)?;
        self.late -= usize::from(asked.late);
        Some(asked)
    }

    /// The same for a request that is answered with its block: what was asked before it has been passed over.
    pub(crate) fn take_answered(&mut self, block: Block) -> Option<Asked> {
        let at = self.asked.iter().position(|a| a.block == block)?;
        self.asked.iter_mut().take(at).for_each(|earlier| earlier.overtaken = earlier.overtaken.saturating_add(1));
        self.take_asked(block)
    }

    /// Requests that were given up may still be answered, without offence, and are not counted any more.
    pub(crate) fn forgive_late(&mut self, bound: usize) {
        self.late = 0;
        for asked in std::mem::take(&mut self.asked) {
            if asked.late {
                self.forgive(asked.block, bound);
            } else {
                self.asked.push_back(asked);
            }
        }
    }

    /// A block that is not asked for any more; if it comes it is no offence.
    pub(crate) fn forgive(&mut self, block: Block, bound: usize) {
        if self.forgiven.len() >= bound {
            self.forgiven.pop_front();
        }
        self.forgiven.push_back(block);
    }

    /// Whether this block was forgiven, once.
    pub(crate) fn take_forgiven(&mut self, block: Block) -> bool {
        let at = self.forgiven.iter().position(|b| *b == block);
        at.and_then(|i| self.forgiven.remove(i)).is_some()
    }
}
