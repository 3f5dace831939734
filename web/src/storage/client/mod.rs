//! The engine's end of the storage worker. The callback of each request is called once, never before
//! the request has returned.
//!
//! A worker that ends is replaced. The requests that it had not answered fail, and so does the next
//! flush of each torrent of which it had written something: what was not flushed counts as lost, so
//! that no resume record refers to it.

mod handover;
mod kept_pieces;
mod leftovers;
mod link;
mod reply;
mod unflushed;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use aqueduct_core::OpError;
use aqueduct_core::io::Rope;
use aqueduct_core::meta::Info;
use aqueduct_core::resume::Record;
use aqueduct_core::types::{Sha1Digest, SortedMap, SortedSet, TorrentId};
use bytes::Bytes;
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen_futures::spawn_local;

use self::handover::Handover;
use self::kept_pieces::KeptPieces;
use self::link::{Link, LinkEvent};
use self::reply::{Failure, Reply, digest, digest_in, if_present};
use self::unflushed::Unflushed;
use super::buffers::Buffers;
use super::error::FsError;
use super::message::{Answer, Envelope, Request, Span};
use super::space::Need;
use crate::browser::callback::wait_for;
use crate::texts::storage as texts;

/// The origin's storage. Clones share it.
#[derive(Clone)]
pub(crate) struct Storage(Rc<Inner>);

struct Inner {
    link: Link,
    newest_number: Cell<u64>,
    unanswered: RefCell<SortedMap<u64, Callback>>,
    /// Torrents whose location the storage worker knows.
    known: RefCell<SortedSet<TorrentId>>,
    kept: RefCell<KeptPieces>,
    handover: RefCell<Handover<Undigested>>,
    unflushed: RefCell<Unflushed>,
    buffers: RefCell<Buffers>,
    /// Folders that belong to no torrent, and whether they must be deleted.
    leftovers: RefCell<SortedMap<String, bool>>,
    on_answers: RefCell<Option<Rc<dyn Fn()>>>,
}

type Callback = Box<dyn FnOnce(Reply)>;
type DigestCallback = Box<dyn FnOnce(Result<Sha1Digest, OpError>)>;

/// A piece to be digested.
struct Undigested {
    data: Rope,
    done: DigestCallback,
    /// Whether a worker had it that ended.
    was_sent: bool,
}

/// The location of a torrent's data.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) torrent: TorrentId,
    /// Its folder.
    pub(crate) folder: String,
    /// The lengths of its files.
    pub(crate) info: Arc<Info>,
}

impl Place {
    const fn span(&self, offset: u64, length: u32) -> Span {
        Span {
            torrent: self.torrent.0,
            offset,
            length,
        }
    }
}

impl Storage {
    /// Starts the storage worker, and waits until it has the storage for itself.
    pub(crate) async fn start() -> Result<Self, FsError> {
        let storage = Self(Rc::new(Inner {
            link: Link::default(),
            newest_number: Cell::new(0),
            unanswered: RefCell::default(),
            known: RefCell::default(),
            kept: RefCell::default(),
            handover: RefCell::default(),
            unflushed: RefCell::default(),
            buffers: RefCell::new(Buffers::new()?),
            leftovers: RefCell::default(),
            on_answers: RefCell::default(),
        }));
        let handle = storage.clone();
        let started = wait_for(|ready| {
            storage
                .0
                .link
                .start(ready, move |event| handle.handle_event(event));
        });
        match started.await {
            Some(Ok(())) => Ok(storage),
            Some(Err(why)) => Err(FsError::Other(why)),
            None => Err(FsError::Other(texts::worker_not_started().to_owned())),
        }
    }

    /// Sets what is called after the callbacks of all answers that have arrived together.
    pub(crate) fn on_answers(&self, on_answers: impl Fn() + 'static) {
        self.0.on_answers.replace(Some(Rc::new(on_answers)));
    }

    fn handle_event(&self, event: LinkEvent) {
        match event {
            LinkEvent::Answers(answers) => {
                answers
                    .into_iter()
                    .for_each(|answer| self.handle_answer(answer));
                self.end_reports();
            }
            LinkEvent::Ended(why) => self.handle_end(&why),
        }
    }

    fn handle_answer(&self, answer: Envelope<Answer>) {
        let Envelope {
            number,
            message,
            attachment,
        } = answer;
        let bytes = match (&message, attachment) {
            (Answer::Bytes, Some(buffer)) => {
                let bytes = Uint8Array::new(&buffer).to_vec();
                self.0.buffers.borrow().free(&buffer);
                bytes
            }
            (_, Some(buffer)) => {
                self.0.buffers.borrow_mut().give_back(buffer);
                Vec::new()
            }
            (_, None) => Vec::new(),
        };
        let reply = match message {
            Answer::Failed { full, message } => {
                Err(Failure::Answered(OpError::Storage { full, message }))
            }
            answer => Ok((answer, bytes.into())),
        };
        let callback = self.0.unanswered.borrow_mut().remove(&number);
        if let Some(callback) = callback {
            callback(reply);
        }
    }

