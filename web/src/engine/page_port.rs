//! Messages between this worker and its own page.

use js_sys::Array;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::MessageEvent;

use crate::browser::global::scope;
use crate::message::{ToPage, ToWorker};

/// A message of a page as text, and its attachment.
pub(super) struct PageMessage {
    pub(super) text: String,
    pub(super) attachment: JsValue,
}

impl PageMessage {
    /// The parsed message; `None` if it is invalid.
    pub(super) fn parse(&self) -> Option<ToWorker> {
        serde_json::from_str(&self.text).ok()
    }
}

/// Sends a message to the page of this worker only.
pub(super) fn post(message: &ToPage) {
    if let Ok(text) = serde_json::to_string(message) {
        post_text(&text.into());
    }
}

/// As [`post`], with the message as text.
pub(super) fn post_text(text: &JsValue) {
    // Fails only for values that cannot be cloned; text can.
    drop(scope().post_message(text));
}

/// Passes the page's messages to `handle`, which replaces any earlier handler. Each is an array:
/// the message as text, and its attachment.
pub(super) fn listen(mut handle: impl FnMut(PageMessage) + 'static) {
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let parts: Array = event.data().unchecked_into();
        handle(PageMessage {
            text: parts.get(0).as_string().unwrap_or_default(),
            attachment: parts.get(1),
        });
    });
    scope().set_onmessage(Some(on_message.into_js_value().unchecked_ref()));
}
