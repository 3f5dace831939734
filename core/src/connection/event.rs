//! Events of a connection for its driver.

use crate::types::InfoHashV1;
use crate::wire::{Handshake, Message};

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A remote side that dialled and encrypts requests a swarm by its
    /// [`obfuscated`](super::obfuscated) info-hash. The driver must answer with
    /// [`super::Connection::reveal`]. Occurs before [`Event::Wanted`].
    Sought([u8; 20]),
    /// A remote side that dialled requests a swarm; its peer id may not have arrived yet. Occurs
    /// first, once, and only on a [`super::Connection::accept`].
    Wanted(InfoHashV1),
    /// The remote side's handshake is complete. Occurs once, unless the connection was
    /// [`super::Connection::established`].
    Handshaken(Handshake),
    /// A message after the handshake.
    Message(Message),
}

/// What the deadline of a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The key exchange is in progress.
    Encryption,
    /// The remote side's handshake is incomplete.
    Handshake,
    /// The remote side waits for our answer.
    Answer,
}
