//! The extension protocol (BEP 10): one file an extension, one line each in the registry.

pub(crate) mod dont_have;
mod handshake;
mod holepunch;
pub(crate) mod metadata;
mod peer;
pub(crate) mod pex;
mod registry;

pub use handshake::{ExtendedHandshake, ExtendedHandshakeError, MAX_NAMES, MAX_TEXT};
pub(crate) use peer::Extensions;
use registry::EXTENDED_HANDSHAKE;
pub(crate) use registry::{Effect, Extension, View};

use crate::config::Config;
use crate::meta::Info;
use crate::net::disclosure;
use crate::types::PeerAddr;
use crate::wire::Message;

/// How we stand in a swarm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing<'a> {
    /// The metadata, if they are known.
    pub(crate) info: Option<&'a Info>,
    /// Whether peers are exchanged (BEP 11).
    pub(crate) exchanges: bool,
    /// Whether we want nothing more and yet have not everything (BEP 21).
    pub(crate) partial_seed: bool,
}

/// Our extended handshake for one peer: what we speak, how many requests we queue, where we listen,
/// how long the metadata are.
pub(crate) fn hello(config: &Config, standing: Standing<'_>, peer: PeerAddr) -> Message {
    let spoken = Extension::ALL
        .iter()
        .filter(|(extension, _)| *extension != Extension::Pex || standing.exchanges);
    let hello = ExtendedHandshake {
        extensions: spoken
            .map(|(extension, name)| ((*name).to_owned(), *extension as u8))
            .collect(),
        client: Some(config.client.clone()),
        port: Some(config.listen_port).filter(|port| *port != 0),
        requests: u32::try_from(config.max_requests_in).ok(),
        your_ip: disclosure::own_ip(peer),
        metadata_size: standing.info.map(|info| info.raw.len() as u64),
        upload_only: standing.partial_seed.then_some(true),
        ..ExtendedHandshake::default()
    };
    extended_handshake(&hello)
}

/// BEP 10: a later handshake says what has changed. Whether we still want data (BEP 21).
pub(crate) fn upload_only(is: bool) -> Message {
    extended_handshake(&ExtendedHandshake {
        upload_only: Some(is),
        ..ExtendedHandshake::default()
    })
}

/// BEP 10: id 0 takes an extension back. The torrent turned out to be private (BEP 27).
pub(crate) fn no_exchange() -> Message {
    let extensions = Extension::ALL
        .iter()
        .filter(|(e, _)| *e == Extension::Pex)
        .map(|(_, name)| ((*name).to_owned(), 0))
        .collect();
    extended_handshake(&ExtendedHandshake {
        extensions,
        ..ExtendedHandshake::default()
    })
}

fn extended_handshake(hello: &ExtendedHandshake) -> Message {
    Message::Extended {
        id: EXTENDED_HANDSHAKE,
        payload: hello.encode().into(),
    }
}
