//! Which extensions there are, and what all their handlers have in common.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use crate::types::{ConnId, Instant, PeerAddr};
use crate::wire::Message;

/// The id of the extended handshake itself.
pub(crate) const EXTENDED_HANDSHAKE: u8 = 0;

/// The registry. The number is the id by which peers send us the extension's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Extension {
    /// BEP 9.
    Metadata = 1,
    /// BEP 11.
    Pex = 2,
    /// BEP 54.
    DontHave = 3,
    /// BEP 55.
    Holepunch = 4,
}

impl Extension {
    /// All of them with their names on the wire.
    pub(crate) const ALL: [(Self, &str); 4] = [
        (Self::Metadata, "ut_metadata"),
        (Self::Pex, "ut_pex"),
        (Self::DontHave, "lt_donthave"),
        (Self::Holepunch, "ut_holepunch"),
    ];

    /// The extension that a peer's message is for.
    pub(crate) fn from_id(id: u8) -> Option<Self> {
        Self::ALL.iter().map(|(e, _)| *e).find(|e| *e as u8 == id)
    }
}

/// What a handler sees of the swarm. Nothing else of the engine is within its reach.
pub(crate) struct View<'a> {
    pub(crate) now: Instant,
    /// Who sent the message: the connection, and where the peer listens, or else where it came
    /// from.
    pub(crate) from: (ConnId, PeerAddr),
    /// The connected peer that listens at an address, and what it calls our extensions.
    pub(crate) peer_at: &'a dyn Fn(PeerAddr) -> Option<(ConnId, RemoteIds)>,
    /// The metadata, if they are known.
    pub(crate) metadata: Option<&'a Bytes>,
    /// Whether peers are exchanged (BEP 11, 27).
    pub(crate) exchanges: bool,
    /// Whether all that is wanted is had.
    pub(crate) complete: bool,
    /// Whether the queue to the peer has room for a long answer.
    pub(crate) has_room: bool,
}

/// What follows from a message, for the swarm to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Nothing,
    /// Peers get messages.
    Send(Vec<(ConnId, Message)>),
    /// An extended handshake was taken in, which may say what our address is.
    Handshake {
        our_ip: Option<IpAddr>,
    },
    /// A block of the metadata (BEP 9).
    MetadataBlock {
        block: u32,
        data: Bytes,
    },
    /// A block of the metadata will not come (BEP 9).
    MetadataRejected,
    /// The peer is connected with these (BEP 11).
    Peers(Vec<SocketAddr>),
    /// The peer lost this piece (BEP 54).
    DontHave(u32),
}

/// What a peer calls our extensions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RemoteIds([u8; Extension::ALL.len()]);

impl RemoteIds {
    /// Takes in the names of an extended handshake: 0 takes an extension back, what is not named
    /// stays as it was.
    pub(super) fn update(&mut self, named: impl Fn(&str) -> Option<u8>) {
        for ((_, name), id) in Extension::ALL.iter().zip(&mut self.0) {
            *id = named(name).unwrap_or(*id);
        }
    }

    /// What the peer calls an extension; `None`: it does not speak it.
    pub(super) fn get(&self, extension: Extension) -> Option<u8> {
        let at = Extension::ALL
            .iter()
            .position(|(other, _)| *other == extension)?;
        self.0.get(at).copied().filter(|id| *id != 0)
    }

    /// A message of ours for the peer; `None`: it does not speak the extension.
    pub(super) fn message(&self, extension: Extension, payload: Bytes) -> Option<Message> {
        self.get(extension)
            .map(|id| Message::Extended { id, payload })
    }
}
