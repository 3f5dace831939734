//! One peer connection, both directions: bytes in, handshake and messages out; messages in, bytes
//! out. No sockets: a driver reads bytes into a buffer and asks what they say, and writes what it
//! is given.
//!
//! - Dialling: make a [`Connection::dial`], write, read until [`Event::Handshaken`].
//! - Accepting: make a [`Connection::accept`], read until [`Event::Wanted`], look the info-hash up,
//!   [`Connection::answer`], write, read until [`Event::Handshaken`].
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
mod handshake;
mod outgoing;
mod transport;

use std::io::IoSlice;

use bytes::{Bytes, BytesMut};

use self::block_share::BlockShare;
use self::handshake::Handshaking;
use self::outgoing::Outgoing;
pub use self::transport::Transport;
use crate::types::{InfoHashV1, Instant};
use crate::wire::{Handshake, Message, WireError};

/// What a peer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A remote that dialled names the swarm it wants, before it has said who it is. Comes first,
    /// once, on a [`Connection::accept`] only.
    Wanted(InfoHashV1),
    /// The remote's handshake is complete. Once, unless the connection was
    /// [`Connection::established`].
    Handshaken(Handshake),
    /// Afterwards.
    Message(Message),
}

/// What the deadline of a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The remote's handshake is incomplete.
    Handshake,
    /// The remote waits for our answer.
    Answer,
}

#[derive(Clone, Debug)]
enum State {
    Handshaking(Handshaking),
    Messages,
}

/// One peer connection.
#[derive(Clone, Debug)]
pub struct Connection {
    state: State,
    block_share: BlockShare,
    outgoing: Outgoing,
}

impl Connection {
    fn new(state: State) -> Self {
        Self {
            state,
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
        match &mut self.state {
            State::Messages => self.poll_message(input),
            State::Handshaking(handshaking) => {
                let event = handshaking.poll_event(input);
                if handshaking.is_over() {
                    self.state = State::Messages;
                }
                event
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
            State::Messages => None,
        }
    }
}

#[cfg(test)]
mod tests;
