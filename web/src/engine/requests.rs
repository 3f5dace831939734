//! The engine's requests, carried out by the tab's storage.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use aqueduct_core::io::{CheckRange, Rope};
use aqueduct_core::types::{PieceDigest, RequestId, Sha1Digest, TorrentId};
use aqueduct_core::{OpError, OpResult};
use bytes::Bytes;
use wasm_bindgen_futures::spawn_local;

use crate::storage::client::{Place, Storage};
use crate::storage::space::Need;
use crate::texts::storage as texts;

type OnDone = Rc<dyn Fn()>;
type Results = Rc<RefCell<VecDeque<(RequestId, Result<OpResult, OpError>)>>>;

/// Carries out requests.
pub(super) struct Requests {
    storage: Storage,
    results: Results,
    on_done: OnDone,
}

impl Requests {
    /// `on_done` is called when there are results, never before the request has returned, and once
    /// for all those of a callback of the browser.
    pub(super) fn new(storage: Storage, on_done: impl Fn() + 'static) -> Self {
        let (results, on_done) = (Results::default(), Rc::new(on_done) as OnDone);
        let (waiting, listener) = (Rc::clone(&results), Rc::clone(&on_done));
        storage.on_answers(move || report(&waiting, &listener));
        Self {
            storage,
            results,
            on_done,
        }
    }

    /// The next result.
    pub(super) fn poll(&self) -> Option<(RequestId, Result<OpResult, OpError>)> {
        self.results.borrow_mut().pop_front()
    }

    /// The callback of a request.
    fn done(&self, id: RequestId) -> impl FnOnce(Result<OpResult, OpError>) + use<> {
        let (results, on_done) = (Rc::clone(&self.results), Rc::clone(&self.on_done));
        move |result| {
            let mut waiting = results.borrow_mut();
            waiting.push_back((id, result));
            let is_first = waiting.len() == 1;
            drop(waiting);
            if is_first {
                // Usually `Storage::on_answers` has reported it by then.
                spawn_local(async move { report(&results, &on_done) });
            }
        }
    }

    /// The callback of a request whose only result is that it succeeded.
    pub(super) fn unit_done(&self, id: RequestId) -> impl FnOnce(Result<(), OpError>) + use<> {
        let done = self.done(id);
        move |result| done(result.map(|()| OpResult::Unit).map_err(resumable))
    }

    /// Digests a piece.
    pub(super) fn hash(&self, id: RequestId, data: Rope) {
        let done = self.done(id);
        self.storage.digest(data, move |result| {
            done(result.map(digested).map_err(resumable));
        });
    }

    /// Writes bytes. With `need`, only if the browser grants that many more bytes.
    pub(super) fn write(
        &self,
        id: RequestId,
        place: &Place,
        need: Option<Need>,
        offset: u64,
        data: &Rope,
    ) {
        self.storage
            .write(place, need, offset, data, self.unit_done(id));
    }

    /// Reads bytes.
    pub(super) fn read(&self, id: RequestId, place: &Place, offset: u64, length: u32) {
        let done = self.done(id);
        self.storage.read(place, offset, length, move |result| {
            done(result.map_err(resumable).and_then(expect_present))
        });
    }

    /// Reads a piece and digests it.
    pub(super) fn check(&self, id: RequestId, place: &Place, range: CheckRange) {
        let done = self.done(id);
        self.storage
            .check(place, range.offset, range.length, move |result| {
                let digest = result.map_err(resumable);
                done(digest.map(|digest| digest.map_or(OpResult::Missing, digested)));
            });
    }

    /// Makes the writes of a torrent durable.
    pub(super) fn flush(&self, id: RequestId, torrent: TorrentId) {
        self.storage.flush(torrent, self.unit_done(id));
    }

    /// Answers a request of a torrent without data, or of a removed one.
    pub(super) fn cancel(&self, id: RequestId) {
        let done = self.done(id);
        spawn_local(async move { done(Err(OpError::Cancelled)) });
    }
}

fn report(results: &Results, on_done: &OnDone) {
    if !results.borrow().is_empty() {
        on_done();
    }
}

/// All pieces in a tab are v1, since v2-only torrents are refused.
const fn digested(digest: Sha1Digest) -> OpResult {
    OpResult::Digest(PieceDigest::V1(digest))
}

/// A failure pauses the torrent, which then has a button to resume it.
fn resumable(error: OpError) -> OpError {
    match error {
        OpError::Storage { full, message } => OpError::Storage {
            full,
            message: texts::press_resume(message),
        },
        OpError::Cancelled => OpError::Cancelled,
    }
}

/// The browser has deleted stored data that are missing now.
fn expect_present(bytes: Option<Bytes>) -> Result<OpResult, OpError> {
    bytes.map(OpResult::Bytes).ok_or_else(|| OpError::Storage {
        full: false,
        message: texts::data_missing().to_owned(),
    })
}