    /// Fails all requests, since nothing answers them any more; those that change nothing are made
    /// again once. They and all that follow wait for the next worker.
    fn handle_end(&self, why: &OpError) {
        self.0.known.borrow_mut().clear();
        let lost = self.0.kept.borrow_mut().clear();
        self.0.handover.borrow_mut().release(lost);
        self.0.unflushed.borrow_mut().lose();
        let unanswered = self.0.unanswered.take();
        for callback in unanswered.into_values() {
            callback(Err(Failure::Ended(why.clone())));
        }
        self.hand_over();
    }

    fn new_number(&self) -> u64 {
        let number = self.0.newest_number.get() + 1;
        self.0.newest_number.set(number);
        number
    }

    fn send(
        &self,
        number: u64,
        request: Request,
        attachment: Option<ArrayBuffer>,
        done: impl FnOnce(Reply) + 'static,
    ) {
        let envelope = Envelope {
            number,
            message: request,
            attachment,
        };
        match self.0.link.post(envelope) {
            Ok(()) => {
                let callback: Callback = Box::new(done);
                self.0.unanswered.borrow_mut().insert(number, callback);
            }
            Err(error) => spawn_local(async move { done(Err(Failure::Answered(error))) }),
        }
    }

    /// Sends a request whose only result is that it succeeded.
    fn request(
        &self,
        request: Request,
        attachment: Option<ArrayBuffer>,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        let done = move |reply: Reply| done(reply.map(drop).map_err(OpError::from));
        self.send(self.new_number(), request, attachment, done);
    }

    /// Sends a request that changes nothing. If the worker ends before it has answered, the next one
    /// gets it, but no third one: the request may be what ends them.
    fn ask(&self, place: &Place, request: Request, done: impl FnOnce(Reply) + 'static) {
        self.introduce(place);
        let (storage, place, again) = (self.clone(), place.clone(), request.clone());
        self.send(self.new_number(), request, None, move |reply| match reply {
            Err(Failure::Ended(_)) => {
                storage.introduce(&place);
                storage.send(storage.new_number(), again, None, done);
            }
            reply => done(reply),
        });
    }

    /// Makes the location of a torrent's data known, if it is not.
    fn introduce(&self, place: &Place) {
        if self.0.known.borrow_mut().insert(place.torrent) {
            let request = Request::Torrent {
                torrent: place.torrent.0,
                folder: place.folder.clone(),
            };
            let info = Uint8Array::from(&place.info.raw[..]).buffer();
            self.request(request, Some(info), drop);
        }
    }

    /// Digests a piece, as soon as the storage worker holds few enough others. It keeps the piece
    /// until the callback and that of [`Storage::on_answers`] have returned, so that
    /// [`Storage::write`] of the same slices need not pass it on again.
    pub(crate) fn digest(
        &self,
        data: Rope,
        done: impl FnOnce(Result<Sha1Digest, OpError>) + 'static,
    ) {
        self.enqueue(Undigested {
            data,
            done: Box::new(done),
            was_sent: false,
        });
        self.hand_over();
    }

    fn enqueue(&self, piece: Undigested) {
        let bytes = piece.data.len() as u64;
        self.0.handover.borrow_mut().push(bytes, piece);
    }

    /// Passes on the pieces that wait, as far as the storage worker may hold them.
    fn hand_over(&self) {
        loop {
            let next = self.0.handover.borrow_mut().poll();
            let Some(piece) = next else { return };
            self.send_piece(piece);
        }
    }

    fn send_piece(&self, piece: Undigested) {
        let (buffer, length) = self.0.buffers.borrow_mut().filled_with(&piece.data);
        let number = self.new_number();
        let kept = piece.data.clone();
        self.0.kept.borrow_mut().insert(number, kept);
        let storage = self.clone();
        let request = Request::Digest { length };
        self.send(number, request, Some(buffer), move |reply| match reply {
            Err(Failure::Ended(_)) if !piece.was_sent => {
                let was_sent = true;
                storage.enqueue(Undigested { was_sent, ..piece });
            }
            reply => storage.report_digest(number, piece.done, digest_in(reply)),
        });
    }

    fn report_digest(
        &self,
        number: u64,
        done: DigestCallback,
        digest: Result<Sha1Digest, OpError>,
    ) {
        self.0.kept.borrow_mut().begin_report(number);
        done(digest);
    }

    /// Lets the engine act on the answers that have arrived together. What it does not write then of
    /// the pieces is not kept any longer.
    fn end_reports(&self) {
        let on_answers = self.0.on_answers.borrow().clone();
        if let Some(on_answers) = on_answers {
            on_answers();
        }
        let kept = self.0.kept.borrow_mut().end_reports();
        for (piece, bytes) in kept {
            let storage = self.clone();
            let request = Request::Release { piece };
            self.request(request, None, move |_| storage.take_back(bytes));
        }
    }

    /// Records that the storage worker holds this many bytes less.
    fn take_back(&self, bytes: u64) {
        self.0.handover.borrow_mut().release(bytes);
        self.hand_over();
    }

