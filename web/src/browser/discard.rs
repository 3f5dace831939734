//! Gives the memory of received messages back at once.
//!
//! What a WebSocket hands over stays allocated until the browser collects garbage, and a hundred
//! MiB of it may lie about until then: it is not counted as JavaScript's own. A buffer that is
//! transferred to a message port changes hands, and one that nobody can receive is freed.

use js_sys::{Array, ArrayBuffer};
use wasm_bindgen::JsValue;
use web_sys::{MessageChannel, MessagePort};

/// A port whose other end is closed.
pub(crate) struct Scrap(MessagePort);

impl Scrap {
    pub(crate) fn new() -> Result<Self, JsValue> {
        let channel = MessageChannel::new()?;
        channel.port2().close();
        Ok(Self(channel.port1()))
    }

    /// Frees a buffer, of which nothing can be read any more.
    pub(crate) fn free(&self, buffer: &ArrayBuffer) {
        // Where it is refused, the garbage collector does it in its own time.
        drop(
            self.0
                .post_message_with_transferable(&JsValue::NULL, &Array::of1(buffer)),
        );
    }
}
