//! The page's handle of the worker: starts it, queues messages until it accepts them, and restarts
//! it after a crash.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use js_sys::Array;
use leptos::prelude::{set_interval, set_timeout};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{MessageEvent, MessagePort};

use super::heartbeat::{self, Heartbeat, Verdict};
use crate::browser::module_worker::{Ends, MAX_ENDS, ModuleWorker};
use crate::codec;
use crate::message::{ToPage, ToWorker};
use crate::page::clock_ms;
use crate::texts::{Language, notices as texts};

/// The script that starts the program as the engine's worker.
const SCRIPT: &str = "/worker.js";
/// Delay before a restart, so that the browser releases the old worker's files and lock.
const RESTART_AFTER: Duration = Duration::from_millis(300);

/// An event of the worker.
pub(super) enum WorkerEvent {
    /// It accepts messages from now on. What is sent now arrives before queued messages.
    Ready,
    /// A message from it.
    Message(ToPage),
    /// It crashed. A new one starts soon, and numbers its torrents anew.
    Crashed,
    /// There is no worker any more, with the reason as sentences for the user.
    Stopped(String),
}

/// Handle to the worker, across restarts. Clones share it.
#[derive(Clone)]
pub(super) struct WorkerHandle(Rc<Shared>);

struct Shared {
    /// The address of the bridge, for [`ToWorker::Start`].
    bridge: String,
    on_event: Box<dyn Fn(WorkerEvent)>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    worker: Option<ModuleWorker>,
    /// Whether the worker accepts messages.
    ready: bool,
    heartbeat: Heartbeat,
    /// Messages that wait until it does.
    queued: VecDeque<Array>,
    crashes: Ends,
}

impl WorkerHandle {
    /// Starts a worker that connects to the bridge at this address. `on_event` is called with each
    /// event, before this returns only if the worker could not be started.
    pub(super) fn start(bridge: String, on_event: impl Fn(WorkerEvent) + 'static) -> Self {
        let handle = Self(Rc::new(Shared {
            bridge,
            on_event: Box::new(on_event),
            state: RefCell::default(),
        }));
        handle.launch();
        let watched = handle.clone();
        set_interval(move || watched.check_alive(), heartbeat::INTERVAL);
        handle
    }

    fn launch(&self) {
        match self.spawn() {
            Ok(running) => self.0.state.borrow_mut().worker = Some(running),
            Err(_) => {
                let why = texts::worker_did_not_start().to_owned();
                (self.0.on_event)(WorkerEvent::Stopped(why));
            }
        }
    }

    fn spawn(&self) -> Result<ModuleWorker, JsValue> {
        let on_message = {
            let handle = self.clone();
            move |event: MessageEvent| {
                let messages: Array = event.data().unchecked_into();
                for message in messages.iter().filter_map(|m| codec::from_js(&m)) {
                    handle.handle_message(message);
                }
            }
        };
        let handle = self.clone();
        // A panic leaves the worker alive in an undefined state; a script that cannot be loaded leaves
        // no worker. Both count as crashes.
        ModuleWorker::start(SCRIPT, "", on_message, move |event| {
            let (handle, cause) = (handle.clone(), event.message());
            // Deferred, since ending the worker drops the closure that is running now.
            set_timeout(move || handle.handle_crash(&cause), Duration::ZERO);
        })
    }

    fn check_alive(&self) {
        let verdict = {
            let mut state = self.0.state.borrow_mut();
            state.ready.then(|| state.heartbeat.check(now()))
        };
        match verdict {
            Some(Verdict::Ask) => self.send(&ToWorker::Ping, None),
            Some(Verdict::Dead) => self.handle_crash(texts::worker_is_silent()),
            Some(Verdict::Wait) | None => {}
        }
    }

    fn handle_message(&self, message: ToPage) {
        self.0.state.borrow_mut().heartbeat.heard();
        match message {
            ToPage::Loaded => {
                let (bridge, language) = (self.0.bridge.clone(), Language::current());
                self.post(&parcel(&ToWorker::Start { bridge, language }, None));
            }
            ToPage::Ready => self.send_queued(),
            message => (self.0.on_event)(WorkerEvent::Message(message)),
        }
    }

    fn handle_crash(&self, cause: &str) {
        let mut state = self.0.state.borrow_mut();
        if state.worker.take().is_none() {
            return;
        }
        (state.ready, state.heartbeat) = Default::default();
        let may_start = state.crashes.record();
        drop(state);
        (self.0.on_event)(WorkerEvent::Crashed);
        if may_start {
            let handle = self.clone();
            set_timeout(move || handle.launch(), RESTART_AFTER);
        } else {
            let why = texts::worker_stopped(MAX_ENDS, cause);
            (self.0.on_event)(WorkerEvent::Stopped(why));
        }
    }

    /// Sends a message, or queues it until the worker accepts messages.
    pub(super) fn send(&self, message: &ToWorker, attachment: Option<&JsValue>) {
        let parcel = parcel(message, attachment);
        if self.0.state.borrow().ready {
            self.post(&parcel);
        } else {
            self.0.state.borrow_mut().queued.push_back(parcel);
        }
    }

    fn send_queued(&self) {
        let queued = {
            let mut state = self.0.state.borrow_mut();
            state.ready = true;
            std::mem::take(&mut state.queued)
        };
        (self.0.on_event)(WorkerEvent::Ready);
        queued.iter().for_each(|parcel| self.post(parcel));
    }

    /// Cannot fail: a parcel contains only bytes and files, which every browser can clone, and
    /// ports, which are transferred.
    fn post(&self, parcel: &Array) {
        if let Some(worker) = &self.0.state.borrow().worker {
            let attachment = parcel.get(1);
            let ports = if attachment.is_instance_of::<MessagePort>() {
                Array::of1(&attachment)
            } else {
                Array::new()
            };
            drop(worker.post(parcel, &ports));
        }
    }
}

/// The transferred value: the message, encoded, and its attachment.
fn parcel(message: &ToWorker, attachment: Option<&JsValue>) -> Array {
    let none = JsValue::UNDEFINED;
    Array::of2(&codec::to_js(message), attachment.unwrap_or(&none))
}

/// Time since the page was opened.
fn now() -> Duration {
    Duration::try_from_secs_f64(clock_ms() / 1000.0).unwrap_or_default()
}
