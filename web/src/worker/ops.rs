//! The engine's requests, carried out on the tab's storage and the browser's digests.

use aqueduct_core::io::{CheckRange, Rope};
use aqueduct_core::types::{RequestId, Sha1Digest, TorrentId};
use aqueduct_core::{Op, OpError, OpResult};
use bytes::Bytes;

use super::driver::Driver;
use super::store::Place;

impl Driver {
    /// Starts a request; its answer comes by callback, never before this returns.
    pub(super) fn start(&mut self, id: RequestId, torrent: TorrentId, op: Op) {
        let answer = self.answer(id);
        match op {
            Op::Hash(data) => {
                self.credit.began(id, data.len() as u64);
                self.digester.digest(data, move |result| answer(result.map(OpResult::Digest)));
            }
            Op::Flush => self.store.flush(torrent, move |result| answer(unit(result))),
            Op::Save { have, uploaded, downloaded } => {
                if let Some(item) = self.items.get_mut(&torrent) {
                    item.note(have, uploaded, downloaded);
                }
                self.save(torrent, move |result| answer(unit(result)));
            }
            Op::Write { .. } | Op::Read { .. } | Op::Check(_) => match self.items.get(&torrent).and_then(|item| item.place()) {
                Some(place) => self.start_in(place, id, op),
                None => self.store.after_all(move || answer(Err(OpError::Cancelled))),
            },
        }
    }

    fn start_in(&mut self, place: Place, id: RequestId, op: Op) {
        let answer = self.answer(id);
        match op {
            Op::Write { offset, data } => {
                self.credit.began(id, data.len() as u64);
                let needed = self.needed(place.torrent);
                self.store.write(place, needed, offset, data, move |result| answer(unit(result)));
            }
            Op::Read { offset, length } => self.store.read(place, offset, length, move |result| answer(result.and_then(present))),
            Op::Check(range) => self.check(place, range, answer),
            Op::Hash(_) | Op::Flush | Op::Save { .. } => {}
        }
    }

    /// Bytes that a torrent still needs, until the first piece of this run has found room.
    fn needed(&self, torrent: TorrentId) -> Option<u64> {
        let unsure = self.items.get(&torrent).is_some_and(|item| !item.has_room);
        let snapshot = unsure.then(|| self.engine.snapshot_of(torrent)).flatten()?;
        Some(snapshot.wanted.saturating_sub(snapshot.done))
    }

    fn check(&self, place: Place, range: CheckRange, answer: impl FnOnce(Result<OpResult, OpError>) + 'static) {
        let digester = self.digester.clone();
        let digested = |result: Result<Sha1Digest, OpError>| result.map(OpResult::Digest);
        self.store.read(place, range.offset, range.length, move |result| match result {
            Ok(Some(bytes)) => digester.digest(Rope(vec![bytes]), move |result| answer(digested(result))),
            Ok(None) => answer(Ok(OpResult::Missing)),
            Err(error) => answer(Err(error)),
        });
    }

    /// Stores a torrent's resume record as things stand, then tells `done`. A torrent that was removed meanwhile has none.
    pub(super) fn save(&mut self, torrent: TorrentId, done: impl FnOnce(Result<(), OpError>) + 'static) {
        let Some(item) = self.items.get_mut(&torrent) else {
            self.store.after_all(move || done(Ok(())));
            return;
        };
        let (record, generation) = item.next_record();
        self.store.save(item.folder(), record, generation, done);
    }
}

fn unit(result: Result<(), OpError>) -> Result<OpResult, OpError> {
    result.map(|()| OpResult::Unit)
}

/// What was had and is not there any more was taken by the browser.
fn present(bytes: Option<Bytes>) -> Result<OpResult, OpError> {
    let gone = "Data of this torrent have vanished from the browser's storage. Remove the torrent and add it again.";
    bytes.map(OpResult::Bytes).ok_or_else(|| OpError::Storage { full: false, message: gone.to_owned() })
}
