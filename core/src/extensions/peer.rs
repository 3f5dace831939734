//! What is known of one peer's extensions.

use std::net::IpAddr;

use bytes::Bytes;

use super::handshake::ExtendedHandshake;
use super::pex::{Neighbour, Pex};
use super::registry::{EXTENDED_HANDSHAKE, Effect, Extension, RemoteIds, View};
use super::{dont_have, holepunch, metadata, pex};
use crate::io::CloseReason;
use crate::types::{Instant, PeerAddr, Piece};
use crate::wire::{Message, Reserved};

/// Requests that a peer is taken to queue if it does not say (what most clients do).
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
    /// What it and we tell each other of peers.
    pex: Pex,
    introductions: holepunch::Requests,
}

impl Extensions {
    /// Nothing known but what the handshake's reserved bytes say.
    pub(crate) fn new(reserved: Reserved) -> Self {
        Self {
            spoken: reserved.extended(),
            ..Self::default()
        }
    }

    /// Whether the peer speaks the extension protocol.
    pub(crate) fn spoken(&self) -> bool {
        self.spoken
    }

    /// Takes in an extended handshake. What is broken is passed over: the handshake only offers
    /// things. It may come again and change what was said. Returns our address as the peer sees it,
    /// if it says so.
    fn handle_handshake(&mut self, payload: &[u8]) -> Option<IpAddr> {
        let hello = ExtendedHandshake::decode(payload).ok()?;
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

    /// What it calls our extensions.
    pub(crate) fn ids(&self) -> RemoteIds {
        self.ids
    }

    /// Requests it queues.
    pub(crate) fn request_limit(&self) -> usize {
        self.requests
            .map_or(DEFAULT_REQUESTS, |n| (n as usize).max(1))
    }

    /// Whether it said that it wants nothing more (BEP 21).
    pub(crate) fn upload_only(&self) -> bool {
        self.upload_only
    }

    /// Where it listens, if it said so.
    pub(crate) fn listen_port(&self) -> Option<u16> {
        self.port
    }

    /// Bytes of its metadata, if it offers them.
    pub(crate) fn metadata_size(&self) -> Option<u32> {
        self.metadata_size
            .filter(|_| self.ids.get(Extension::Metadata).is_some())
    }

    /// A message of ours for the peer; `None`: it does not speak the extension.
    pub(crate) fn message(&self, extension: Extension, payload: Bytes) -> Option<Message> {
        self.ids.message(extension, payload)
    }

    /// BEP 11: tells the peer, at most once per minute, who else is connected. `to`: its address,
    /// and where it listens.
    pub(crate) fn tell_peers(
        &mut self,
        now: Instant,
        to: (PeerAddr, Option<PeerAddr>),
        connected: &[Neighbour],
    ) -> Option<Message> {
        pex::tell(&mut self.pex, &self.ids, (now, to), connected)
    }

    /// BEP 54: says that we no longer have a piece.
    pub(crate) fn tell_dont_have(&self, piece: Piece) -> Option<Message> {
        dont_have::tell(&self.ids, piece)
    }

    /// A message came. BEP 10: an id that we never gave is ignored.
    ///
    /// # Errors
    /// The peer broke a rule of the extension.
    pub(crate) fn handle(
        &mut self,
        view: &View<'_>,
        id: u8,
        payload: &Bytes,
    ) -> Result<Effect, CloseReason> {
        if !self.spoken {
            return Err(CloseReason::Misbehaved(
                "an extended message without the extension protocol",
            ));
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
                let requests = &mut self.introductions;
                Ok(holepunch::handle(requests, &self.ids, view, payload))
            }
            None => Ok(Effect::Nothing),
        }
    }
}
