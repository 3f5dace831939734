//! The storage worker: a program that digests pieces, and owns all files that are open.
//!
//! Work on files is carried out in the order of the requests. Digests are independent of it. The
//! worker holds a lock as long as it lives, so that a new one opens no file before the old one is
//! gone, whether a page was reloaded, another tab takes over, or the worker crashed.

mod digest;
mod open_files;
mod queue;
mod store;

use std::cell::RefCell;
use std::rc::Rc;

use aqueduct_core::OpError;
use aqueduct_core::types::{Sha1Digest, SortedMap, TorrentId};
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen_futures::spawn_local;
use web_sys::MessageEvent;

use self::digest::Digester;
use self::queue::FileQueue;
use self::store::Store;
use super::buffers::{Buffers, view};
use super::error::FsError;
use super::folders::is_present;
pub(crate) use super::message::language_in;
use super::message::{Answer, Envelope, Outbox, Request, Span, UNASKED};
use super::space::Need;
use crate::browser::global::scope;
use crate::browser::lock;
use crate::texts::Language;

/// Starts the worker. Returns immediately; everything else happens in callbacks.
pub(crate) fn start(language: Language) {
    console_error_panic_hook::set_once();
    language.set_current();
    spawn_local(async {
        match open().await {
            Ok(worker) => worker.listen(),
            Err(error) => Answers::default().post(UNASKED, OpError::from(error).into(), None),
        }
    });
}

async fn open() -> Result<Rc<Worker>, FsError> {
    lock::STORAGE.acquire().await?;
    Ok(Rc::new(Worker {
        queue: FileQueue::new(Store::new().await?),
        digester: Digester::new()?,
        buffers: RefCell::new(Buffers::new()?),
        pieces: RefCell::default(),
        answers: Answers::default(),
    }))
}

struct Worker {
    queue: FileQueue,
    digester: Digester,
    buffers: RefCell<Buffers>,
    /// Digested pieces by the number of the request, until they are written or released. The
    /// engine's worker bounds them.
    pieces: RefCell<SortedMap<u64, ArrayBuffer>>,
    answers: Answers,
}

impl Worker {
    /// Takes requests from now on. The handler owns the worker's state.
    fn listen(self: Rc<Self>) {
        let answers = self.answers.clone();
        let handle = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            for request in Envelope::unpack(event.data()) {
                self.handle(request);
            }
        });
        scope().set_onmessage(Some(handle.into_js_value().unchecked_ref()));
        answers.post(UNASKED, Answer::Ready, None);
    }

    fn handle(self: &Rc<Self>, request: Envelope<Request>) {
        let Envelope {
            number,
            message,
            attachment,
        } = request;
        match (message, attachment) {
            (Request::Digest { length }, Some(piece)) => self.digest(number, piece, length),
            (Request::Release { piece }, _) => {
                let piece = self.pieces.borrow_mut().remove(&piece);
                self.answers.post(number, Answer::Done, piece);
            }
            (Request::Write { span, need, piece }, attached) => {
                let kept = piece.and_then(|piece| self.pieces.borrow_mut().remove(&piece));
                match kept.or(attached) {
                    Some(piece) => self.write(number, (span, need), piece, Answer::Done),
                    None => self.answers.post(number, failed(FsError::Unknown), None),
                }
            }
            (Request::Add { span, need }, Some(piece)) => self.add(number, (span, need), piece),
            (Request::Read { span }, _) => self.read(number, span),
            (Request::Check { span }, _) => self.check(number, span),
            (Request::Torrent { torrent, folder }, Some(info)) => {
                let info = Uint8Array::new(&info).to_vec();
                let answers = self.answers.clone();
                self.queue.push(async move |store| {
                    store.add(TorrentId(torrent), folder, info);
                    answers.post(number, Answer::Done, None);
                });
            }
            (other, attached) => self.change(number, other, attached),
        }
    }

    fn digest(self: &Rc<Self>, number: u64, piece: ArrayBuffer, length: u32) {
        let worker = Rc::clone(self);
        self.digester.digest(view(&piece, length), move |digest| {
            worker.pieces.borrow_mut().insert(number, piece);
            worker.answers.post(number, digested(digest), None);
        });
    }

    /// Writes a piece, and returns its buffer with `answer` or the error.
    fn write(
        &self,
        number: u64,
        (span, need): (Span, Option<Need>),
        piece: ArrayBuffer,
        answer: Answer,
    ) {
        let answers = self.answers.clone();
        self.queue.push(async move |store| {
            let bytes = view(&piece, span.length);
            let written = store.write((span.id(), span.offset), need, &bytes).await;
            let answer = written.map_or_else(failed, |()| answer);
            answers.post(number, answer, Some(piece));
        });
    }

    fn add(self: &Rc<Self>, number: u64, what: (Span, Option<Need>), piece: ArrayBuffer) {
        let worker = Rc::clone(self);
        let bytes = view(&piece, what.0.length);
        self.digester.digest(bytes, move |digest| match digest {
            Ok(digest) => worker.write(number, what, piece, Answer::Digest(digest)),
            Err(error) => worker.answers.post(number, error.into(), Some(piece)),
        });
    }

    fn read(&self, number: u64, span: Span) {
        let answers = self.answers.clone();
        self.queue.push(async move |store| {
            let buffer = ArrayBuffer::new(span.length);
            let bytes = view(&buffer, span.length);
            match store.read((span.id(), span.offset), &bytes).await {
                Ok(true) => answers.post(number, Answer::Bytes, Some(buffer)),
                Ok(false) => answers.post(number, Answer::Missing, None),
                Err(error) => answers.post(number, failed(error), None),
            }
        });
    }

    /// Reads a piece, and then digests it beside other work on files.
    fn check(self: &Rc<Self>, number: u64, span: Span) {
        let worker = Rc::clone(self);
        self.queue.push(async move |store| {
            let (buffer, bytes) = worker.buffers.borrow_mut().take(span.length);
            let answer = match store.read((span.id(), span.offset), &bytes).await {
                Ok(true) => return worker.finish_check(number, buffer, bytes),
                Ok(false) => Answer::Missing,
                Err(error) => failed(error),
            };
            worker.buffers.borrow_mut().give_back(buffer);
            worker.answers.post(number, answer, None);
        });
    }

    fn finish_check(self: Rc<Self>, number: u64, buffer: ArrayBuffer, bytes: Uint8Array) {
        let worker = Rc::clone(&self);
        self.digester.digest(bytes, move |digest| {
            worker.buffers.borrow_mut().give_back(buffer);
            worker.answers.post(number, digested(digest), None);
        });
    }

    /// Carries out a request without an attached piece.
    fn change(&self, number: u64, request: Request, attached: Option<ArrayBuffer>) {
        let answers = self.answers.clone();
        self.queue.push(async move |store| {
            let answer = change(store, request, attached).await;
            answers.post(number, answer.unwrap_or_else(failed), None);
        });
    }
}

