//! The extended handshake (BEP 10): the extensions that each side supports, with the ids at which
//! it receives their messages.

use std::net::IpAddr;

use crate::bencode::{BencodeError, Dict, Encoder, Limits, scan_prefix};
use crate::types::SortedMap;

/// The maximum number of extension names that are stored per peer; more are ignored.
pub const MAX_NAMES: usize = 64;
/// The maximum length of a stored text (a name, `v`) in bytes; longer texts are cut, longer names
/// ignored.
pub const MAX_TEXT: usize = 128;

/// The payload of an `extended` message with id 0. Every entry is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtendedHandshake {
    /// `m`: the id at which the sender receives each extension's messages. 0 in a later handshake
    /// disables the extension.
    pub extensions: SortedMap<String, u8>,
    /// `v`: name and version of the client, with invalid UTF-8 replaced. It must be escaped for
    /// display.
    pub client: Option<String>,
    /// `p`: the sender's listening port.
    pub port: Option<u16>,
    /// `reqq`: the maximum number of pending requests at the sender; more may be dropped.
    pub requests: Option<u32>,
    /// `yourip`: the receiver's IP address as seen by the sender.
    pub your_ip: Option<IpAddr>,
    /// `metadata_size` (BEP 9): the size of the `info` dictionary in bytes, as claimed by the
    /// sender.
    pub metadata_size: Option<u64>,
    /// `upload_only` (BEP 21): whether the sender requests no data, if it says so.
    pub upload_only: Option<bool>,
    /// `complete_ago`: the time in seconds since the sender became complete.
    pub complete_ago: Option<u32>,
}

/// Why a payload is not an extended handshake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtendedHandshakeError {
    /// Not bencode, or outside the limits.
    #[error("the extended handshake is broken: {0}")]
    Bencode(#[from] BencodeError),
    /// Not a dictionary.
    #[error("the extended handshake is no dictionary")]
    NotADictionary,
}

impl ExtendedHandshake {
    /// Decodes a payload. Entries of the wrong type are ignored, as are ports and ids out of range
    /// and bytes after the dictionary, since some clients send them.
    ///
    /// # Errors
    /// The payload does not start with a bencoded dictionary.
    pub fn decode(payload: &[u8]) -> Result<Self, ExtendedHandshakeError> {
        let (value, _) = scan_prefix(payload, Limits::MESSAGE)?;
        let dict = value
            .as_dict()
            .ok_or(ExtendedHandshakeError::NotADictionary)?;
        Ok(Self {
            extensions: dict.dict("m").map(extensions).unwrap_or_default(),
            client: dict.bytes("v").map(text),
            port: dict.num("p").filter(|port| *port != 0),
            requests: dict.num("reqq"),
            your_ip: dict.bytes("yourip").and_then(ip),
            metadata_size: dict.num("metadata_size"),
            upload_only: dict.num("upload_only").map(|n: i64| n != 0),
            complete_ago: dict.num("complete_ago"),
        })
    }

    /// Encodes the payload; absent entries are omitted.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut names = Encoder::new();
        for (name, id) in &self.extensions {
            names.int(name, *id);
        }
        let mut dict = Encoder::new();
        dict.put("m", &names);
        for (key, number) in self.numbers() {
            dict.int(key, number);
        }
        for (key, bytes) in self.strings() {
            dict.bytes(key, bytes);
        }
        dict.finish()
    }

    fn numbers(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = [
            ("p", self.port.map(u64::from)),
            ("reqq", self.requests.map(u64::from)),
            ("metadata_size", self.metadata_size),
            ("upload_only", self.upload_only.map(u64::from)),
            ("complete_ago", self.complete_ago.map(u64::from)),
        ];
        all.into_iter()
            .filter_map(|(key, number)| Some((key, number?)))
    }

    fn strings(&self) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
        let your_ip = self.your_ip.map(|ip| match ip {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        });
        let all = [
            (
                "v",
                self.client
                    .as_ref()
                    .map(|client| client.as_bytes().to_vec()),
            ),
            ("yourip", your_ip),
        ];
        all.into_iter()
            .filter_map(|(key, bytes)| Some((key, bytes?)))
    }
}

