//! One peer connection in both directions, without sockets: the driver passes received bytes in and
//! gets handshakes and messages out; it passes messages in and gets bytes to write.
//!
//! - Dialling: create a [`Connection::dial`], write, read until [`Event::Handshaken`].
//! - Accepting: create a [`Connection::accept`], read until [`Event::Wanted`], look the info-hash
//!   up, [`Connection::answer`], write, read until [`Event::Handshaken`].
//! - [`Connection::dial_encrypted`] and [`Connection::accept_encrypted`] encrypt, or detect whether
//!   the remote side does. An [`Event::Sought`] then comes first, and must be answered with
//!   [`Connection::reveal`].
//! - If the handshake was done elsewhere (by the bridge, for a tab): [`Connection::established`].
//! - If messages are read elsewhere: [`Connection::into_ciphers`] after the handshake.
//!
//! The driver must close the connection at the time that [`Connection::poll_timeout`] returns.
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
mod key_stream;
mod outgoing;
mod transport;

use std::io::IoSlice;

use bytes::{Bytes, BytesMut};

use self::block_share::BlockShare;
pub use self::cipher::Ciphers;
use self::cipher::Incoming;
use self::encryption::{Accepting, Dialling, Exchange, Step};
pub use self::encryption::{Encrypted, Encryption, UnknownEncryption, obfuscated};
pub use self::event::{Event, Reason};
use self::handshake::Handshaking;
use self::outgoing::Outgoing;
pub use self::transport::{Line, Transport};
use crate::types::{InfoHashV1, Instant};
use crate::wire::{Handshake, Message, WireError};

#[derive(Debug)]
enum State {
    /// The key exchange, and the handshake that follows it.
    Encrypting(Box<Exchange>, Handshaking),
    Handshaking(Handshaking),
    Messages,
    /// The connection failed; the error is returned again at each call.
    Failed(WireError),
}

/// A peer connection.
#[derive(Debug)]
pub struct Connection {
    state: State,
    incoming: Incoming,
    encrypted: Encrypted,
    block_share: BlockShare,
    outgoing: Outgoing,
}

impl Connection {
    fn new(state: State) -> Self {
        Self {
            state,
            incoming: Incoming::default(),
            encrypted: Encrypted::Nothing,
            block_share: BlockShare::new(),
            outgoing: Outgoing::default(),
        }
    }

    /// A connection that we dialled, on which we send first. The remote side must answer with the
    /// same info-hash. Both handshakes must be complete by `deadline`.
    #[must_use]
    pub fn dial(ours: Handshake, deadline: Instant) -> Self {
        let handshaking = Handshaking::dialled(ours.info_hash, deadline);
        let mut connection = Self::new(State::Handshaking(handshaking));
        connection.outgoing.push_bytes(&ours.encode());
        connection
    }

    /// A connection that the remote side dialled, on which it sends first. Both handshakes must be
    /// complete by `deadline`.
    #[must_use]
    pub fn accept(deadline: Instant) -> Self {
        Self::new(State::Handshaking(Handshaking::accepted(deadline)))
    }

    /// As [`Connection::dial`], with encryption. `seed` must be secret and must not be reused. With
    /// [`Encryption::Allow`] the remote side may choose plaintext after the exchange.
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

    /// As [`Connection::accept`]. The remote side's first bytes show whether it encrypts, and
    /// `encryption` determines what is permitted. `seed` must be secret and must not be reused.
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

    /// Provides the info-hash for [`Event::Sought`]. No further input is read before. Has no effect
    /// on a connection that does not wait for it.
    pub fn reveal(&mut self, info_hash: InfoHashV1) {
        if let State::Encrypting(exchange, handshaking) = &mut self.state
            && let Exchange::Accepting(accepting) = &mut **exchange
        {
            accepting.reveal(info_hash);
            handshaking.expect(info_hash);
        }
    }

    /// A connection whose handshakes are complete; messages follow.
    #[must_use]
    pub fn established() -> Self {
        Self::new(State::Messages)
    }

    /// Answers a remote side that dialled. `ours` must contain the info-hash of [`Event::Wanted`].
    /// No messages are read before. Has no effect on a connection that does not wait for an answer.
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

    /// Removes the next event from the front of `input`. `None` until it is complete. `input` must
    /// be the same buffer at every call, with bytes only appended to it.
    ///
    /// Blocks are slices of the memory of `input`. They are copied instead if the peer sends so
    /// much other data that slices would keep a multiple of their size allocated.
    ///
    /// # Errors
    /// The peer violated the protocol. The error is returned as early as the bytes show it, and
    /// again at every call. The connection must be closed.
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

    /// Advances the key exchange. `None` once it is complete.
    fn poll_exchange(&mut self, input: &mut BytesMut) -> Result<Option<Option<Event>>, WireError> {
        let State::Encrypting(exchange, handshaking) = &mut self.state else {
            return Ok(None);
        };
        match exchange.poll(input, &mut self.outgoing) {
            Ok(Step::Wait) => Ok(Some(None)),
            Ok(Step::Sought(swarm)) => Ok(Some(Some(Event::Sought(swarm)))),
            Ok(Step::Done(incoming, encrypted)) => {
                (self.incoming, self.encrypted) = (incoming, encrypted);
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

    /// The number of bytes that `input` lacks after [`Connection::poll_event`] returned `None`; at
    /// least as many must be read before it is called again. At most 4 while the length of the next
    /// message is unknown; 0 after an error, or while the remote side waits for
    /// [`Connection::answer`].
    #[must_use]
    pub fn missing(&self, input: &[u8]) -> usize {
        match &self.state {
            State::Handshaking(handshaking) => handshaking.missing(input),
            State::Messages => Message::missing(input),
            State::Encrypting(..) => 1,
            State::Failed(_) => 0,
        }
    }

    /// What of the connection is encrypted; [`Encrypted::Nothing`] until the key exchange is
    /// complete.
    #[must_use]
    pub const fn encrypted(&self) -> Encrypted {
        self.encrypted
    }

    /// Queues a message. The queue is unbounded; the engine's limit is
    /// [`crate::Config::max_unsent`].
    pub fn send(&mut self, message: &Message) {
        self.outgoing.push(message);
    }

    /// Whether the queue is empty.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Fills `slices` with the bytes to write next, blocks without a copy. Returns the number of
    /// slices. Report written bytes with [`Connection::handle_written`].
    pub fn poll_transmit<'a>(&'a mut self, slices: &mut [IoSlice<'a>]) -> usize {
        self.outgoing.slices(slices)
    }

    /// Removes written bytes from the queue of [`Connection::poll_transmit`].
    pub fn handle_written(&mut self, bytes: usize) {
        self.outgoing.advance(bytes);
    }

    /// Removes the next bytes to write, for transports that take one part at a time. They count as
    /// written.
    pub fn poll_part(&mut self) -> Option<Bytes> {
        self.outgoing.next_part()
    }

    /// Ends the use of a connection whose handshakes are complete, for a driver that passes the
    /// following bytes on. `None` if they are plaintext. What [`Connection::poll_event`] left in its
    /// input is decrypted already. All queued bytes must have been written.
    #[must_use]
    pub fn into_ciphers(self) -> Option<Ciphers> {
        Ciphers::new(self.incoming, self.outgoing.into_cipher())
    }

    /// The time at which the connection must be closed, and the reason; `None` once the handshakes
    /// are complete. It does not depend on anything that the remote side sends.
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