/// Carries out a request on the files.
async fn change(
    store: &mut Store,
    request: Request,
    attached: Option<ArrayBuffer>,
) -> Result<Answer, FsError> {
    match request {
        Request::Flush { torrent } => store.flush(TorrentId(torrent)).await?,
        Request::Save { folder } => {
            let record = attached.map(|record| Uint8Array::new(&record).to_vec());
            store.save(&folder, record.unwrap_or_default()).await?;
        }
        Request::SaveToken { token } => store.save_token(&token).await?,
        Request::MarkRemoved { folder, removed } => {
            store.mark_removed(&folder, removed).await?;
        }
        Request::MarkCreating { folder, name } => {
            store.mark_creating(&folder, name.as_deref()).await?;
        }
        Request::Delete { torrent, folder } => {
            store.delete(TorrentId(torrent), &folder).await?;
        }
        Request::DeleteLeftover { folder } => store.delete_folder(&folder).await?,
        Request::ForgetRecords { folder } => store.forget_records(&folder).await?,
        Request::CheckPresent => return Ok(Answer::Present(is_present().await)),
        Request::Reopen => store.reopen().await?,
        // Pieces without their bytes, which the engine's worker never sends.
        Request::Torrent { .. }
        | Request::Digest { .. }
        | Request::Release { .. }
        | Request::Write { .. }
        | Request::Add { .. }
        | Request::Read { .. }
        | Request::Check { .. } => return Err(FsError::Unknown),
    }
    Ok(Answer::Done)
}

fn digested(digest: Result<Sha1Digest, OpError>) -> Answer {
    digest.map_or_else(Answer::from, Answer::Digest)
}

fn failed(error: FsError) -> Answer {
    OpError::from(error).into()
}

/// The answers that leave when the current callback of the browser has returned. Clones share them.
#[derive(Clone, Default)]
struct Answers(Rc<Outbox<Answer>>);

impl Answers {
    /// Sends an answer. The attachment is transferred.
    fn post(&self, number: u64, message: Answer, attachment: Option<ArrayBuffer>) {
        let is_first = self.0.push(Envelope {
            number,
            message,
            attachment,
        });
        if is_first {
            let answers = self.clone();
            spawn_local(async move { answers.send() });
        }
    }

    fn send(&self) {
        if let Some((value, transferred)) = self.0.take() {
            // Fails only for values that cannot be cloned, and for buffers that were transferred
            // before.
            drop(scope().post_message_with_transfer(&value, &transferred));
        }
    }
}
