//! The storage worker as the engine's worker sees it: started, replaced when it ends, and given up
//! when it ends too often.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use aqueduct_core::OpError;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::{ErrorEvent, MessageEvent};

use crate::browser::lock;
use crate::browser::module_worker::{Ends, MAX_ENDS, ModuleWorker};
use crate::storage::message::{Answer, Envelope, Outbox, Request, UNASKED, worker_name};
use crate::texts::{Language, storage as texts};

/// The script that starts the program as the storage worker.
const SCRIPT: &str = "/storage_worker.js";

/// An event of the storage worker.
pub(super) enum LinkEvent {
    /// At least one, in their order.
    Answers(Vec<Envelope<Answer>>),
    /// It ended, and a new one has been started unless this happened too often. Contains the error
    /// for the requests that it has not answered.
    Ended(OpError),
}

/// Called once: the first worker takes requests, or the reason why it does not, as a clause.
type OnStart = Box<dyn FnOnce(Result<(), String>)>;

type OnEvent = Rc<dyn Fn(LinkEvent)>;

/// The connection to the storage worker. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Link(Rc<Inner>);

#[derive(Default)]
struct Inner {
    state: RefCell<State>,
    /// Counts the workers, so that late events of an earlier one are ignored.
    worker: Cell<u64>,
    ends: RefCell<Ends>,
    on_start: RefCell<Option<OnStart>>,
    on_event: RefCell<Option<OnEvent>>,
    requests: Outbox<Request>,
}

#[derive(Default)]
enum State {
    /// None was started, or no more are.
    #[default]
    Without,
    /// A worker that does not take requests yet.
    Starting(ModuleWorker),
    Ready(ModuleWorker),
}

impl Link {
    /// Starts the first worker. `on_event` is called with each event from then on.
    pub(super) fn start(&self, on_start: OnStart, on_event: impl Fn(LinkEvent) + 'static) {
        self.0.on_start.replace(Some(on_start));
        self.0.on_event.replace(Some(Rc::new(on_event)));
        self.launch();
    }

    fn launch(&self) {
        let number = self.0.worker.get() + 1;
        self.0.worker.set(number);
        match self.spawn(number) {
            Ok(worker) => {
                self.0.state.replace(State::Starting(worker));
            }
            Err(_) => self.report_start(Err(texts::worker_not_started().to_owned())),
        }
    }

    fn spawn(&self, number: u64) -> Result<ModuleWorker, JsValue> {
        let link = self.clone();
        let on_message = move |event: MessageEvent| {
            link.handle_answers(number, Envelope::unpack(event.data()));
        };
        let link = self.clone();
        let on_error = move |event: ErrorEvent| {
            // Otherwise it would count as an error of this worker, too.
            event.prevent_default();
            link.end_soon(number);
        };
        let name = worker_name(Language::current());
        ModuleWorker::start(SCRIPT, &name, on_message, on_error)
    }

    fn handle_answers(&self, number: u64, answers: Vec<Envelope<Answer>>) {
        if number != self.0.worker.get() {
            return;
        }
        let (unasked, answers): (Vec<_>, Vec<_>) = answers
            .into_iter()
            .partition(|answer| answer.number == UNASKED);
        for answer in unasked {
            match answer.message {
                Answer::Ready => self.handle_ready(number),
                Answer::Failed { message, .. } => {
                    self.report_start(Err(message));
                    self.end_soon(number);
                }
                _ => {}
            }
        }
        if !answers.is_empty() {
            self.report(LinkEvent::Answers(answers));
        }
    }

    fn handle_ready(&self, number: u64) {
        let state = self.0.state.take();
        if let State::Starting(worker) = state {
            self.0.state.replace(State::Ready(worker));
            self.send();
        }
        let link = self.clone();
        // It holds the lock from now on: this learns even of an end that the browser does not
        // report.
        spawn_local(async move {
            if lock::STORAGE.wait_until_free().await.is_ok() {
                link.handle_end(number);
            }
        });
        self.report_start(Ok(()));
    }

    /// Deferred, since ending the worker drops the closure that is running now.
    fn end_soon(&self, number: u64) {
        let link = self.clone();
        spawn_local(async move { link.handle_end(number) });
    }

    fn handle_end(&self, number: u64) {
        if number != self.0.worker.get() {
            return;
        }
        drop(self.0.state.take());
        self.0.requests.clear();
        let may_start = self.0.ends.borrow_mut().record();
        if may_start {
            self.launch();
        } else {
            self.0.worker.set(number + 1);
            self.report_start(Err(texts::worker_breaks_at_start().to_owned()));
        }
        self.report(LinkEvent::Ended(self.why()));
    }

    fn why(&self) -> OpError {
        match *self.0.state.borrow() {
            State::Without => broke_for_good(),
            State::Starting(_) | State::Ready(_) => broke(),
        }
    }

    fn report_start(&self, started: Result<(), String>) {
        if let Some(on_start) = self.0.on_start.take() {
            on_start(started);
        }
    }

    fn report(&self, event: LinkEvent) {
        let on_event = self.0.on_event.borrow().clone();
        if let Some(on_event) = on_event {
            on_event(event);
        }
    }

    /// Sends a request, together with the others of this callback of the browser, or keeps it until
    /// the worker takes requests.
    pub(super) fn post(&self, request: Envelope<Request>) -> Result<(), OpError> {
        if matches!(*self.0.state.borrow(), State::Without) {
            return Err(broke_for_good());
        }
        if self.0.requests.push(request) {
            let link = self.clone();
            spawn_local(async move { link.send() });
        }
        Ok(())
    }

    fn send(&self) {
        let State::Ready(worker) = &*self.0.state.borrow() else {
            return;
        };
        let Some((value, transferred)) = self.0.requests.take() else {
            return;
        };
        // Fails only for buffers that were transferred before. All its requests fail then, instead of
        // waiting for answers.
        if worker.post(&value, &transferred).is_err() {
            self.end_soon(self.0.worker.get());
        }
    }
}

/// The error of requests that a worker could not answer.
pub(super) fn broke() -> OpError {
    OpError::Storage {
        full: false,
        message: texts::worker_broke().to_owned(),
    }
}

fn broke_for_good() -> OpError {
    OpError::Storage {
        full: false,
        message: texts::worker_stopped(MAX_ENDS),
    }
}
