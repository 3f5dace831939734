//! The session with the bridge: a WebSocket that is reopened whenever it breaks, and the tunnel's
//! client.

use std::time::Duration;

use aqueduct_core::Instant;
use aqueduct_core::tunnel::{Backoff, Client, ClientConfig, Refusal};

use super::address::BridgeAddress;
use super::socket::{Listener, Socket};
use crate::engine::errors::refused;
use crate::message::{BridgeLink, BridgeStatus};

/// The number of bytes in the browser's send buffer above which no more messages are packed, since
/// packed messages cannot be reordered.
const MAX_BUFFERED: u32 = 1 << 20;
/// The interval at which a full send buffer is checked again, since the browser does not report
/// what it has sent.
const BUFFERED_RETRY: Duration = Duration::from_millis(10);
/// The timeout for opening the WebSocket, so that a server that never answers does not block the
/// tab.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// The session, with at most one socket at a time.
pub(super) struct Session {
    url: String,
    token: String,
    listener: Listener,
    /// The number of the newest socket.
    socket: u64,
    state: State,
    backoff: Backoff,
    congested: bool,
    /// Bytes of all messages in both directions, of this and all earlier sockets.
    received: u64,
    sent: u64,
}

enum State {
    /// Waits until this time before the next attempt.
    Waiting(Instant),
    /// A WebSocket is being opened, until this deadline.
    Opening(Socket, Instant),
    /// The tunnel is running.
    Open {
        socket: Socket,
        tunnel: Box<Client>,
        welcomed: bool,
    },
    /// The bridge refuses this tab, which only a user can change.
    Refused(Refusal),
}

impl Session {
    /// A session that [`Session::handle_timeout`] first opens. `token` is for bridges that require
    /// one.
    pub(super) fn new(address: &BridgeAddress, token: String, listener: Listener) -> Self {
        Self {
            url: address.session(),
            token,
            listener,
            socket: 0,
            state: State::Waiting(Instant::ZERO),
            backoff: Backoff::default(),
            congested: false,
            received: 0,
            sent: 0,
        }
    }

    /// The tunnel, while there is one.
    pub(super) fn tunnel(&mut self) -> Option<&mut Client> {
        match &mut self.state {
            State::Open { tunnel, .. } => Some(tunnel),
            _ => None,
        }
    }

    /// Counts a message from the bridge.
    pub(super) const fn count_received(&mut self, bytes: usize) {
        self.received += bytes as u64;
    }

    /// Whether the tunnel is running.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Whether this is the number of the current socket.
    pub(super) const fn is_present(&self, socket: u64) -> bool {
        socket == self.socket
    }

    /// Handles an open socket: the tunnel's first message can be sent.
    pub(super) fn handle_open(&mut self, now: Instant) {
        self.state = match std::mem::replace(&mut self.state, State::Waiting(now)) {
            State::Opening(socket, _) => {
                let config = ClientConfig {
                    token: self.token.clone(),
                    ..ClientConfig::default()
                };
                State::Open {
                    socket,
                    tunnel: Box::new(Client::new(config, now)),
                    welcomed: false,
                }
            }
            other => other,
        };
    }

    /// Handles the bridge's welcome.
    pub(super) fn handle_welcome(&mut self) {
        self.backoff.greeted();
        if let State::Open { welcomed, .. } = &mut self.state {
            *welcomed = true;
        }
    }

    /// Handles a refusal, permanent or temporary.
    pub(super) fn handle_refusal(&mut self, now: Instant, refusal: Refusal) {
        if refusal.is_temporary() {
            self.retry_later(now);
        } else {
            self.state = State::Refused(refusal);
        }
    }

    /// Handles a closed socket; some close codes are refusals.
    pub(super) fn handle_close(&mut self, now: Instant, code: u16) {
        match Refusal::from_close_code(code) {
            Some(refusal) => self.handle_refusal(now, refusal),
            None => self.retry_later(now),
        }
    }

