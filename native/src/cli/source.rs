//! Sources of torrents: files, standard input, links, hashes, the web.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aqueduct_core::meta::{Magnet, Metainfo};
use aqueduct_core::types::{InfoHash, visible};
use aqueduct_native::net::http::{Client, Fetch};
use aqueduct_native::net::{NetError, Outbound, OwnUser};
use percent_encoding::percent_decode_str;

use super::signals::on_a_thread;
use crate::ui::failure::{Class, Failure};

/// The maximum size of a .torrent file in bytes.
const MAX_TORRENT: u64 = 10_000_000;

/// The SOURCE that is read from standard input.
const STANDARD_INPUT: &str = "-";

/// What a SOURCE contains.
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

    /// Whether it is known to be private (BEP 27); a link does not contain that.
    pub(crate) fn is_private(&self) -> bool {
        matches!(self, Self::Torrent(metainfo) if metainfo.info.private)
    }
}

/// Reads a SOURCE, which may be a path in any encoding. Only URLs access the network.
pub(crate) async fn load(source: &OsStr, outbound: &Outbound) -> Result<Source, Failure> {
    match load_bytes(source, outbound).await? {
        Loaded::Magnet(magnet) => Ok(Source::Magnet(magnet)),
        Loaded::Bytes(bytes) => {
            let metainfo = Metainfo::parse(&bytes)
                .map_err(|error| Failure::from(error).about(&shown(source)))?;
            Ok(Source::Torrent(Box::new(metainfo)))
        }
    }
}

/// Reads a SOURCE that must be a complete torrent.
pub(crate) async fn load_torrent(source: &OsStr, outbound: &Outbound) -> Result<Metainfo, Failure> {
    match load(source, outbound).await? {
        Source::Torrent(metainfo) => Ok(*metainfo),
        Source::Magnet(_) => Err(Failure::new(
            Class::Usage,
            "a magnet link or hash does not say what the data are; give a .torrent file",
        )),
    }
}

enum Loaded {
    Bytes(Vec<u8>),
    Magnet(Magnet),
}

async fn load_bytes(source: &OsStr, outbound: &Outbound) -> Result<Loaded, Failure> {
    match source.to_str() {
        Some(STANDARD_INPUT) => {
            let read =
                || bounded(io::stdin()).map_err(|error| unreadable(&shown(STANDARD_INPUT), &error));
            on_a_thread(read).await.map(Loaded::Bytes)
        }
        Some(text) if Magnet::is_link(text) => Ok(Loaded::Magnet(Magnet::parse(text)?)),
        Some(text) if has_prefix(text, "http://") || has_prefix(text, "https://") => {
            fetch(text, outbound).await
        }
        Some(text) if has_prefix(text, "file:") && !Path::new(text).exists() => {
            read(file_url(text)?).await
        }
        Some(text) if !Path::new(text).exists() => {
            match (Magnet::from_hash_text(text), scheme(text)) {
                (Ok(magnet), _) => Ok(Loaded::Magnet(magnet)),
                (_, Some(scheme)) => Err(unknown_scheme(text, scheme)),
                _ => read(source.into()).await,
            }
        }
        _ => read(source.into()).await,
    }
}

async fn fetch(url: &str, outbound: &Outbound) -> Result<Loaded, Failure> {
    match Client::new(Arc::new(OwnUser), outbound.clone())
        .get(url, Fetch::TORRENT)
        .await
    {
        Ok(body) => Ok(Loaded::Bytes(body.into())),
        Err(NetError::Magnet(link)) => Ok(Loaded::Magnet(
            Magnet::parse(&link).map_err(|error| Failure::from(error).about(url))?,
        )),
        Err(error) => Err(not_fetched(url, &error)),
    }
}

async fn read(path: PathBuf) -> Result<Loaded, Failure> {
    let read = move || {
        File::open(&path)
            .and_then(bounded)
            .map_err(|error| unreadable(&path.to_string_lossy(), &error))
    };
    on_a_thread(read).await.map(Loaded::Bytes)
}

/// The path that a `file:` URL names on this machine (RFC 8089).
fn file_url(text: &str) -> Result<PathBuf, Failure> {
    let wrong = |problem: &str| {
        Failure::new(
            Class::Failure,
            format!("{}: {problem}; name the file by its path", visible(text)),
        )
    };
    let after = text.get("file:".len()..).unwrap_or_default();
    let path = match after
        .strip_prefix("//")
        .map(|rest| rest.split_at(rest.find('/').unwrap_or(rest.len())))
    {
        None => after,
        Some((host, path)) if host.is_empty() || host.eq_ignore_ascii_case("localhost") => path,
        Some(_) => return Err(wrong("this address names another machine")),
    };
    let bytes: Vec<u8> = percent_decode_str(path).collect();
    if bytes.first() == Some(&b'/') {
        Ok(OsString::from_vec(bytes).into())
    } else {
        Err(wrong("this address holds no absolute path"))
    }
}

/// The part before `://`.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    is_scheme.then_some(scheme)
}

fn unknown_scheme(text: &str, scheme: &str) -> Failure {
    let message = format!(
        "{}: addresses with `{scheme}:` are not fetched, only http, https and file; fetch the .torrent yourself and name it here",
        visible(text)
    );
    Failure::new(Class::Failure, message)
}

/// A SOURCE as messages name it.
fn shown(source: impl AsRef<OsStr>) -> String {
    let source = source.as_ref();
    if source == STANDARD_INPUT {
        "standard input".to_owned()
    } else {
        source.to_string_lossy().into_owned()
    }
}

/// Reads everything, up to one byte more than the limit, which the parser reports.
pub(super) fn bounded(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_TORRENT + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(text: &str, error: &io::Error) -> Failure {
    let advice = "give a .torrent file, - for standard input, a magnet link, an info-hash or a URL";
    let (class, reason) = match error.kind() {
        // It is likely that something else was meant.
        io::ErrorKind::NotFound => (Class::Failure, error.to_string()),
        io::ErrorKind::IsADirectory => (Class::Storage, "it is a folder".to_owned()),
        _ => (Class::Storage, error.to_string()),
    };
    let message = format!("could not read {}: {reason}; {advice}", visible(text));
    Failure::new(class, message)
}

fn not_fetched(text: &str, error: &NetError) -> Failure {
    let advice = "check the address, or fetch the file with a browser and name it here";
    Failure::new(Class::Failure, format!("{error}; {advice}")).about(text)
}

fn has_prefix(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn a_file_url_names_a_path_of_this_machine() {
        let path = |url: &str| file_url(url).map(|path| path.as_os_str().as_bytes().to_vec());
        for url in [
            "file:///tmp/a%20b%e9.torrent",
            "FILE://localhost/tmp/a b%E9.torrent",
            "file:/tmp/a%20b%E9.torrent",
        ] {
            assert_eq!(path(url).unwrap(), b"/tmp/a b\xe9.torrent", "{url}");
        }
        assert!(
            path("file://nas/share/a.torrent")
                .unwrap_err()
                .message
                .contains("another machine")
        );
        assert!(
            path("file:a.torrent")
                .unwrap_err()
                .message
                .contains("no absolute path")
        );
    }

    #[test]
    fn a_scheme_stands_before_two_slashes() {
        assert_eq!(
            (
                scheme("ftp://x/a.torrent"),
                scheme("a.torrent"),
                scheme("a b://c")
            ),
            (Some("ftp"), None, None)
        );
    }
}
