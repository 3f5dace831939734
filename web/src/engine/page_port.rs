//! Messages between this worker and its own page.

use js_sys::Array;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::MessageEvent;

use crate::browser::global::scope;
use crate::codec;
use crate::message::{ToPage, ToWorker};

/// A message of a page, encoded, and its attachment.
pub(super) struct PageMessage {
    pub(super) encoded: JsValue,
    pub(super) attachment: JsValue,
}

impl PageMessage {
    /// The decoded message; `None` if it is invalid.
    pub(super) fn decode(&self) -> Option<ToWorker> {
        codec::from_js(&self.encoded)
    }
}

/// Sends a message to the page of this worker only.
pub(super) fn post(message: &ToPage) {
    post_encoded(&codec::to_js(message));
}

thread_local! {
    /// Messages that are sent when the worker's current task ends.
    static UNSENT: Array = Array::new();
}

/// As [`post`], with the message encoded. All messages of one task arrive in one event, so that the page
/// renders once after it.
pub(super) fn post_encoded(message: &JsValue) {
    if UNSENT.with(|unsent| unsent.push(message)) == 1 {
        spawn_local(async { send_all() });
    }
}

fn send_all() {
    UNSENT.with(|unsent| {
        // Fails only for values that cannot be cloned; bytes can.
        drop(scope().post_message(unsent));
        unsent.set_length(0);
    });
}

/// Passes the page's messages to `handle`, which replaces any earlier handler. Each is an array:
/// the message, encoded, and its attachment.
pub(super) fn listen(mut handle: impl FnMut(PageMessage) + 'static) {
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let parts: Array = event.data().unchecked_into();
        handle(PageMessage {
            encoded: parts.get(0),
            attachment: parts.get(1),
        });
    });
    scope().set_onmessage(Some(on_message.into_js_value().unchecked_ref()));
}
