//! One peer connection, both directions: bytes in, handshake and messages out; messages in, bytes
//! out. No sockets: a driver reads bytes into a buffer and asks what they say, and writes what it
//! is given.
//!
//! - Dialling: make a [`Connection::dial`], write, read until [`Event::Handshaken`].
//! - Accepting: make a [`Connection::accept`], read until [`Event::Wanted`], look the info-hash up,
//!   [`Connection::answer`], write, read until [`Event::Handshaken`].
//! - [`Connection::dial_encrypted`] and [`Connection::accept_encrypted`] encrypt, or see whether the
//!   remote does; then [`Event::Sought`] comes first and wants [`Connection::reveal`].
//! - Where something else did the handshake (the bridge, for a tab): [`Connection::established`].
//!
//! The driver ends the connection when the time has come that [`Connection::poll_timeout`] names.
//!
//! ```
//! use aqueduct_core::connection::{Connection, Event};
//! use aqueduct_core::wire::Message;
//! use bytes::BytesMut;
//!
//! let mut connection = Connection::established();
//! // An unchoke and the beginning of another message.
//! let mut input = BytesMut::from(&[0, 0, 0, 1, 1, 0, 0][..]);
//! assert_eq!(connection.poll_event(&mut input), Ok(Some(Event::Message(Message::Unchoke))));
//! assert_eq!(connection.poll_event(&mut input), Ok(None));
//! assert_eq!(connection.missing(&input), 2); // until its length is known
//!
//! connection.send(&Message::Interested);
//! assert_eq!(connection.poll_part().as_deref(), Some(&[0, 0, 0, 1, 2][..]));
//! ```

mod block_share;
mod cipher;
mod encryption;
mod event;
mod handshake;
mod outgoing;
mod transport;

use std::io::IoSlice;

use bytes::{Bytes, BytesMut};

use self::block_share::BlockShare;
use self::cipher::Incoming;
use self::encryption::{Accepting, Dialling, Exchange, Step};
pub use self::encryption::{Encryption, obfuscated};
pub use self::event::{Event, Reason};
use self::handshake::Handshaking;
use self::outgoing::Outgoing;
pub use self::transport::Transport;
use crate::types::{InfoHashV1, Instant};
use crate::wire::{Handshake, Message, WireError};

#[derive(Debug)]
enum State {
    /// Before the handshake that is kept beside it.
    Encrypting(Box<Exchange>, Handshaking),
    Handshaking(Handshaking),
    Messages,
    /// The exchange failed.
    Failed(WireError),
}

/// One peer connection.
#[derive(Debug)]
pub struct Connection {
    state: State,
    incoming: Incoming,
    block_share: BlockShare,
    outgoing: Outgoing,
}

impl Connection {
    fn new(state: State) -> Self {
        Self {
            state,
            incoming: Incoming::default(),
            block_share: BlockShare::new(),
            outgoing: Outgoing::default(),
        }
    }

    /// We dialled and speak first. The remote must answer for the same info-hash. Both handshakes
    /// must be through by `deadline`.
    #[must_use]
    pub fn dial(ours: Handshake, deadline: Instant) -> Self {
        let handshaking = Handshaking::dialled(ours.info_hash, deadline);
        let mut connection = Self::new(State::Handshaking(handshaking));
        connection.outgoing.push_bytes(&ours.encode());
        connection
    }

    /// The remote dialled and speaks first. Both handshakes must be through by `deadline`.
    #[must_use]
    pub fn accept(deadline: Instant) -> Self {
        Self::new(State::Handshaking(Handshaking::accepted(deadline)))
    }

    /// We dialled and encrypt; otherwise as [`Connection::dial`]. `seed` must not be known to
    /// others, nor used twice. With [`Encryption::Allow`] the remote may go on in the clear after
    /// the exchange.
    #[must_use]
    pub fn dial_encrypted(
        ours: Handshake,
        encryption: Encryption,
        seed: [u8; 32],
        deadline: Instant,
    ) -> Self {
        let handshaking = Handshaking::dialled(ours.info_hash, deadline);
        let mut connection = Self::new(State::Messages);
        let dialling = Dialling::new(ours, encryption, seed, &mut connection.outgoing);
        let exchange = Box::new(Exchange::Dialling(dialling));
        connection.state = State::Encrypting(exchange, handshaking);
        connection
    }

    /// The remote dialled and encrypts or not, as its first bytes show and `encryption` permits;
    /// otherwise as [`Connection::accept`]. `seed` as for [`Connection::dial_encrypted`].
    #[must_use]
    pub fn accept_encrypted(encryption: Encryption, seed: [u8; 32], deadline: Instant) -> Self {
        if encryption == Encryption::Off {
            return Self::accept(deadline);
        }
        let exchange = Exchange::Accepting(Accepting::new(encryption, seed));
        Self::new(State::Encrypting(
            Box::new(exchange),
            Handshaking::accepted(deadline),
        ))
    }

