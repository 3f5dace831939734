//! One WebSocket to the bridge.

use std::rc::Rc;

use aqueduct_core::tunnel::SUBPROTOCOL;
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{BinaryType, CloseEvent, MessageEvent, WebSocket};

use crate::browser::buffers::BufferSink;

/// What the browser reports of a WebSocket.
pub(crate) enum SocketEvent {
    /// It is open.
    Open,
    /// One binary message, which is freed when its listener has returned.
    Message(Uint8Array),
    /// It was closed, or could not be opened; contains the close code.
    Closed(u16),
}

/// Called with each event of each socket and the socket's number. Events of a replaced socket must
/// be ignored.
pub(crate) type Listener = Rc<dyn Fn(u64, SocketEvent)>;

/// A WebSocket, closed when dropped.
pub(super) struct Socket(WebSocket);

impl Socket {
    /// Opens a socket with the given number. The handlers are set before this returns, so that no
    /// event is lost.
    pub(super) fn open(url: &str, number: u64, listener: &Listener) -> Result<Self, JsValue> {
        let socket = WebSocket::new_with_str(url, SUBPROTOCOL)?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let listen = Rc::clone(listener);
        let on_open = Closure::<dyn FnMut()>::new(move || listen(number, SocketEvent::Open));
        socket.set_onopen(Some(on_open.into_js_value().unchecked_ref()));
        let (listen, sink) = (Rc::clone(listener), BufferSink::new()?);
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if let Ok(buffer) = event.data().dyn_into::<ArrayBuffer>() {
                listen(number, SocketEvent::Message(Uint8Array::new(&buffer)));
                sink.free(&buffer);
            }
        });
        socket.set_onmessage(Some(on_message.into_js_value().unchecked_ref()));
        let listen = Rc::clone(listener);
        let on_close = Closure::<dyn FnMut(CloseEvent)>::new(move |event: CloseEvent| {
            listen(number, SocketEvent::Closed(event.code()))
        });
        socket.set_onclose(Some(on_close.into_js_value().unchecked_ref()));
        Ok(Self(socket))
    }

    /// The number of bytes in the browser's send buffer.
    pub(super) fn buffered(&self) -> u32 {
        self.0.buffered_amount()
    }

    /// Queues a message. Fails when the socket is closing.
    pub(super) fn send(&self, message: &[u8]) -> Result<(), JsValue> {
        self.0.send_with_u8_array(message)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.0.set_onopen(None);
        self.0.set_onmessage(None);
        self.0.set_onclose(None);
        drop(self.0.close());
    }
}
