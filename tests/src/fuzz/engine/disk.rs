//! The simulated disk: its current content, what a power loss would leave, and pending operations.

use std::collections::BTreeMap;

use aqueduct_core::types::{Bitfield, Piece, PieceDigest, RequestId};
use aqueduct_core::{Op, OpError, OpResult};

use super::inputs::piece;
use super::operation::Outcome;
use super::torrent::{TORRENT, digest};
use super::world::nth;

/// Pending operations. A flush records what it makes durable.
struct Pending {
    op: Op,
    written_before: Bitfield,
    cancelled: bool,
}

pub(super) struct Disk {
    requests: BTreeMap<RequestId, Pending>,
    newest_request: Option<RequestId>,
    written: Bitfield,
    durable: Bitfield,
}

impl Disk {
    pub(super) fn new() -> Self {
        let none = Bitfield::none(TORRENT.pieces());
        Self {
            requests: BTreeMap::new(),
            newest_request: None,
            written: none.clone(),
            durable: none,
        }
    }

    /// Whether no operation is pending.
    pub(super) fn is_idle(&self) -> bool {
        self.requests.is_empty()
    }

    /// Pieces that survive a power loss.
    pub(super) fn durable(&self) -> &Bitfield {
        &self.durable
    }

    pub(super) fn has_all(&self) -> bool {
        self.written.is_all()
    }

    pub(super) fn assert_has(&self, piece: Piece) {
        assert!(self.written.has(piece), "{piece:?} is not there");
    }

    /// The number of bytes that wait to be hashed or written.
    pub(super) fn unwritten(&self) -> u64 {
        let held = |op: &Op| match op {
            Op::Hash(rope) | Op::Write { data: rope, .. } => rope.len() as u64,
            _ => 0,
        };
        self.requests
            .values()
            .map(|pending| held(&pending.op))
            .sum()
    }

    /// Accepts an operation, and checks that it is valid.
    pub(super) fn request(&mut self, id: RequestId, op: Op) {
        assert!(
            self.newest_request.is_none_or(|newest| newest < id),
            "{id:?} is used twice"
        );
        self.newest_request = Some(id);
        match &op {
            Op::Write { offset, data } => {
                let piece = TORRENT
                    .lengths()
                    .pieces_of(*offset, 1)
                    .next()
                    .expect("a write lies in the torrent");
                assert_eq!(*offset, TORRENT.lengths().offset(piece));
                assert_eq!(
                    data.0.concat(),
                    TORRENT.piece(piece),
                    "{piece:?} is written with wrong bytes"
                );
            }
            Op::Read { offset, length } => {
                assert!(
                    TORRENT.slice(*offset, (*length).into()).is_some()
                        && *length > 0
                        && *length <= 256 * 1024
                );
                TORRENT
                    .lengths()
                    .pieces_of(*offset, (*length).into())
                    .for_each(|piece| self.assert_has(piece));
            }
            Op::Save { have, .. } => {
                let early = have.ones().find(|index| !self.durable.has(piece(*index)));
                assert_eq!(
                    early, None,
                    "the record claims a piece before it is durable"
                );
            }
            Op::Hash(_) | Op::Check(_) | Op::Flush => {}
        }
        let written_before = self.written.clone();
        self.requests.insert(
            id,
            Pending {
                op,
                written_before,
                cancelled: false,
            },
        );
    }

    pub(super) fn cancel(&mut self, id: RequestId) {
        self.requests
            .get_mut(&id)
            .expect("only what is under way is cancelled")
            .cancelled = true;
    }

    /// Completes the request with this outcome. `None` if there is no such request.
    pub(super) fn answer(
        &mut self,
        which: u8,
        outcome: Outcome,
    ) -> Option<(RequestId, Result<OpResult, OpError>)> {
        let id = nth(self.requests.keys(), which)?;
        let pending = self.requests.remove(&id)?;
        let failed = match (outcome, &pending.op) {
            (Outcome::Right, _) => None,
            (Outcome::Failed { .. }, _) if pending.cancelled => Some(OpError::Cancelled),
            (Outcome::Failed { .. }, Op::Hash(_)) => None,
            (Outcome::Failed { full }, _) => Some(OpError::Storage {
                full,
                message: "the disk failed".to_owned(),
            }),
        };
        let result = failed.map_or_else(|| Ok(self.perform(pending)), Err);
        Some((id, result))
    }

    fn perform(&mut self, pending: Pending) -> OpResult {
        let lengths = TORRENT.lengths();
        match pending.op {
            Op::Hash(rope) => OpResult::Digest(PieceDigest::V1(digest(&rope))),
            Op::Write { offset, .. } => {
                for piece in lengths.pieces_of(offset, 1) {
                    self.written.set(piece);
                }
                OpResult::Unit
            }
            Op::Read { offset, length } => OpResult::Bytes(
                TORRENT
                    .slice(offset, length.into())
                    .expect("checked when it was asked for"),
            ),
            Op::Check(range) if self.written.has(range.piece) => TORRENT
                .info
                .piece_digest(range.piece)
                .map_or(OpResult::Missing, OpResult::Digest),
            Op::Check(_) => OpResult::Missing,
            Op::Flush => {
                for index in pending.written_before.ones() {
                    self.durable.set(piece(index));
                }
                OpResult::Unit
            }
            Op::Save { .. } => OpResult::Unit,
        }
    }
}