    /// Writes bytes at an offset of the torrent. With `need`, only if the browser grants this page
    /// that many more bytes.
    pub(crate) fn write(
        &self,
        place: &Place,
        need: Option<Need>,
        offset: u64,
        data: &Rope,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        self.introduce(place);
        let piece = self.0.kept.borrow_mut().take_reported(data);
        let (attachment, length) = match piece {
            Some(_) => (None, u32::try_from(data.len()).unwrap_or(u32::MAX)),
            None => {
                let (buffer, length) = self.0.buffers.borrow_mut().filled_with(data);
                (Some(buffer), length)
            }
        };
        let (storage, torrent) = (self.clone(), place.torrent);
        let held = piece.map_or(0, |_| data.len() as u64);
        let request = Request::Write {
            span: place.span(offset, length),
            need,
            piece,
        };
        self.request(request, attachment, move |written| {
            storage.0.unflushed.borrow_mut().write(torrent);
            storage.take_back(held);
            done(written);
        });
    }

    /// Digests bytes and writes them at an offset of the torrent, whether or not they match
    /// anything. `need` as in [`Storage::write`].
    pub(crate) fn add(
        &self,
        place: &Place,
        need: Option<Need>,
        offset: u64,
        data: ArrayBuffer,
        done: impl FnOnce(Result<Sha1Digest, OpError>) + 'static,
    ) {
        self.introduce(place);
        let (storage, torrent) = (self.clone(), place.torrent);
        let span = place.span(offset, data.byte_length());
        self.send(
            self.new_number(),
            Request::Add { span, need },
            Some(data),
            move |reply| {
                storage.0.unflushed.borrow_mut().write(torrent);
                done(digest_in(reply));
            },
        );
    }

    /// Reads bytes at an offset of the torrent; `None` if not all of them exist.
    pub(crate) fn read(
        &self,
        place: &Place,
        offset: u64,
        length: u32,
        done: impl FnOnce(Result<Option<Bytes>, OpError>) + 'static,
    ) {
        let span = place.span(offset, length);
        self.ask(place, Request::Read { span }, move |reply| {
            done(if_present(reply, |answer, bytes| {
                matches!(answer, Answer::Bytes).then_some(bytes)
            }));
        });
    }

    /// Reads a piece at an offset of the torrent and digests it; `None` if not all of it exists.
    pub(crate) fn check(
        &self,
        place: &Place,
        offset: u64,
        length: u32,
        done: impl FnOnce(Result<Option<Sha1Digest>, OpError>) + 'static,
    ) {
        let span = place.span(offset, length);
        self.ask(place, Request::Check { span }, move |reply| {
            done(if_present(reply, |answer, _| digest(&answer)));
        });
    }

    /// Makes the writes to a torrent's files durable.
    pub(crate) fn flush(
        &self,
        torrent: TorrentId,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        if self.0.unflushed.borrow_mut().flush(torrent).is_err() {
            return spawn_local(async move { done(Err(link::broke())) });
        }
        let request = Request::Flush { torrent: torrent.0 };
        self.request(request, None, done);
    }

    /// Stores a resume record as the folder's next generation.
    pub(crate) fn save(
        &self,
        folder: String,
        record: &Record,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        // The storage worker sets the generation.
        let record = Uint8Array::from(&record.encode(0)[..]).buffer();
        self.request(Request::Save { folder }, Some(record), done);
    }

    /// Stores the bridge's token for later visits.
    pub(crate) fn save_token(
        &self,
        token: String,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        self.request(Request::SaveToken { token }, None, done);
    }

    /// Marks a torrent as removed by the user, or removes the mark.
    pub(crate) fn mark_removed(
        &self,
        folder: String,
        removed: bool,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        self.request(Request::MarkRemoved { folder, removed }, None, done);
    }

    /// Marks a folder as that of a torrent which is being created under this name; `None` removes
    /// the mark.
    pub(crate) fn mark_creating(
        &self,
        folder: String,
        name: Option<String>,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        self.request(Request::MarkCreating { folder, name }, None, done);
    }

    /// Closes a torrent's files and deletes its folder.
    pub(crate) fn delete(
        &self,
        torrent: TorrentId,
        folder: String,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        self.0.known.borrow_mut().remove(&torrent);
        self.0.unflushed.borrow_mut().forget(torrent);
        let request = Request::Delete {
            torrent: torrent.0,
            folder,
        };
        self.request(request, None, done);
    }

    /// Passes to `done` whether the folder of all torrents exists. It does not after the user has
    /// cleared the site's data.
    pub(crate) fn check_present(&self, done: impl FnOnce(bool) + 'static) {
        self.send(
            self.new_number(),
            Request::CheckPresent,
            None,
            move |reply| {
                done(!matches!(reply, Ok((Answer::Present(false), _))));
            },
        );
    }

    /// Opens the storage again after all its contents were deleted.
    pub(crate) fn reopen(&self, done: impl FnOnce(Result<(), OpError>) + 'static) {
        self.0.leftovers.borrow_mut().clear();
        self.request(Request::Reopen, None, done);
    }
}
