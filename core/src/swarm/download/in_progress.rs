//! A piece in progress: which of its blocks are requested, which have arrived, and from whom.

use std::cmp::Reverse;
use std::time::Duration;

use bytes::Bytes;

use super::source::Source;
use crate::io::Rope;
use crate::types::{Instant, PeerIdentity};

/// A block is requested from another peer, too, only if the first one is expected to take at least this
/// many times as long, and at least [`LEAST_GAIN`].
const FASTER: u32 = 2;
const LEAST_GAIN: Duration = Duration::from_millis(500);

/// A block of a piece in progress.
#[derive(Clone, Debug, Default)]
struct Slot {
    data: Option<Bytes>,
    from: Option<PeerIdentity>,
    requesters: u8,
    /// The earliest expected arrival among the pending requests.
    due: Instant,
}

impl Slot {
    /// The expected remaining time. A peer that is late is expected to be late by the same time
    /// again.
    fn rest(&self, now: Instant) -> Duration {
        self.due.since(now).max(now.since(self.due))
    }
}

/// The effect of a block that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It was accepted. Other peers with pending requests for it should be told.
    Taken {
        /// The number of pending requests for the same block at other peers.
        others: u8,
    },
    /// It had arrived before.
    Duplicate,
}

/// A piece in progress. Blocks are kept as the slices in which they arrived.
#[derive(Debug)]
pub(crate) struct PieceInProgress {
    slots: Vec<Slot>,
    missing: u32,
    free: u32,
    /// Every block before this one is requested or has arrived.
    cursor: usize,
    /// The source that downloads the piece alone. While it does, no other peer joins, unless the piece
    /// is awaited, to free memory, or at the end of the download.
    pub(crate) owner: Option<Source>,
    /// Whether only one peer may download it after a failed digest, so that a second failure
    /// identifies the offender.
    pub(crate) alone: bool,
}

impl PieceInProgress {
    /// A piece of this many blocks, none of them requested.
    pub(crate) fn new(blocks: u32, owner: Source, alone: bool) -> Self {
        let slots = vec![Slot::default(); blocks as usize];
        Self {
            slots,
            missing: blocks,
            free: blocks,
            cursor: 0,
            owner: Some(owner),
            alone,
        }
    }

    /// The number of blocks that have not arrived.
    pub(crate) fn missing(&self) -> u32 {
        self.missing
    }

    /// The number of blocks that have not arrived and are not requested.
    pub(crate) fn free(&self) -> u32 {
        self.free
    }

    /// Whether only another source may download it.
    pub(crate) fn is_closed_to(&self, source: Source) -> bool {
        self.alone && self.owner.is_some_and(|owner| owner != source)
    }

    /// Whether no block was received or is requested.
    pub(crate) fn is_untouched(&self) -> bool {
        let untouched = |slot: &Slot| slot.from.is_none() && slot.requesters == 0;
        self.slots.iter().all(untouched)
    }

    /// Fills in a block that is known without a request: padding.
    pub(crate) fn fill(&mut self, block: u32, data: Bytes) {
        let slot = self.slots.get_mut(block as usize);
        if let Some(slot) = slot.filter(|slot| slot.data.is_none() && slot.requesters == 0) {
            slot.data = Some(data);
            self.missing -= 1;
            self.free -= 1;
        }
    }

    /// Takes the first free block for a peer, which should send it by `due`.
    pub(crate) fn take_free(&mut self, due: Instant) -> Option<u32> {
        if self.free == 0 {
            return None;
        }
        let open = |slot: &Slot| slot.data.is_none() && slot.requesters == 0;
        let at = self.cursor + self.slots.get(self.cursor..)?.iter().position(open)?;
        self.cursor = at + 1;
        (self.slots[at].requesters, self.slots[at].due) = (1, due);
        self.free -= 1;
        u32::try_from(at).ok()
    }

    /// Takes a block that is already requested from others, the one expected last, if `may`
    /// permits. Such a block is often received twice, so this peer, which should send it
    /// by `due`, must clearly be faster.
    pub(crate) fn take_shared(
        &mut self,
        now: Instant,
        due: Instant,
        limit: u8,
        may: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let enough = (due.since(now) * FASTER).max(LEAST_GAIN);
        let numbered = (0u32..).zip(&mut self.slots);
        let wanted = numbered.filter(|(n, s)| {
            s.data.is_none()
                && s.requesters > 0
                && s.requesters < limit
                && s.rest(now) >= enough
                && may(*n)
        });
        let (n, slot) = wanted.max_by_key(|(n, s)| (s.rest(now), Reverse(*n)))?;
        slot.requesters += 1;
        slot.due = due;
        Some(n)
    }

    /// Releases a block that a peer will not send, because it choked us, left, rejected the
    /// request, or is late.
    pub(crate) fn give_back(&mut self, block: u32) {
        let Some(slot) = self.slots.get_mut(block as usize) else {
            return;
        };
        if slot.data.is_some() || slot.requesters == 0 {
            return;
        }
        slot.requesters -= 1;
        if slot.requesters == 0 {
            self.free += 1;
            self.cursor = self.cursor.min(block as usize);
        }
    }

