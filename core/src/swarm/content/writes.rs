//! Writes of verified pieces, and what follows when they fail.

use super::Content;
use crate::context::Context;
use crate::io::{Event, Failure, OpError, OpResult, Rope};
use crate::swarm::peers::Peers;
use crate::swarm::storage::Written;
use crate::types::Piece;

impl Content {
    /// Handles the result of a write. Returns whether the piece is complete now.
    pub(in crate::swarm) fn handle_written(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        (piece, data): (Piece, Rope),
        result: Result<OpResult, OpError>,
    ) -> bool {
        match self
            .store
            .handle_written(cx, &mut self.pieces, (piece, data), result)
        {
            Written::Again => return false,
            Written::Refused(error) => {
                if self.pieces.wanted().has(piece) {
                    self.fail(cx, error);
                }
                self.drop_unwanted_writes(cx, peers);
                return false;
            }
            Written::Stored => {}
        }
        let recovered = self.recover();
        cx.event(Event::Piece(cx.torrent, piece));
        peers.announce_have(cx, piece);
        self.download.handle_had(cx, peers, piece);
        if recovered {
            self.fill_all(cx, peers);
        }
        true
    }

    /// Clears the storage failure, if all writes have succeeded. Returns whether there was one.
    pub(super) fn recover(&mut self) -> bool {
        self.store.is_sound() && self.failure.take().is_some()
    }

    /// Retries writes that failed. `at_once`: without waiting for the retry delay.
    pub(in crate::swarm) fn retry(&mut self, cx: &mut Context, at_once: bool) {
        self.store.retry(cx, &self.pieces, at_once);
    }

    /// Clears a failure, because the user wants another attempt.
    pub(in crate::swarm) fn clear_failure(&mut self) {
        self.failure = None;
    }

    /// Stops with an error, which is reported once.
    pub(in crate::swarm) fn fail(&mut self, cx: &mut Context, error: OpError) {
        if self.failure.is_none() {
            cx.event(Event::Failed(cx.torrent, Failure::Storage(error.clone())));
        }
        self.failure = Some(error);
    }

    /// Drops pieces that could not be written and are not wanted any more. Without this, a file that
    /// does not fit would hold up the others although the user has deselected it.
    pub(super) fn drop_unwanted_writes(&mut self, cx: &mut Context, peers: &mut Peers) {
        let unwanted = self.store.take_unwanted(&self.pieces);
        let recovered = !unwanted.is_empty() && self.recover();
        for (piece, bytes) in unwanted {
            self.abort_storing(cx, peers, piece, bytes);
        }
        if recovered {
            self.fill_all(cx, peers);
        }
    }
}
