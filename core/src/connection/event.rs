//! What a connection tells its driver.

use crate::types::InfoHashV1;
use crate::wire::{Handshake, Message};

/// What a peer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A remote that dialled and encrypts names the swarm it wants by its
    /// [`obfuscated`](super::obfuscated) info-hash: tell with [`super::Connection::reveal`] which
    /// one that is. Comes before [`Event::Wanted`].
    Sought([u8; 20]),
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
    /// The exchange of keys is under way.
    Encryption,
    /// The remote's handshake is incomplete.
    Handshake,
    /// The remote waits for our answer.
    Answer,
}