    /// Stores a block that arrived. `asked`: whether the peer still counted as one of its
    /// requesters.
    pub(crate) fn arrived(
        &mut self,
        block: u32,
        data: Bytes,
        from: PeerIdentity,
        asked: bool,
    ) -> Arrival {
        let Some(slot) = self
            .slots
            .get_mut(block as usize)
            .filter(|s| s.data.is_none())
        else {
            return Arrival::Duplicate;
        };
        if slot.requesters == 0 {
            self.free -= 1;
        }
        let others = slot.requesters - u8::from(asked && slot.requesters > 0);
        *slot = Slot {
            data: Some(data),
            from: Some(from),
            requesters: 0,
            due: Instant::ZERO,
        };
        self.missing -= 1;
        Arrival::Taken { others }
    }

    /// The number of bytes received from peers.
    pub(crate) fn received(&self) -> u64 {
        let sent = self.slots.iter().filter(|slot| slot.from.is_some());
        sent.filter_map(|slot| slot.data.as_ref())
            .map(|data| data.len() as u64)
            .sum()
    }

    /// The whole piece and the sender of each block; padding has none. Call only if nothing is
    /// missing.
    pub(crate) fn into_piece(self) -> (Rope, Vec<Option<PeerIdentity>>) {
        let slots = self
            .slots
            .into_iter()
            .filter_map(|slot| Some((slot.data?, slot.from)));
        let (data, from): (Vec<_>, Vec<_>) = slots.unzip();
        (Rope(data), from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ConnId, PeerId};

    const SOON: Instant = Instant::ZERO;
    const LATE: Instant = Instant::from_micros(9_000_000);

    fn who(n: u8) -> PeerIdentity {
        PeerIdentity {
            addr: ([127, 0, 0, n], 1).into(),
            peer_id: PeerId([n; 20]),
        }
    }

    #[test]
    fn blocks_are_taken_given_back_and_taken_again() {
        let mut p = PieceInProgress::new(3, Source::Peer(ConnId::dialled(0)), false);
        assert_eq!(
            [(); 4].map(|()| p.take_free(SOON)),
            [Some(0), Some(1), Some(2), None]
        );
        p.give_back(1);
        p.give_back(1);
        assert_eq!((p.free(), p.missing()), (1, 3));
        assert_eq!(p.take_free(SOON), Some(1));
    }

    #[test]
    fn in_the_endgame_the_slowest_block_is_asked_of_somebody_who_is_clearly_faster() {
        let at = |secs| Instant::ZERO + Duration::from_secs(secs);
        let mut p = PieceInProgress::new(2, Source::Peer(ConnId::dialled(0)), false);
        p.take_free(at(6));
        p.take_free(at(9));
        assert_eq!(
            p.take_shared(at(0), at(5), 3, |_| true),
            None,
            "nine seconds are not twice five"
        );
        assert_eq!(p.take_shared(at(0), at(3), 3, |_| true), Some(1));
        assert_eq!(p.take_shared(at(0), at(3), 3, |_| true), Some(0));
        assert_eq!(
            p.take_shared(at(3), at(3), 3, |_| true),
            None,
            "what should come now is worth no word"
        );
        assert_eq!(
            [(); 3].map(|()| p.take_shared(at(4), at(4), 3, |_| true)),
            [Some(0), Some(1), None],
            "late: as long again, but three are enough"
        );
    }

    #[test]
    fn of_a_block_that_two_were_asked_for_the_second_copy_is_a_duplicate() {
        let mut p = PieceInProgress::new(2, Source::Peer(ConnId::dialled(0)), false);
        p.take_free(SOON);
        p.take_free(SOON);
        assert_eq!(
            [0, 1].map(|n| p.take_shared(LATE, LATE, 3, |block| block == n)),
            [Some(0), Some(1)]
        );
        assert_eq!(
            p.arrived(0, Bytes::from_static(b"a"), who(1), true),
            Arrival::Taken { others: 1 }
        );
        assert_eq!(
            p.arrived(0, Bytes::from_static(b"a"), who(2), true),
            Arrival::Duplicate
        );
        assert_eq!(
            p.arrived(1, Bytes::from_static(b"b"), who(2), false),
            Arrival::Taken { others: 2 }
        );
        let (rope, from) = p.into_piece();
        assert_eq!((rope.len(), from), (2, vec![Some(who(1)), Some(who(2))]));
    }

    #[test]
    fn padding_is_there_from_the_start_and_was_sent_by_nobody() {
        let mut p = PieceInProgress::new(2, Source::Peer(ConnId::dialled(0)), false);
        p.fill(0, Bytes::from_static(b"0"));
        assert_eq!(
            (
                p.missing(),
                p.take_free(SOON),
                p.take_free(SOON),
                p.received()
            ),
            (1, Some(1), None, 0)
        );
        assert_eq!(
            p.arrived(1, Bytes::from_static(b"b"), who(1), true),
            Arrival::Taken { others: 0 }
        );
        assert_eq!(p.received(), 1);
        let (rope, from) = p.into_piece();
        assert_eq!((rope.len(), from), (2, vec![None, Some(who(1))]));
    }

    #[test]
    fn a_block_that_comes_after_it_was_given_back_is_taken() {
        let mut p = PieceInProgress::new(2, Source::Peer(ConnId::dialled(0)), false);
        p.take_free(SOON);
        p.give_back(0);
        assert_eq!(
            p.arrived(0, Bytes::from_static(b"a"), who(1), false),
            Arrival::Taken { others: 0 }
        );
        assert_eq!((p.free(), p.missing()), (1, 1));
        assert_eq!(p.take_free(SOON), Some(1));
    }
}
