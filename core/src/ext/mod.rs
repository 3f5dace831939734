//! The extension protocol (BEP 10): one file an extension, one line each in the registry.

pub(crate) mod metadata;
mod peer;

use std::net::{IpAddr, SocketAddr};

pub(crate) use peer::Extensions;

use crate::bencode::Encoder;
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
    let mut names = Encoder::new();
    for (extension, name) in Extension::ALL {
        names.int(name, extension as u8);
    }
    let mut dict = Encoder::new();
    dict.put("m", &names).bytes("v", &config.client).int("reqq", config.max_requests_in as u64);
    if config.listen_port != 0 {
        dict.int("p", config.listen_port);
    }
    if let Some(info) = info {
        dict.int("metadata_size", info.raw.len() as u64);
    }
    match peer.ip().to_canonical() {
        IpAddr::V4(ip) => dict.bytes("yourip", ip.octets()),
        IpAddr::V6(ip) => dict.bytes("yourip", ip.octets()),
    };
    Message::Extended { id: EXTENDED_HANDSHAKE, payload: dict.finish().into() }
}
