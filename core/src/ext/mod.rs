//! The extension protocol (BEP 10): one file an extension, one line each in the registry.

mod handshake;
pub(crate) mod metadata;
mod peer;

use std::net::SocketAddr;

pub use handshake::{ExtendedHandshake, ExtendedHandshakeError, MAX_NAMES, MAX_TEXT};
pub(crate) use peer::Extensions;

use crate::config::Config;
use crate::meta::Info;
use crate::wire::Message;

/// The id of the extended handshake itself.
pub(crate) const EXTENDED_HANDSHAKE: u8 = 0;

/// The registry. The number is the id by which peers send us the extension's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Extension {
    /// BEP 9.
    Metadata = 1,
}

impl Extension {
    /// All of them with their names on the wire.
    pub(crate) const ALL: [(Self, &str); 1] = [(Self::Metadata, "ut_metadata")];

    /// The extension that a peer's message is for.
    pub(crate) fn from_id(id: u8) -> Option<Self> {
        Self::ALL.iter().map(|(e, _)| *e).find(|e| *e as u8 == id)
    }
}

/// Our extended handshake for one peer: what we speak, how many requests we queue, where we listen, how long the metadata are.
pub(crate) fn hello(config: &Config, info: Option<&Info>, peer: SocketAddr) -> Message {
    let hello = ExtendedHandshake {
        extensions: Extension::ALL.iter().map(|(extension, name)| ((*name).to_owned(), *extension as u8)).collect(),
        client: Some(config.client.clone()),
        port: Some(config.listen_port).filter(|port| *port != 0),
        requests: u32::try_from(config.max_requests_in).ok(),
        your_ip: Some(peer.ip().to_canonical()),
        metadata_size: info.map(|info| info.raw.len() as u64),
        ..ExtendedHandshake::default()
    };
    Message::Extended { id: EXTENDED_HANDSHAKE, payload: hello.encode().into() }
}
