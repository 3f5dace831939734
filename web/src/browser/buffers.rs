//! Frees the memory of received buffers immediately.
//!
//! Buffers from a WebSocket stay allocated until the browser collects garbage. The collector does
//! not count this memory as JavaScript's own, so a hundred MiB can pile up. A buffer that is
//! transferred to a message port leaves this worker; one that is transferred to a closed port is
//! freed.

use js_sys::{Array, ArrayBuffer};
use wasm_bindgen::JsValue;
use web_sys::{MessageChannel, MessagePort};

/// A message port whose other end is closed.
pub(crate) struct BufferSink(MessagePort);

impl BufferSink {
    pub(crate) fn new() -> Result<Self, JsValue> {
        let channel = MessageChannel::new()?;
        channel.port2().close();
        Ok(Self(channel.port1()))
    }

    /// Frees a buffer. Nothing can be read from it afterwards.
    pub(crate) fn free(&self, buffer: &ArrayBuffer) {
        // If the browser refuses, the garbage collector frees it later.
        drop(
            self.0
                .post_message_with_transferable(&JsValue::NULL, &Array::of1(buffer)),
        );
    }
}