    /// Says which swarm [`Event::Sought`] means. Nothing is read before. Changes nothing on a
    /// connection that waits for no such word.
    pub fn reveal(&mut self, info_hash: InfoHashV1) {
        if let State::Encrypting(exchange, handshaking) = &mut self.state
            && let Exchange::Accepting(accepting) = &mut **exchange
        {
            accepting.reveal(info_hash);
            handshaking.expect(info_hash);
        }
    }

    /// The handshakes are through already; messages follow.
    #[must_use]
    pub fn established() -> Self {
        Self::new(State::Messages)
    }

    /// Answers a remote that dialled: `ours` names the info-hash of [`Event::Wanted`]. No message
    /// is read before. Changes nothing on a connection that owes no answer.
    pub fn answer(&mut self, ours: Handshake) {
        let State::Handshaking(handshaking) = &mut self.state else {
            return;
        };
        if handshaking.answer() {
            self.outgoing.push_bytes(&ours.encode());
        }
        if handshaking.is_over() {
            self.state = State::Messages;
        }
    }

    /// Takes the next thing that the peer said off the front of `input`; `None` until all of it is
    /// there. `input` is the same buffer at every call: bytes are only added, at its end.
    ///
    /// Blocks of data are slices of the memory of `input`, unless the peer sends so much else that
    /// slices would keep more of it than they hold: then they are copies.
    ///
    /// # Errors
    /// The peer broke the protocol. This is told as early as the bytes show it, and again at every
    /// call: close the connection.
    pub fn poll_event(&mut self, input: &mut BytesMut) -> Result<Option<Event>, WireError> {
        if let State::Encrypting(..) = self.state
            && let Some(event) = self.poll_exchange(input)?
        {
            return Ok(event);
        }
        self.incoming.decipher(input);
        let event = match &mut self.state {
            State::Messages => self.poll_message(input),
            State::Handshaking(handshaking) => {
                let event = handshaking.poll_event(input);
                if handshaking.is_over() {
                    self.state = State::Messages;
                }
                event
            }
            State::Encrypting(..) => Ok(None),
            State::Failed(error) => Err(error.clone()),
        };
        self.incoming.keep(input.len());
        event
    }

    /// `None` once the exchange is over.
    fn poll_exchange(&mut self, input: &mut BytesMut) -> Result<Option<Option<Event>>, WireError> {
        let State::Encrypting(exchange, handshaking) = &mut self.state else {
            return Ok(None);
        };
        match exchange.poll(input, &mut self.outgoing) {
            Ok(Step::Wait) => Ok(Some(None)),
            Ok(Step::Sought(swarm)) => Ok(Some(Some(Event::Sought(swarm)))),
            Ok(Step::Done(incoming)) => {
                self.incoming = incoming;
                self.state = State::Handshaking(handshaking.clone());
                Ok(None)
            }
            Err(error) => {
                self.state = State::Failed(error.clone());
                Err(error)
            }
        }
    }

    fn poll_message(&mut self, input: &mut BytesMut) -> Result<Option<Event>, WireError> {
        let before = input.len();
        let Some(message) = Message::decode(input)? else {
            return Ok(None);
        };
        let message = self.block_share.keep(message, before - input.len());
        Ok(Some(Event::Message(message)))
    }

    /// How many bytes `input` lacks, after [`Connection::poll_event`] found nothing in it: read at
    /// least as many before asking again. 4 or fewer while the length of the next message is not
    /// known; 0 if an error was found, or if the remote waits for [`Connection::answer`].
    #[must_use]
    pub fn missing(&self, input: &[u8]) -> usize {
        match &self.state {
            State::Handshaking(handshaking) => handshaking.missing(input),
            State::Messages => Message::missing(input),
            State::Encrypting(..) => 1,
            State::Failed(_) => 0,
        }
    }

    /// Queues a message. What is queued has no bound here; the engine's is
    /// [`crate::Config::max_unsent`].
    pub fn send(&mut self, message: &Message) {
        self.outgoing.push(message);
    }

    /// Whether nothing waits to be written.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// What is to be written next, blocks without a copy; returns how many slices were filled in.
    /// Tell with [`Connection::handle_written`] how many of these bytes were written.
    pub fn poll_transmit<'a>(&'a mut self, slices: &mut [IoSlice<'a>]) -> usize {
        self.outgoing.slices(slices)
    }

    /// So many bytes of what [`Connection::poll_transmit`] gave were written.
    pub fn handle_written(&mut self, bytes: usize) {
        self.outgoing.advance(bytes);
    }

    /// The next bytes to write, for transports that take one part at a time. They count as written.
    pub fn poll_part(&mut self) -> Option<Bytes> {
        self.outgoing.next_part()
    }

    /// When the connection must be ended, and what it lacks then; `None` once the handshakes are
    /// through. Nothing that the remote sends moves this instant.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        match &self.state {
            State::Handshaking(handshaking) => Some(handshaking.poll_timeout()),
            State::Encrypting(_, handshaking) => {
                Some((handshaking.poll_timeout().0, Reason::Encryption))
            }
            State::Messages | State::Failed(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
