//! Where torrents come from: files, standard input, links, hashes, the web.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use aqueduct_core::meta::{Magnet, Metainfo};
use aqueduct_core::types::{InfoHash, visible};
use aqueduct_native::net::http::{Client, Fetch};
use aqueduct_native::net::{Bind, NetError, OwnUser};

use super::failure::{Class, Failure};

/// Longest .torrent file that is read, bytes.
const MAX_TORRENT: u64 = 10_000_000;

/// What a SOURCE says.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Torrent(Box<Metainfo>),
    Magnet(Magnet),
}

impl Source {
    pub(crate) fn info_hash(&self) -> InfoHash {
        match self {
            Self::Torrent(metainfo) => metainfo.info.info_hash,
            Self::Magnet(magnet) => magnet.info_hash,
        }
    }
}

/// Reads a SOURCE. Only URLs touch the network.
pub(crate) async fn load(text: &str, bind: Bind) -> Result<Source, Failure> {
    match load_bytes(text, bind).await? {
        Loaded::Magnet(magnet) => Ok(Source::Magnet(magnet)),
        Loaded::Bytes(bytes) => {
            let metainfo = Metainfo::parse(&bytes).map_err(|error| Failure::from(error).about(text))?;
            Ok(Source::Torrent(Box::new(metainfo)))
        }
    }
}

/// Reads a SOURCE that must be a whole torrent.
pub(crate) async fn load_torrent(text: &str) -> Result<Metainfo, Failure> {
    match load(text, Bind::default()).await? {
        Source::Torrent(metainfo) => Ok(*metainfo),
        Source::Magnet(_) => Err(Failure::new(Class::Usage, "a magnet link or hash does not say what the data are; give a .torrent file")),
    }
}

enum Loaded {
    Bytes(Vec<u8>),
    Magnet(Magnet),
}

async fn load_bytes(text: &str, bind: Bind) -> Result<Loaded, Failure> {
    if has_prefix(text, "magnet:") {
        return Ok(Loaded::Magnet(Magnet::parse(text)?));
    }
    if has_prefix(text, "http://") || has_prefix(text, "https://") {
        let client = Client::new(Arc::new(OwnUser), bind);
        return match client.get(text, Fetch::TORRENT).await {
            Ok(body) => Ok(Loaded::Bytes(body.into())),
            Err(NetError::Magnet(link)) => Ok(Loaded::Magnet(Magnet::parse(&link).map_err(|error| Failure::from(error).about(text))?)),
            Err(error) => Err(not_fetched(text, &error)),
        };
    }
    if text == "-" {
        return bounded(io::stdin()).map(Loaded::Bytes).map_err(|error| unreadable("standard input", &error));
    }
    if !Path::new(text).exists()
        && let Ok(magnet) = Magnet::from_hash_text(text)
    {
        return Ok(Loaded::Magnet(magnet));
    }
    File::open(text).and_then(bounded).map(Loaded::Bytes).map_err(|error| unreadable(text, &error))
}

/// All bytes, or one more than are allowed so that the parser says so.
fn bounded(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_TORRENT + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(text: &str, error: &io::Error) -> Failure {
    let advice = "give a .torrent file, - for standard input, a magnet link, an info-hash or a URL";
    Failure::new(Class::Failure, format!("could not read {}: {error}; {advice}", visible(text)))
}

fn not_fetched(text: &str, error: &NetError) -> Failure {
    let advice = "check the address, or fetch the file with a browser and name it here";
    Failure::new(Class::Failure, format!("{error}; {advice}")).about(text)
}

fn has_prefix(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}
