//! One peer connection: bytes to handshake and messages. No sockets: a driver reads bytes into a
//! buffer and asks what they say.
//!
//! - Dialling: write [`Handshake::encode`] of ours, make a [`Connection::dialling`], read.
//! - Accepting: make a [`Connection::accepting`], read until [`Event::Handshake`], look the info-hash
//!   up, [`Connection::answer`], write what it returns, read on.
//! - In the tab, where the bridge shook hands: [`Connection::established`].
//!
//! ```
//! use aqueduct_core::connection::{Connection, Event};
//! use aqueduct_core::wire::Message;
//! use bytes::BytesMut;
//!
//! let mut link = Connection::established();
//! let mut buf = BytesMut::from(&[0, 0, 0, 1, 1, 0, 0][..]);       // an unchoke and the beginning of another message
//! assert_eq!(link.read(&mut buf), Ok(Some(Event::Message(Message::Unchoke))));
//! assert_eq!(link.read(&mut buf), Ok(None));
//! assert_eq!(link.wanted(&buf), 2);                               // until its length is known
//! ```

mod block_share;

use bytes::{Buf, BytesMut};

use crate::types::InfoHashV1;
use crate::wire::{HANDSHAKE_LEN, Handshake, Message, WireError};
use block_share::BlockShare;

/// What a peer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// First, once, unless the link was [`Connection::established`].
    Handshake(Handshake),
    /// Afterwards.
    Message(Message),
}

/// The reading half of a peer connection.
#[derive(Clone, Debug)]
pub struct Connection {
    state: State,
    block_share: BlockShare,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// The remote owes us a handshake; if we dialled, for this info-hash.
    Handshake(Option<InfoHashV1>),
    /// We owe the remote a handshake.
    Answer,
    Messages,
}

impl Connection {
    const fn new(state: State) -> Self {
        Self {
            state,
            block_share: BlockShare::new(),
        }
    }

    /// We dialled, and send `ours` ([`Handshake::encode`]) at once. The remote must answer for the
    /// same info-hash.
    #[must_use]
    pub const fn dialling(ours: Handshake) -> Self {
        Self::new(State::Handshake(Some(ours.info_hash)))
    }

    /// The remote dialled and speaks first; nothing past its handshake is read before
    /// [`Connection::answer`].
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
    pub fn read(&mut self, buf: &mut BytesMut) -> Result<Option<Event>, WireError> {
        match self.state {
            State::Handshake(expected) => self.read_handshake(buf, expected),
            State::Answer => Ok(None),
            State::Messages => self.read_message(buf),
        }
    }

    fn read_message(&mut self, buf: &mut BytesMut) -> Result<Option<Event>, WireError> {
        let before = buf.len();
        let Some(message) = Message::decode(buf)? else {
            return Ok(None);
        };
        Ok(Some(Event::Message(
            self.block_share.keep(message, before - buf.len()),
        )))
    }

    /// How many bytes complete what `buf` begins with: read at least as many before asking again,
    /// or more. 4 or fewer while the length of the next message is not known; 0 if [`Connection::read`]
    /// has something to say already, or waits for [`Connection::answer`].
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
    ) -> Result<Option<Event>, WireError> {
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
        Ok(Some(Event::Handshake(theirs)))
    }
}

#[cfg(test)]
mod tests;