fn extensions(m: Dict<'_>) -> SortedMap<String, u8> {
    let named = m.iter().filter_map(|(name, id)| {
        let name = std::str::from_utf8(name)
            .ok()
            .filter(|name| name.len() <= MAX_TEXT)?;
        Some((name.to_owned(), u8::try_from(id.as_int()?).ok()?))
    });
    named.take(MAX_NAMES).collect()
}

/// Cut first, since a replacement character takes three bytes for one.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..MAX_TEXT).unwrap_or(bytes)).into_owned()
}

/// An IP address of four or sixteen bytes.
fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
    use proptest::test_runner::Config;

    use super::*;

    fn handshake() -> impl Strategy<Value = ExtendedHandshake> {
        let extensions = proptest::collection::btree_map("[a-z_]{1,12}", any::<u8>(), 0..8);
        let client = proptest::option::of("[ -~]{0,40}");
        let numbers = any::<(Option<u16>, Option<u32>, Option<u32>, Option<u32>)>();
        (
            extensions,
            client,
            numbers,
            any::<(Option<IpAddr>, Option<bool>)>(),
        )
            .prop_map(|(extensions, client, numbers, (your_ip, upload_only))| {
                let (port, requests, size, complete_ago) = numbers;
                let (port, metadata_size) = (port.filter(|p| *p != 0), size.map(u64::from));
                ExtendedHandshake {
                    extensions: extensions.into_iter().collect(),
                    client,
                    port,
                    requests,
                    your_ip,
                    metadata_size,
                    upload_only,
                    complete_ago,
                }
            })
    }

    proptest! {
        #![proptest_config(Config { cases: 128, ..Config::default() })]

        #[test]
        fn a_handshake_is_read_as_it_was_written(handshake in handshake()) {
            prop_assert_eq!(ExtendedHandshake::decode(&handshake.encode()), Ok(handshake));
        }

        #[test]
        fn arbitrary_bytes_never_panic_and_what_is_kept_is_bounded(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let wrapped = [b"d1:md", &bytes[..], b"ee"].concat();
            for payload in [bytes, wrapped] {
                if let Ok(handshake) = ExtendedHandshake::decode(&payload) {
                    prop_assert!(handshake.extensions.len() <= MAX_NAMES);
                }
            }
        }
    }

    #[test]
    fn the_example_of_bep_10_is_read() {
        let payload = b"d1:md11:LT_metadatai1e6:\xb5T_PEXi2ee1:pi6881e1:v13:\xc2\xb5Torrent 1.2e";
        let handshake = ExtendedHandshake::decode(payload).unwrap();
        let known = [("LT_metadata".to_owned(), 1)];
        assert_eq!(
            handshake.extensions,
            SortedMap::from_iter(known),
            "the other name is no UTF-8"
        );
        assert_eq!(
            (handshake.port, handshake.client.as_deref()),
            (Some(6881), Some("\u{b5}Torrent 1.2"))
        );
    }

    #[test]
    fn entries_of_the_wrong_shape_count_as_absent() {
        let junk = b"d12:complete_agoi-1e1:md1:ai256e1:bi-1e1:cle1:d1:xe13:metadata_sizei-5e1:pi65536e4:reqqde11:upload_onlyle1:vi3e6:yourip3:abce";
        assert_eq!(
            ExtendedHandshake::decode(junk),
            Ok(ExtendedHandshake::default())
        );
        assert_eq!(
            ExtendedHandshake::decode(b"d1:mi0e1:pi0ee and more"),
            Ok(ExtendedHandshake::default())
        );
        assert_eq!(
            ExtendedHandshake::decode(b"le"),
            Err(ExtendedHandshakeError::NotADictionary)
        );
        assert!(matches!(
            ExtendedHandshake::decode(b"d"),
            Err(ExtendedHandshakeError::Bencode(_))
        ));
    }

    #[test]
    fn a_peer_that_names_thousands_of_extensions_is_remembered_in_part() {
        let extensions = (0..3000).map(|n| (format!("x{n}"), 1)).collect();
        let client = Some("\u{1}".repeat(70_000));
        let sent = ExtendedHandshake {
            extensions,
            client,
            ..ExtendedHandshake::default()
        };
        let read = ExtendedHandshake::decode(&sent.encode()).unwrap();
        assert_eq!(
            (read.extensions.len(), read.client.map(|c| c.len())),
            (MAX_NAMES, Some(MAX_TEXT))
        );
    }
}
