//! The page's end of the worker: starts it, queues what it cannot hear yet, restarts it when it
//! broke.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use leptos::prelude::{set_interval, set_timeout, window};
use std::time::Duration;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};

use crate::message::{ToPage, ToWorker};
use crate::page::Model;
use crate::page::model::heartbeat::{self as pulse, Pulse, Verdict};

/// Where trunk puts the worker's starter.
const SCRIPT: &str = "/worker_loader.js";
/// So many crashes within [`CRASH_WINDOW_MS`] and the worker stays down: something is wrong that a
/// restart does not mend.
const CRASHES: usize = 3;
const CRASH_WINDOW_MS: f64 = 60_000.0;
/// Before a restart, so that the browser lets go of the old worker's files and lock.
const RESTART_AFTER: Duration = Duration::from_millis(300);

/// Handle to the worker, whichever incarnation runs.
#[derive(Clone, Default)]
pub(crate) struct Host(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    worker: Option<Running>,
    /// The worker has said that it hears.
    ready: bool,
    pulse: Pulse,
    waiting: VecDeque<JsValue>,
    crashes: Vec<f64>,
}

struct Running {
    worker: Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(ErrorEvent)>,
}

impl Drop for Running {
    /// A worker that broke may have more errors on their way, for handlers that are about to go.
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Starts a worker whose messages go to `model`.
    pub(crate) fn start(&self, model: Model) {
        match self.launch(model) {
            Ok(running) => self.0.borrow_mut().worker = Some(running),
            Err(_) => model.complain("The browser could not start what does the work behind this page. Reload the page to try again.".to_owned()),
        }
    }

    /// Looks from now on whether the worker still lives.
    pub(crate) fn watch(&self, model: Model) {
        let host = self.clone();
        set_interval(move || host.look(model), pulse::EVERY);
    }

    fn look(&self, model: Model) {
        let verdict = {
            let mut inner = self.0.borrow_mut();
            inner.ready.then(|| inner.pulse.look(now()))
        };
        match verdict {
            Some(Verdict::Ask) => self.send(&ToWorker::Ping, None),
            Some(Verdict::Dead) => self.crashed(model, "it no longer answers"),
            Some(Verdict::Wait) | None => {}
        }
    }

    fn launch(&self, model: Model) -> Result<Running, JsValue> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options(SCRIPT, &options)?;
        let on_message = self.on_message(model);
        let on_error = self.on_error(model);
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Ok(Running {
            worker,
            _on_message: on_message,
            _on_error: on_error,
        })
    }

    fn on_message(&self, model: Model) -> Closure<dyn FnMut(MessageEvent)> {
        let host = self.clone();
        Closure::new(move |event: MessageEvent| {
            let Some(message) = event
                .data()
                .as_string()
                .and_then(|text| serde_json::from_str(&text).ok())
            else {
                return;
            };
            host.0.borrow_mut().pulse.heard();
            if message == ToPage::Ready {
                host.release();
            }
            model.hear(message);
        })
    }

    /// A panic leaves the worker alive in an undefined state; so does a script that did not load.
    /// Both end it.
    fn on_error(&self, model: Model) -> Closure<dyn FnMut(ErrorEvent)> {
        let host = self.clone();
        Closure::new(move |event: ErrorEvent| {
            let (host, cause) = (host.clone(), event.message());
            // Later, because dropping the worker drops the very closure that runs now.
            set_timeout(move || host.crashed(model, &cause), Duration::ZERO);
        })
    }

    fn crashed(&self, model: Model, cause: &str) {
        let mut inner = self.0.borrow_mut();
        if inner.worker.take().is_none() {
            return;
        }
        (inner.ready, inner.pulse) = Default::default();
        let now = js_sys::Date::now();
        inner.crashes.retain(|at| now - at < CRASH_WINDOW_MS);
        inner.crashes.push(now);
        let hopeless = inner.crashes.len() >= CRASHES;
        drop(inner);
        model.forget();
        if hopeless {
            let text = format!(
                "What does the work behind this page broke {CRASHES} times within a minute and was stopped. What was downloaded is kept. To go on, \
                 reload the page. ({cause})"
            );
            model.complain(text);
        } else {
            let host = self.clone();
            set_timeout(move || host.start(model), RESTART_AFTER);
        }
    }

    /// Says a message, or keeps it until the worker hears.
    pub(crate) fn send(&self, message: &ToWorker, attachment: Option<&JsValue>) {
        let Ok(text) = serde_json::to_string(message) else {
            return;
        };
        let parcel = js_sys::Array::of2(&text.into(), attachment.unwrap_or(&JsValue::UNDEFINED));
        let mut inner = self.0.borrow_mut();
        match &inner.worker {
            Some(running) if inner.ready => post(&running.worker, &parcel),
            _ => inner.waiting.push_back(parcel.into()),
        }
    }

    fn release(&self) {
        let mut inner = self.0.borrow_mut();
        inner.ready = true;
        let waiting = std::mem::take(&mut inner.waiting);
        if let Some(running) = &inner.worker {
            waiting
                .iter()
                .for_each(|parcel| post(&running.worker, parcel));
        }
    }
}

/// Time since the page was opened.
fn now() -> Duration {
    let ms = window().performance().map_or(0.0, |clock| clock.now());
    Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default()
}

/// Cannot fail: the parcel holds text, bytes and files only, which every browser can clone.
fn post(worker: &Worker, parcel: &JsValue) {
    let _ = worker.post_message(parcel);
}
