//! Dedicated workers that run this program once more, and how often they end.

use js_sys::Array;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};

/// The number of ends within [`WINDOW_MS`] after which no worker is started again, since that does not
/// help.
pub(crate) const MAX_ENDS: usize = 3;
const WINDOW_MS: f64 = 60_000.0;

#[wasm_bindgen]
extern "C" {
    /// What JavaScript calls `import.meta`.
    type ImportMeta;

    #[wasm_bindgen(thread_local_v2, js_namespace = import, js_name = meta)]
    static IMPORT_META: ImportMeta;

    /// The address of the program's own script.
    #[wasm_bindgen(method, getter)]
    fn url(this: &ImportMeta) -> String;
}

/// A worker that this page or worker has started. It is terminated when this is dropped.
pub(crate) struct ModuleWorker {
    worker: Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(ErrorEvent)>,
}

impl ModuleWorker {
    /// Starts a worker of this name. Its script expects one message, the address of this program's
    /// script and the compiled program, so that the browser neither loads nor compiles it again.
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
        let started = Self {
            worker,
            _on_message: on_message,
            _on_error: on_error,
        };
        let script = IMPORT_META.with(ImportMeta::url);
        let program = Array::of2(&script.into(), &wasm_bindgen::module());
        started.post(&program, &Array::new())?;
        Ok(started)
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
