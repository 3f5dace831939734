//! The extension state of one peer.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::handshake::ExtendedHandshake;
use super::pex::{ConnectedPeer, Pex};
use super::registry::{EXTENDED_HANDSHAKE, Effect, Extension, RemoteIds, View};
use super::{dont_have, holepunch, metadata, pex};
use crate::context::misbehaved;
use crate::io::CloseReason;
use crate::types::{Instant, PeerAddr, Piece};
use crate::wire::{Message, Reserved};

/// The number of pending requests that a peer is assumed to accept if it does not announce one, as
/// most clients do.
const DEFAULT_REQUESTS: usize = 250;

/// One peer's side of the extension protocol.
#[derive(Debug, Default)]
pub(crate) struct Extensions {
    spoken: bool,
    ids: RemoteIds,
    requests: Option<u32>,
    port: Option<u16>,
    metadata_size: Option<u32>,
    upload_only: bool,
    /// The state of peer exchange.
    pex: Pex,
    introductions: holepunch::Introductions,
    /// Whether an extended handshake has arrived.
    greeted: bool,
}

impl Extensions {
    /// The initial state, based on the handshake's reserved bytes.
    pub(crate) fn new(reserved: Reserved) -> Self {
        Self {
            spoken: reserved.extended(),
            ..Self::default()
        }
    }

    /// Whether the peer supports the extension protocol.
    pub(crate) fn spoken(&self) -> bool {
        self.spoken
    }

    /// Processes an extended handshake. Malformed ones are ignored. A later one may change earlier
    /// values. Returns our address as seen by the peer, if it is included.
    fn handle_handshake(&mut self, payload: &[u8]) -> Option<IpAddr> {
        let hello = ExtendedHandshake::decode(payload).ok()?;
        self.greeted = true;
        self.ids.update(|name| hello.extensions.get(name).copied());
        self.requests = hello.requests.or(self.requests);
        self.port = hello.port.or(self.port);
        self.metadata_size = hello
            .metadata_size
            .and_then(|size| size.try_into().ok())
            .or(self.metadata_size);
        self.upload_only = hello.upload_only.unwrap_or(self.upload_only);
        hello.your_ip
    }

    /// Whether it is known which extensions the peer supports: its extended handshake has arrived,
    /// or it sends none.
    pub(crate) fn is_known(&self) -> bool {
        self.greeted || !self.spoken
    }

    /// Whether the peer supports holepunching (BEP 55).
    pub(crate) fn holepunches(&self) -> bool {
        self.ids.get(Extension::Holepunch).is_some()
    }

    /// Whether the peer can introduce us to the one at this address, as far as its messages tell
    /// (BEP 11, 55): it supports that, and is connected to it.
    pub(crate) fn introduces(&self, target: SocketAddr) -> bool {
        self.holepunches() && self.pex.has_named(target)
    }

    /// A request for an introduction to the peer at `target` (BEP 55). `None` if this peer does not
    /// support it, or was asked too often already.
    pub(crate) fn request_introduction(
        &mut self,
        now: Instant,
        target: SocketAddr,
    ) -> Option<Message> {
        holepunch::request(&mut self.introductions, &self.ids, now, target)
    }

    /// The peer's ids for our extensions.
    pub(crate) fn ids(&self) -> RemoteIds {
        self.ids
    }

    /// The maximum number of pending requests at the peer.
    pub(crate) fn request_limit(&self) -> usize {
        self.requests
            .map_or(DEFAULT_REQUESTS, |n| (n as usize).max(1))
    }

    /// Whether the peer announced that it requests no data (BEP 21).
    pub(crate) fn upload_only(&self) -> bool {
        self.upload_only
    }

    /// The peer's listening port, if announced.
    pub(crate) fn listen_port(&self) -> Option<u16> {
        self.port
    }

    /// The size of the metadata in bytes, if the peer offers them.
    pub(crate) fn metadata_size(&self) -> Option<u32> {
        self.metadata_size
            .filter(|_| self.ids.get(Extension::Metadata).is_some())
    }

    /// A message of an extension; `None` if the peer does not support it.
    pub(crate) fn message(&self, extension: Extension, payload: Bytes) -> Option<Message> {
        self.ids.message(extension, payload)
    }

    /// A list of connected peers (BEP 11), at most once per minute. `to`: the peer's address, and
    /// its listening address.
    pub(crate) fn pex_message(
        &mut self,
        now: Instant,
        to: (PeerAddr, Option<PeerAddr>),
        connected: &[ConnectedPeer],
    ) -> Option<Message> {
        pex::message(&mut self.pex, &self.ids, (now, to), connected)
    }

    /// A message that we no longer have a piece (BEP 54).
    pub(crate) fn dont_have_message(&self, piece: Piece) -> Option<Message> {
        dont_have::message(&self.ids, piece)
    }

    /// Handles an extended message. An unassigned id is ignored (BEP 10).
    ///
    /// # Errors
    /// The peer violated a rule of the extension.
    pub(crate) fn handle(
        &mut self,
        view: &View<'_>,
        id: u8,
        payload: &Bytes,
    ) -> Result<Effect, CloseReason> {
        if !self.spoken {
            return misbehaved("an extended message without the extension protocol");
        }
        if id == EXTENDED_HANDSHAKE {
            return Ok(Effect::Handshake {
                our_ip: self.handle_handshake(payload),
            });
        }
        match Extension::from_id(id) {
            Some(Extension::Metadata) => Ok(metadata::handle(&self.ids, view, payload)),
            Some(Extension::Pex) => pex::handle(&mut self.pex, view, payload),
            Some(Extension::DontHave) => dont_have::handle(payload),
            Some(Extension::Holepunch) => {
                let introductions = &mut self.introductions;
                Ok(holepunch::handle(introductions, &self.ids, view, payload))
            }
            None => Ok(Effect::Nothing),
        }
    }
}
