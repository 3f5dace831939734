//! The engine's requests, carried out on the tab's storage and the browser's digests.

use aqueduct_core::io::{CheckRange, Rope};
use aqueduct_core::types::{PieceDigest, RequestId, Sha1Digest, TorrentId};
use aqueduct_core::{Op, OpError, OpResult, Phase};
use bytes::Bytes;

use crate::engine::driver::Driver;
use crate::storage::space::{Need, Room};
use crate::storage::store::Place;

impl Driver {
    /// Starts a request; its answer comes by callback, never before this returns.
    pub(crate) fn start(&mut self, id: RequestId, torrent: TorrentId, op: Op) {
        let answer = self.answer(id);
        match op {
            Op::Hash(data) => {
                self.credit.began(id, data.len() as u64);
                self.digester.digest(data, move |result| {
                    answer(result.map(digest).map_err(resumable))
                });
            }
            Op::Flush => self
                .store
                .flush(torrent, move |result| answer(unit(result))),
            Op::Save {
                have,
                uploaded,
                downloaded,
            } => {
                if let Some(item) = self.items.get_mut(&torrent) {
                    item.note(have, uploaded, downloaded);
                }
                self.save(torrent, move |result| answer(unit(result)));
            }
            Op::Write { .. } | Op::Read { .. } | Op::Check(_) => {
                match self.items.get(&torrent).and_then(|item| item.place()) {
                    Some(place) => self.start_in(place, id, op),
                    None => self
                        .store
                        .after_all(move || answer(Err(OpError::Cancelled))),
                }
            }
        }
    }

    fn start_in(&mut self, place: Place, id: RequestId, op: Op) {
        let answer = self.answer(id);
        match op {
            Op::Write { offset, data } => {
                self.credit.began(id, data.len() as u64);
                let need = self.need(place.torrent);
                self.store.write(place, need, offset, data, move |result| {
                    answer(unit(result))
                });
            }
            Op::Read { offset, length } => {
                self.store.read(place, offset, length, move |result| {
                    answer(result.map_err(resumable).and_then(present))
                });
            }
            Op::Check(range) => self.check(place, range, answer),
            Op::Hash(_) | Op::Flush | Op::Save { .. } => {}
        }
    }

    /// What must fit before a torrent's bytes are written, until the first of them have found room.
    fn need(&mut self, torrent: TorrentId) -> Option<Need> {
        let item = self.items.get_mut(&torrent)?;
        let turn = match item.room {
            Room::Granted => return None,
            Room::Asked(turn) => turn,
            Room::Unknown => {
                self.turns += 1;
                self.turns
            }
        };
        item.room = Room::Asked(turn);
        Some(Need {
            own: self.outstanding(torrent),
            others: self.outstanding_beside(torrent, turn),
        })
    }

    /// Bytes that others are going to store which asked for room before this turn.
    pub(crate) fn outstanding_beside(&self, torrent: TorrentId, turn: u64) -> u64 {
        let others = self
            .items
            .values()
            .filter(|other| other.id != torrent && other.room.comes_before(turn));
        let makings = self
            .makings
            .iter()
            .filter(|(id, _)| **id != torrent)
            .map(|(_, making)| making.total.saturating_sub(making.done));
        others
            .map(|other| self.outstanding(other.id))
            .chain(makings)
            .fold(0, u64::saturating_add)
    }

    /// Bytes that a torrent is going to store.
    pub(crate) fn outstanding(&self, torrent: TorrentId) -> u64 {
        let snapshot = self
            .engine
            .snapshot_of(torrent)
            .filter(|s| !matches!(s.phase, Phase::Paused | Phase::Error));
        snapshot.map_or(0, |s| s.wanted.saturating_sub(s.done))
    }

    /// A write of this torrent went well.
    pub(crate) fn found_room(&mut self, torrent: TorrentId) {
        if let Some(item) = self
            .items
            .get_mut(&torrent)
            .filter(|item| matches!(item.room, Room::Asked(_)))
        {
            item.room = Room::Granted;
        }
    }

    /// What was found out about room for this torrent no longer holds.
    pub(crate) fn forget_room(&mut self, torrent: TorrentId) {
        if let Some(item) = self.items.get_mut(&torrent) {
            item.room = Room::Unknown;
        }
    }

    fn check(
        &self,
        place: Place,
        range: CheckRange,
        answer: impl FnOnce(Result<OpResult, OpError>) + 'static,
    ) {
        let digester = self.digester.clone();
        let digested = |result: Result<Sha1Digest, OpError>| result.map(digest).map_err(resumable);
        self.store.read(
            place,
            range.offset,
            range.length,
            move |result| match result {
                Ok(Some(bytes)) => {
                    digester.digest(Rope(vec![bytes]), move |result| answer(digested(result)))
                }
                Ok(None) => answer(Ok(OpResult::Missing)),
                Err(error) => answer(Err(resumable(error))),
            },
        );
    }

    /// Stores a torrent's resume record as things stand, then tells `done`. A torrent that was
    /// removed meanwhile has none.
    pub(crate) fn save(
        &self,
        torrent: TorrentId,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        let Some(item) = self.items.get(&torrent) else {
            self.store.after_all(move || done(Ok(())));
            return;
        };
        self.store
            .save(item.folder.clone(), item.record(), item.durable(), done);
    }
}

fn unit(result: Result<(), OpError>) -> Result<OpResult, OpError> {
    result.map(|()| OpResult::Unit).map_err(resumable)
}

/// What fails here pauses a torrent, which then has a button to go on.
fn resumable(error: OpError) -> OpError {
    match error {
        OpError::Storage { full, message } => OpError::Storage {
            full,
            message: format!("{message} To try again, press Resume."),
        },
        OpError::Cancelled => OpError::Cancelled,
    }
}

/// What was had and is not there any more was taken by the browser.
fn present(bytes: Option<Bytes>) -> Result<OpResult, OpError> {
    let gone = "Data of this torrent have vanished from the browser's storage. Remove the torrent and add it again.";
    bytes.map(OpResult::Bytes).ok_or_else(|| OpError::Storage {
        full: false,
        message: gone.to_owned(),
    })
}

/// The pieces of all torrents that a tab takes are of v1.
const fn digest(sha1: Sha1Digest) -> OpResult {
    OpResult::Digest(PieceDigest::V1(sha1))
}
