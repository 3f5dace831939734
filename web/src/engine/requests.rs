//! The engine's requests, carried out on the tab's storage and by the browser's digests.

use std::rc::Rc;

use aqueduct_core::io::{CheckRange, Rope};
use aqueduct_core::types::{PieceDigest, RequestId, Sha1Digest, TorrentId};
use aqueduct_core::{OpError, OpResult};
use bytes::Bytes;

use crate::storage::digest::Digester;
use crate::storage::space::Need;
use crate::storage::store::{Place, Store};

/// Called with the result of each request, never before the request has returned.
pub(super) type OnDone = Rc<dyn Fn(RequestId, Result<OpResult, OpError>)>;

/// Carries out requests.
pub(super) struct Requests {
    store: Store,
    digester: Digester,
    on_done: OnDone,
}

impl Requests {
    pub(super) fn new(store: Store, digester: Digester, on_done: OnDone) -> Self {
        Self {
            store,
            digester,
            on_done,
        }
    }

    /// The callback of a request.
    fn done(&self, id: RequestId) -> impl FnOnce(Result<OpResult, OpError>) + use<> {
        let on_done = Rc::clone(&self.on_done);
        move |result| on_done(id, result)
    }

    /// The callback of a request whose only result is that it succeeded.
    pub(super) fn unit_done(&self, id: RequestId) -> impl FnOnce(Result<(), OpError>) + use<> {
        let done = self.done(id);
        move |result| done(result.map(|()| OpResult::Unit).map_err(resumable))
    }

    /// Digests bytes.
    pub(super) fn hash(&self, id: RequestId, data: Rope) {
        let done = self.done(id);
        self.digester
            .digest(data, move |result| done(digested(result)));
    }

    /// Writes bytes. With `need`, only if the browser grants that many more bytes.
    pub(super) fn write(
        &self,
        id: RequestId,
        place: Place,
        need: Option<Need>,
        offset: u64,
        data: Rope,
    ) {
        self.store
            .write(place, need, offset, data, self.unit_done(id));
    }

    /// Reads bytes.
    pub(super) fn read(&self, id: RequestId, place: Place, offset: u64, length: u32) {
        let done = self.done(id);
        self.store.read(place, offset, length, move |result| {
            done(result.map_err(resumable).and_then(expect_present))
        });
    }

    /// Reads a piece and digests it.
    pub(super) fn check(&self, id: RequestId, place: Place, range: CheckRange) {
        let (done, digester) = (self.done(id), self.digester.clone());
        self.store.read(
            place,
            range.offset,
            range.length,
            move |result| match result {
                Ok(Some(bytes)) => {
                    digester.digest(Rope(vec![bytes]), move |result| done(digested(result)))
                }
                Ok(None) => done(Ok(OpResult::Missing)),
                Err(error) => done(Err(resumable(error))),
            },
        );
    }

    /// Makes the writes of a torrent durable.
    pub(super) fn flush(&self, id: RequestId, torrent: TorrentId) {
        self.store.flush(torrent, self.unit_done(id));
    }

    /// Answers a request of a torrent without data, or of a removed one.
    pub(super) fn cancel(&self, id: RequestId) {
        let done = self.done(id);
        self.store.after_all(move || done(Err(OpError::Cancelled)));
    }
}

/// All pieces in a tab are v1, since v2-only torrents are refused.
fn digested(result: Result<Sha1Digest, OpError>) -> Result<OpResult, OpError> {
    result
        .map(|digest| OpResult::Digest(PieceDigest::V1(digest)))
        .map_err(resumable)
}

/// A failure pauses the torrent, which then has a button to resume it.
fn resumable(error: OpError) -> OpError {
    match error {
        OpError::Storage { full, message } => OpError::Storage {
            full,
            message: format!("{message} To try again, press Resume."),
        },
        OpError::Cancelled => OpError::Cancelled,
    }
}

/// The browser has deleted stored data that are missing now.
fn expect_present(bytes: Option<Bytes>) -> Result<OpResult, OpError> {
    let gone = "Data of this torrent are missing from the browser's storage. Remove the torrent and add it again.";
    bytes.map(OpResult::Bytes).ok_or_else(|| OpError::Storage {
        full: false,
        message: gone.to_owned(),
    })
}
