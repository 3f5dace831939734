//! What is known of one peer's extensions.

use std::net::IpAddr;

use super::metadata::Copy;
use super::pex::Pex;
use super::{ExtendedHandshake, Extension};
use crate::wire::Reserved;

/// Requests that a peer is taken to queue if it does not say (what most clients do).
const DEFAULT_REQUESTS: usize = 250;

/// One peer's side of the extension protocol.
#[derive(Debug)]
pub(crate) struct Extensions {
    spoken: bool,
    ids: [u8; Extension::ALL.len()],
    requests: Option<u32>,
    port: Option<u16>,
    metadata_size: Option<u32>,
    upload_only: bool,
    /// What it and we tell each other of peers.
    pub(crate) pex: Pex,
    /// Its copy of the metadata, on its way.
    pub(crate) copy: Option<Copy>,
    /// It was asked for a copy and the copy came to nothing.
    pub(crate) tried_copy: bool,
}

impl Extensions {
    /// Nothing known but what the handshake's reserved bytes say.
    pub(crate) fn new(reserved: Reserved) -> Self {
        Self {
            spoken: reserved.extended(),
            ids: [0; Extension::ALL.len()],
            requests: None,
            port: None,
            metadata_size: None,
            upload_only: false,
            pex: Pex::default(),
            copy: None,
            tried_copy: false,
        }
    }

    /// Whether the peer speaks the extension protocol.
    pub(crate) fn spoken(&self) -> bool {
        self.spoken
    }

    /// Takes in an extended handshake. What is broken is passed over: the handshake only offers things. It may come again and change what was said.
    /// Returns our address as the peer sees it, if it says so.
    pub(crate) fn on_handshake(&mut self, payload: &[u8]) -> Option<IpAddr> {
        let hello = ExtendedHandshake::decode(payload).ok()?;
        for ((_, name), id) in Extension::ALL.iter().zip(&mut self.ids) {
            *id = hello.extensions.get(*name).copied().unwrap_or(*id);
        }
        self.requests = hello.requests.or(self.requests);
        self.port = hello.port.or(self.port);
        self.metadata_size = hello.metadata_size.and_then(|size| size.try_into().ok()).or(self.metadata_size);
        self.upload_only = hello.upload_only.unwrap_or(self.upload_only);
        hello.your_ip
    }

    /// Requests it queues.
    pub(crate) fn request_limit(&self) -> usize {
        self.requests.map_or(DEFAULT_REQUESTS, |n| (n as usize).max(1))
    }

    /// Whether it said that it wants nothing more (BEP 21).
    pub(crate) fn upload_only(&self) -> bool {
        self.upload_only
    }

    /// Where it listens, if it said so.
    pub(crate) fn listen_port(&self) -> Option<u16> {
        self.port
    }

    /// What it calls an extension; `None`: it does not speak it.
    pub(crate) fn remote_id(&self, extension: Extension) -> Option<u8> {
        let at = Extension::ALL.iter().position(|(e, _)| *e == extension)?;
        self.ids.get(at).copied().filter(|&id| id != 0)
    }

    /// Bytes of its metadata, if it offers them.
    pub(crate) fn metadata_size(&self) -> Option<u32> {
        self.metadata_size.filter(|_| self.remote_id(Extension::Metadata).is_some())
    }

    /// Whether a copy of the metadata can be asked of it.
    pub(crate) fn may_copy(&self) -> bool {
        self.metadata_size().is_some() && self.copy.is_none() && !self.tried_copy
    }
}
