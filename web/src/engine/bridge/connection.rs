//! The line to the bridge: a WebSocket that is opened again whenever it breaks, and the tunnel's
//! client upon it.

use std::rc::Rc;
use std::time::Duration;

use aqueduct_core::Instant;
use aqueduct_core::tunnel::{Backoff, Client, ClientConfig, Refusal, SUBPROTOCOL, Windows};
use bytes::Bytes;
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{BinaryType, CloseEvent, MessageEvent, WebSocket};

use crate::browser::clock::scope;
use crate::browser::discard::Scrap;
use crate::engine::errors::refused;
use crate::message::Bridge;

/// Bytes that the browser may hold for sending before more are packed: what is packed can no longer
/// be overtaken.
const MAX_BUFFERED: u32 = 1 << 20;
/// When the browser holds so many, it is asked again after this time, because it tells nobody that
/// it has sent them.
const BUFFERED_AGAIN: Duration = Duration::from_millis(10);
/// An upgrade that takes longer is given up: a listener that never answers must not hold the tab.
const OPEN_WITHIN: Duration = Duration::from_secs(10);
/// Credit that the bridge has: enough for some 100 MiB/s over a path of 20 ms with one peer, and
/// bounded for all of them together.
const WINDOWS: Windows = Windows {
    stream: 2 << 20,
    session: 16 << 20,
};

/// What the browser says of a WebSocket.
pub(crate) enum SocketEvent {
    /// It is open.
    Open,
    /// One binary message.
    Message(Bytes),
    /// It is over, or never opened; with the close code.
    Closed(u16),
}

/// Hears the events of every socket there is, each with its socket's number: an event of an earlier
/// socket means nothing.
pub(crate) type Listener = Rc<dyn Fn(u64, SocketEvent)>;

/// The line. At most one socket at a time.
pub(crate) struct Line {
    listener: Listener,
    serial: u64,
    token: String,
    state: State,
    backoff: Backoff,
    congested: bool,
}

enum State {
    /// Nothing to try until then.
    Waiting(Instant),
    /// The upgrade is under way, and given up then.
    Opening(Socket, Instant),
    /// The tunnel's machine runs; whether the bridge has greeted.
    Open(Socket, Box<Client>, bool),
    /// The bridge does not want us, and trying again needs a person.
    Refused(Refusal),
}

impl Line {
    /// A line that is opened at the first [`Line::handle_timeout`]; `token` is for bridges that
    /// want one.
    pub(crate) fn new(token: String, listener: Listener) -> Self {
        Self {
            listener,
            serial: 0,
            token,
            state: State::Waiting(Instant::ZERO),
            backoff: Backoff::default(),
            congested: false,
        }
    }

    /// The tunnel, while there is one.
    pub(crate) fn tunnel(&mut self) -> Option<&mut Client> {
        match &mut self.state {
            State::Open(_, tunnel, _) => Some(tunnel),
            _ => None,
        }
    }

    /// Whether this event's socket is the present one.
    pub(crate) fn is_present(&self, serial: u64) -> bool {
        serial == self.serial
    }

    /// The socket opened: the tunnel's first message can go.
    pub(crate) fn opened(&mut self, now: Instant) {
        self.state = match std::mem::replace(&mut self.state, State::Waiting(now)) {
            State::Opening(socket, _) => {
                let config = ClientConfig {
                    token: self.token.clone(),
                    windows: WINDOWS,
                    ..ClientConfig::default()
                };
                State::Open(socket, Box::new(Client::new(config, now)), false)
            }
            other => other,
        };
    }

    /// The bridge has greeted.
    pub(crate) fn greeted(&mut self) {
        self.backoff.greeted();
        if let State::Open(_, _, greeted) = &mut self.state {
            *greeted = true;
        }
    }

    /// The bridge sends us away, for good or for a while.
    pub(crate) fn refused(&mut self, now: Instant, refusal: Refusal) {
        if refusal.is_temporary() {
            self.broken(now);
        } else {
            self.state = State::Refused(refusal);
        }
    }

    /// Shows this token from now on; a line that waits for one is opened again.
    pub(crate) fn show_token(&mut self, now: Instant, token: String) {
        self.token = token;
        if matches!(self.state, State::Refused(Refusal::Token)) {
            self.state = State::Waiting(now);
        }
    }

