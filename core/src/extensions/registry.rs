//! The registry of extensions, and the interface of their handlers.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::pex_flags::PexFlags;
use crate::types::{ConnId, Instant, PeerAddr};
use crate::wire::Message;

/// The id of the extended handshake.
pub(crate) const EXTENDED_HANDSHAKE: u8 = 0;

/// The supported extensions. The number is the id at which peers send us the extension's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Extension {
    /// `ut_metadata` (BEP 9).
    Metadata = 1,
    /// `ut_pex` (BEP 11).
    Pex = 2,
    /// `lt_donthave` (BEP 54).
    DontHave = 3,
    /// `ut_holepunch` (BEP 55).
    Holepunch = 4,
}

impl Extension {
    /// All extensions with their names on the wire.
    pub(crate) const ALL: [(Self, &str); 4] = [
        (Self::Metadata, "ut_metadata"),
        (Self::Pex, "ut_pex"),
        (Self::DontHave, "lt_donthave"),
        (Self::Holepunch, "ut_holepunch"),
    ];

    /// The extension with this id.
    pub(crate) fn from_id(id: u8) -> Option<Self> {
        Self::ALL.iter().map(|(e, _)| *e).find(|e| *e as u8 == id)
    }
}

/// The part of the swarm that handlers can access.
pub(crate) struct View<'a> {
    pub(crate) now: Instant,
    /// The sender: its connection, and the address at which others can try to reach it.
    pub(crate) from: (ConnId, PeerAddr),
    /// The connected peer at an address: its connection, the address at which others can try to
    /// reach it, and its ids for our extensions.
    pub(crate) peer_at: &'a dyn Fn(PeerAddr) -> Option<(ConnId, PeerAddr, RemoteIds)>,
    /// The metadata, if they are known.
    pub(crate) metadata: Option<&'a Bytes>,
    /// Whether peer exchange is used (BEP 11, 27).
    pub(crate) exchanges: bool,
    /// Whether peers are introduced to each other (BEP 55, 27).
    pub(crate) introduces: bool,
    /// Whether all wanted data are complete.
    pub(crate) complete: bool,
    /// Whether the peer's send queue has room for a long answer.
    pub(crate) has_room: bool,
}

/// The effect of a message, which the swarm carries out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Nothing,
    /// The peer's request is answered with this refusal, if it understands one.
    Refuse(Option<Message>),
    /// Messages for peers.
    Send(Vec<(ConnId, Message)>),
    /// An extended handshake was processed; it may contain our address.
    Handshake {
        our_ip: Option<IpAddr>,
    },
    /// A block of the metadata arrived (BEP 9).
    MetadataBlock {
        block: u32,
        data: Bytes,
    },
    /// A block of the metadata was rejected (BEP 9).
    MetadataRejected,
    /// Addresses of the peer's connected peers, with what is known of each (BEP 11).
    Peers(Vec<(SocketAddr, PexFlags)>),
    /// The peer says that the one at this address connects to us now (BEP 55).
    Introduced(SocketAddr),
    /// The peer cannot introduce us to the one at this address (BEP 55).
    NotIntroduced(SocketAddr),
    /// The peer lost this piece (BEP 54).
    DontHave(u32),
}

/// A peer's ids for our extensions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RemoteIds([u8; Extension::ALL.len()]);

impl RemoteIds {
    /// Applies the names of an extended handshake. 0 disables an extension; extensions that are not
    /// named stay unchanged.
    pub(super) fn update(&mut self, named: impl Fn(&str) -> Option<u8>) {
        for ((_, name), id) in Extension::ALL.iter().zip(&mut self.0) {
            *id = named(name).unwrap_or(*id);
        }
    }

    /// The peer's id for an extension; `None` if it does not support it.
    pub(super) fn get(&self, extension: Extension) -> Option<u8> {
        let at = Extension::ALL
            .iter()
            .position(|(other, _)| *other == extension)?;
        self.0.get(at).copied().filter(|id| *id != 0)
    }

    /// A message of an extension; `None` if the peer does not support it.
    pub(super) fn message(&self, extension: Extension, payload: Bytes) -> Option<Message> {
        self.get(extension)
            .map(|id| Message::Extended { id, payload })
    }
}