    /// Drops the socket and tries again later.
    pub(super) fn retry_later(&mut self, now: Instant) {
        if !matches!(self.state, State::Refused(_)) {
            self.state = State::Waiting(now + self.backoff.failed(js_sys::Math::random()));
        }
    }

    /// Handles that the worker was suspended. The delay before the next attempt is over, and an open
    /// connection must show that it still works.
    pub(super) fn handle_suspension(&mut self, now: Instant) {
        match &mut self.state {
            State::Waiting(_) | State::Opening(..) => {
                self.backoff = Backoff::default();
                self.state = State::Waiting(now);
            }
            State::Open { tunnel, .. } => tunnel.handle_suspension(now),
            State::Refused(_) => {}
        }
    }

    /// Sets the token. A session that was refused for lack of one is reopened.
    pub(super) fn set_token(&mut self, now: Instant, token: String) {
        self.token = token;
        if matches!(self.state, State::Refused(Refusal::Token)) {
            self.state = State::Waiting(now);
        }
    }

    /// Packs and sends pending messages, as far as the browser accepts them. Returns whether
    /// anything was sent.
    pub(super) fn transmit(&mut self) -> bool {
        let State::Open { socket, tunnel, .. } = &mut self.state else {
            return false;
        };
        let mut sent = false;
        loop {
            self.congested = socket.buffered() >= MAX_BUFFERED;
            let Some(message) = (!self.congested).then(|| tunnel.poll_message()).flatten() else {
                return sent;
            };
            sent = true;
            self.sent += message.len() as u64;
            if socket.send(&message).is_err() {
                return sent;
            }
        }
    }

    /// The time by which [`Session::handle_timeout`] must be called.
    pub(super) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        match &self.state {
            State::Waiting(at) | State::Opening(_, at) => Some(*at),
            State::Open { .. } if self.congested => Some(now + BUFFERED_RETRY),
            State::Open { tunnel, .. } => Some(tunnel.poll_timeout()),
            State::Refused(_) => None,
        }
    }

    /// Opens a socket when it is due, drops one that does not open, and passes the time to the
    /// tunnel.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Waiting(at) if *at <= now => self.connect(now),
            State::Opening(_, at) if *at <= now => self.retry_later(now),
            State::Open { tunnel, .. } if tunnel.poll_timeout() <= now => {
                tunnel.handle_timeout(now)
            }
            _ => {}
        }
    }

    /// What passes through the bridge, for the page.
    pub(super) fn link(&self) -> BridgeLink {
        let round_trip = match &self.state {
            State::Open { tunnel, .. } => tunnel.round_trip(),
            _ => None,
        };
        BridgeLink {
            round_trip: round_trip.map(|span| u32::try_from(span.as_millis()).unwrap_or(u32::MAX)),
            received: self.received,
            sent: self.sent,
        }
    }

    fn connect(&mut self, now: Instant) {
        self.socket += 1;
        match Socket::open(&self.url, self.socket, &self.listener) {
            Ok(socket) => self.state = State::Opening(socket, now + OPEN_TIMEOUT),
            Err(_) => self.retry_later(now),
        }
    }

    /// The session's state for the page.
    pub(super) fn status(&self, now: Instant) -> BridgeStatus {
        match &self.state {
            State::Open { welcomed: true, .. } => BridgeStatus::Connected,
            State::Refused(Refusal::Token) => BridgeStatus::WantsToken {
                shown: !self.token.is_empty(),
            },
            State::Refused(refusal) => BridgeStatus::Refused(refused(*refusal).to_owned()),
            _ if self.backoff.tries() == 0 => BridgeStatus::Connecting,
            State::Waiting(at) => BridgeStatus::Waiting {
                seconds: whole_seconds(at.since(now)),
            },
            State::Opening(..) | State::Open { .. } => BridgeStatus::Waiting { seconds: 0 },
        }
    }
}

fn whole_seconds(span: Duration) -> u32 {
    u32::try_from(span.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
}