    /// The socket is of no use any more: try again later.
    pub(crate) fn broken(&mut self, now: Instant) {
        if !matches!(self.state, State::Refused(_)) {
            self.state = State::Waiting(now + self.backoff.failed(js_sys::Math::random()));
        }
    }

    /// The socket closed; some codes say why.
    pub(crate) fn closed(&mut self, now: Instant, code: u16) {
        match Refusal::from_close_code(code) {
            Some(refusal) => self.refused(now, refusal),
            None => self.broken(now),
        }
    }

    /// Packs and sends what is ready, as far as the browser takes it. Returns whether anything
    /// went.
    pub(crate) fn send(&mut self) -> bool {
        let State::Open(socket, tunnel, _) = &mut self.state else {
            return false;
        };
        let mut sent = false;
        loop {
            self.congested = socket.0.buffered_amount() >= MAX_BUFFERED;
            let Some(message) = (!self.congested).then(|| tunnel.poll_message()).flatten() else {
                return sent;
            };
            sent = true;
            if socket.0.send_with_u8_array(&message).is_err() {
                return sent;
            }
        }
    }

    /// When to call [`Line::handle_timeout`] at the latest.
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        match &self.state {
            State::Waiting(at) | State::Opening(_, at) => Some(*at),
            State::Open(..) if self.congested => Some(now + BUFFERED_AGAIN),
            State::Open(_, tunnel, _) => Some(tunnel.poll_timeout()),
            State::Refused(_) => None,
        }
    }

    /// Opens a socket when it is time, gives one up that does not open, lets the tunnel look at the
    /// clock.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Waiting(at) if *at <= now => self.connect(now),
            State::Opening(_, at) if *at <= now => self.broken(now),
            State::Open(_, tunnel, _) if tunnel.poll_timeout() <= now => tunnel.handle_timeout(now),
            _ => {}
        }
    }

    fn connect(&mut self, now: Instant) {
        self.serial += 1;
        match Socket::open(self.serial, &self.listener) {
            Ok(socket) => self.state = State::Opening(socket, now + OPEN_WITHIN),
            Err(_) => self.broken(now),
        }
    }

    /// For the page.
    pub(crate) fn status(&self, now: Instant) -> Bridge {
        match &self.state {
            State::Open(_, _, true) => Bridge::Connected,
            State::Refused(Refusal::Token) => Bridge::WantsToken {
                shown: !self.token.is_empty(),
            },
            State::Refused(refusal) => Bridge::Refused(refused(*refusal).to_owned()),
            _ if self.backoff.tries() == 0 => Bridge::Connecting,
            State::Waiting(at) => Bridge::Waiting {
                seconds: whole_seconds(at.since(now)),
            },
            State::Opening(..) | State::Open(..) => Bridge::Waiting { seconds: 0 },
        }
    }
}

fn whole_seconds(span: Duration) -> u32 {
    u32::try_from(span.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
}

/// A WebSocket, closed when dropped. Its handlers stay alive as long as the browser holds them.
struct Socket(WebSocket);

impl Socket {
    /// Handlers are set before this returns: a message that came without them would be lost.
    fn open(serial: u64, listener: &Listener) -> Result<Self, JsValue> {
        let socket = WebSocket::new_with_str(&address(), SUBPROTOCOL)?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let tell = Rc::clone(listener);
        let on_open = Closure::<dyn FnMut()>::new(move || tell(serial, SocketEvent::Open));
        socket.set_onopen(Some(on_open.into_js_value().unchecked_ref()));
        let (tell, scrap) = (Rc::clone(listener), Scrap::new()?);
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if let Ok(buffer) = event.data().dyn_into::<ArrayBuffer>() {
                let message = Uint8Array::new(&buffer).to_vec();
                scrap.free(&buffer);
                tell(serial, SocketEvent::Message(message.into()));
            }
        });
        socket.set_onmessage(Some(on_message.into_js_value().unchecked_ref()));
        let tell = Rc::clone(listener);
        let on_close = Closure::<dyn FnMut(CloseEvent)>::new(move |event: CloseEvent| {
            tell(serial, SocketEvent::Closed(event.code()))
        });
        socket.set_onclose(Some(on_close.into_js_value().unchecked_ref()));
        Ok(Self(socket))
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

/// The bridge is where the page came from.
fn address() -> String {
    let place = scope().location();
    let scheme = if place.protocol() == "https:" {
        "wss"
    } else {
        "ws"
    };
    format!("{scheme}://{}/v1/session", place.host())
}
