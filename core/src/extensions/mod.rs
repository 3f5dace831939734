//! The extension protocol (BEP 10), with one file per extension and one line per extension in the
//! registry.

pub(crate) mod dont_have;
mod handshake;
mod holepunch;
pub(crate) mod metadata;
mod peer;
pub(crate) mod pex;
mod pex_flags;
mod registry;

pub use handshake::{ExtendedHandshake, ExtendedHandshakeError, MAX_NAMES, MAX_TEXT};
pub use holepunch::{Holepunch, HolepunchError};
pub(crate) use peer::Extensions;
pub(crate) use pex_flags::PexFlags;
use registry::EXTENDED_HANDSHAKE;
pub(crate) use registry::{Effect, Extension, View};

use crate::config::Config;
use crate::meta::Info;
use crate::net::disclosure;
use crate::types::PeerAddr;
use crate::wire::Message;

/// Our state in a swarm, as announced to peers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnState<'a> {
    /// The metadata, if they are known.
    pub(crate) info: Option<&'a Info>,
    /// Whether peer exchange is used (BEP 11).
    pub(crate) exchanges: bool,
    /// Whether peers are introduced to each other (BEP 55).
    pub(crate) introduces: bool,
    /// Whether we have all wanted data but not all data (BEP 21).
    pub(crate) partial_seed: bool,
}

/// Our extended handshake for one peer: supported extensions, maximum number of pending requests,
/// listening port, size of the metadata.
pub(crate) fn hello(config: &Config, own: OwnState<'_>, peer: PeerAddr) -> Message {
    let offered = |extension| match extension {
        Extension::Pex => own.exchanges,
        Extension::Holepunch => own.introduces,
        Extension::Metadata | Extension::DontHave => true,
    };
    let spoken = Extension::ALL.iter().filter(|(e, _)| offered(*e));
    let hello = ExtendedHandshake {
        extensions: spoken
            .map(|(extension, name)| ((*name).to_owned(), *extension as u8))
            .collect(),
        client: Some(config.client.clone()),
        port: Some(config.listen_port).filter(|port| *port != 0),
        requests: u32::try_from(config.max_requests_in).ok(),
        your_ip: disclosure::own_ip(peer),
        metadata_size: own.info.map(|info| info.raw.len() as u64),
        upload_only: own.partial_seed.then_some(true),
        ..ExtendedHandshake::default()
    };
    extended_handshake(&hello)
}

/// A later extended handshake that only updates `upload_only` (BEP 10, 21).
pub(crate) fn upload_only(is: bool) -> Message {
    extended_handshake(&ExtendedHandshake {
        upload_only: Some(is),
        ..ExtendedHandshake::default()
    })
}

/// A later extended handshake that disables the extensions that tell peers of each other (BEP 10),
/// because the torrent turned out to be private (BEP 27).
pub(crate) fn no_exchange() -> Message {
    let extensions = Extension::ALL
        .iter()
        .filter(|(e, _)| matches!(e, Extension::Pex | Extension::Holepunch))
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
