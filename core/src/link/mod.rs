//! One peer connection: bytes to handshake and messages. No sockets: a driver reads bytes into a
//! buffer and asks what they say.
//!
//! - Dialling: write [`Handshake::encode`] of ours, make a [`Link::dialling`], read.
//! - Accepting: make a [`Link::accepting`], read until [`Received::Handshake`], look the info-hash
//!   up, [`Link::answer`], write what it returns, read on.
//! - In the tab, where the bridge shook hands: [`Link::established`].
//!
//! ```
//! use aqueduct_core::link::{Link, Received};
//! use aqueduct_core::wire::Message;
//! use bytes::BytesMut;
//!
//! let mut link = Link::established();
//! let mut buf = BytesMut::from(&[0, 0, 0, 1, 1, 0, 0][..]);       // an unchoke and the beginning of another message
//! assert_eq!(link.read(&mut buf), Ok(Some(Received::Message(Message::Unchoke))));
//! assert_eq!(link.read(&mut buf), Ok(None));
//! assert_eq!(link.wanted(&buf), 2);                               // until its length is known
//! ```

mod thrift;

use bytes::{Buf, BytesMut};

use crate::types::InfoHashV1;
use crate::wire::{HANDSHAKE_LEN, Handshake, Message, WireError};
use thrift::Thrift;

/// What a peer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// First, once, unless the link was [`Link::established`].
    Handshake(Handshake),
    /// Afterwards.
    Message(Message),
}

/// The reading half of a peer connection.
#[derive(Clone, Debug)]
pub struct Link {
    state: State,
    thrift: Thrift,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// The remote owes us a handshake; if we dialled, for this info-hash.
    Handshake(Option<InfoHashV1>),
    /// We owe the remote a handshake.
    Answer,
    Messages,
}

impl Link {
    const fn new(state: State) -> Self {
        Self {
            state,
            thrift: Thrift::new(),
        }
    }

    /// We dialled, and send `ours` ([`Handshake::encode`]) at once. The remote must answer for the
    /// same info-hash.
    #[must_use]
    pub const fn dialling(ours: Handshake) -> Self {
        Self::new(State::Handshake(Some(ours.info_hash)))
    }

    /// The remote dialled and speaks first; nothing past its handshake is read before
    /// [`Link::answer`].
    #[must_use]
    pub const fn accepting() -> Self {
        Self::new(State::Handshake(None))
    }

    /// Somebody else shook hands on both sides' behalf; messages follow.
    #[must_use]
    pub const fn established() -> Self {
        Self::new(State::Messages)
    }

    /// Our answer to the remote that dialled, as bytes to send; from now on messages are read.
    /// `ours` names the remote's info-hash. On a link that is owed no answer this changes nothing.
    #[must_use = "the remote waits for these bytes"]
    pub fn answer(&mut self, ours: Handshake) -> [u8; HANDSHAKE_LEN] {
        if matches!(self.state, State::Answer) {
            self.state = State::Messages;
        }
        ours.encode()
    }

    /// Takes the next thing that the peer said off `buf`; `None` until all of it is there. Blocks
    /// of data are slices of `buf`'s memory, unless the peer sends so much else that slices would
    /// keep more of it than they hold: then they are copies.
    ///
    /// # Errors
    /// The peer broke the protocol. This is told as early as the bytes show it, and again at every
    /// call: close the connection.
    pub fn read(&mut self, buf: &mut BytesMut) -> Result<Option<Received>, WireError> {
        match self.state {
            State::Handshake(expected) => self.read_handshake(buf, expected),
            State::Answer => Ok(None),
            State::Messages => self.read_message(buf),
        }
    }

    fn read_message(&mut self, buf: &mut BytesMut) -> Result<Option<Received>, WireError> {
        let before = buf.len();
        let Some(message) = Message::decode(buf)? else {
            return Ok(None);
        };
        Ok(Some(Received::Message(
            self.thrift.keep(message, before - buf.len()),
        )))
    }

    /// How many bytes complete what `buf` begins with: read at least as many before asking again,
    /// or more. 4 or fewer while the length of the next message is not known; 0 if [`Link::read`]
    /// has something to say already, or waits for [`Link::answer`].
    #[must_use]
    pub fn wanted(&self, buf: &[u8]) -> usize {
        match self.state {
            State::Handshake(_) => HANDSHAKE_LEN.saturating_sub(buf.len()),
            State::Answer => 0,
            State::Messages => Message::missing(buf),
        }
    }

    fn read_handshake(
        &mut self,
        buf: &mut BytesMut,
        expected: Option<InfoHashV1>,
    ) -> Result<Option<Received>, WireError> {
        if let (Some(received), Some(expected)) = (Handshake::decode_info_hash(buf)?, expected)
            && received != expected
        {
            return Err(WireError::InfoHash { expected, received });
        }
        let Some(theirs) = Handshake::decode(buf)? else {
            return Ok(None);
        };
        buf.advance(HANDSHAKE_LEN);
        self.state = if expected.is_some() {
            State::Messages
        } else {
            State::Answer
        };
        Ok(Some(Received::Handshake(theirs)))
    }
}

#[cfg(test)]
mod tests;
