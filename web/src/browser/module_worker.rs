//! Dedicated workers whose script is a module, and how often they end.

use js_sys::Array;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};

/// The number of ends within [`WINDOW_MS`] after which no worker is started again, since that does not
/// help.
pub(crate) const MAX_ENDS: usize = 3;
const WINDOW_MS: f64 = 60_000.0;

/// A worker that this page or worker has started. It is terminated when this is dropped.
pub(crate) struct ModuleWorker {
    worker: Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(ErrorEvent)>,
}

impl ModuleWorker {
    /// Starts this script as a worker of this name.
    pub(crate) fn start(
        script: &str,
        name: &str,
        on_message: impl FnMut(MessageEvent) + 'static,
        on_error: impl FnMut(ErrorEvent) + 'static,
    ) -> Result<Self, JsValue> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        options.set_name(name);
        let worker = Worker::new_with_options(script, &options)?;
        let (on_message, on_error) = (Closure::new(on_message), Closure::new(on_error));
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Ok(Self {
            worker,
            _on_message: on_message,
            _on_error: on_error,
        })
    }

    /// Sends a message, of which these parts are transferred.
    pub(crate) fn post(&self, message: &JsValue, transferred: &Array) -> Result<(), JsValue> {
        self.worker.post_message_with_transfer(message, transferred)
    }
}

impl Drop for ModuleWorker {
    /// A crashed worker may report more errors, to handlers that are about to be dropped.
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

/// When a worker ended, in milliseconds since 1970.
#[derive(Default)]
pub(crate) struct Ends(Vec<f64>);

impl Ends {
    /// Records an end now. Returns whether a new worker may be started.
    pub(crate) fn record(&mut self) -> bool {
        let now = js_sys::Date::now();
        self.0.retain(|at| now - at < WINDOW_MS);
        self.0.push(now);
        self.0.len() < MAX_ENDS
    }
}
