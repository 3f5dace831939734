//! Parts of the exchange that both sides share: hashes, padding, and cipher offers.

use std::fmt;
use std::str::FromStr;

use bytes::{Buf as _, BufMut as _, BytesMut};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use sha1::{Digest as _, Sha1};

use super::key::{MAX_PADDING, Secret};
use crate::connection::cipher::{Cipher, Incoming};
use crate::types::InfoHashV1;
use crate::wire::EncryptionError;

/// The verification constant before the choice of ciphers. It shows that both sides have the same
/// key.
pub(super) const VERIFICATION: [u8; 8] = [0; 8];

/// The stream continues as plaintext.
pub(super) const PLAINTEXT: u32 = 1;
/// The stream continues encrypted with RC4.
pub(super) const RC4: u32 = 2;

/// Whether peer connections are encrypted. In text and configuration files: `off`, `allow`,
/// `require`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// Never. A remote side that starts encryption violates the protocol.
    Off,
    /// Optional: the remote side decides.
    #[default]
    Allow,
    /// Always, with RC4 for the whole stream.
    Require,
}

/// A text that names no [`Encryption`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of allow, require and off")]
pub struct UnknownEncryption(String);

impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Allow => "allow",
            Self::Require => "require",
        })
    }
}

impl FromStr for Encryption {
    type Err = UnknownEncryption;

    fn from_str(text: &str) -> Result<Self, UnknownEncryption> {
        [Self::Off, Self::Allow, Self::Require]
            .into_iter()
            .find(|mode| mode.to_string() == text)
            .ok_or_else(|| UnknownEncryption(text.to_owned()))
    }
}

impl Encryption {
    /// The acceptable ciphers as a bit set.
    pub(super) const fn ciphers(self) -> u32 {
        match self {
            Self::Off => 0,
            Self::Allow => PLAINTEXT | RC4,
            Self::Require => RC4,
        }
    }
}

/// What of a connection is encrypted, as both sides agreed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Encrypted {
    /// Nothing.
    #[default]
    Nothing,
    /// The handshake. The accepting side chose plaintext for what follows.
    Handshake,
    /// Everything, with RC4.
    Everything,
}

/// The progress of the exchange with the available bytes.
pub(in crate::connection) enum Step {
    /// More bytes are needed.
    Wait,
    /// The remote side sent its [`obfuscated`] info-hash, which the driver must look up.
    Sought([u8; 20]),
    /// The exchange is complete or was not needed. The remaining and all further input is read
    /// through this.
    Done(Incoming, Encrypted),
}

/// The identification of a swarm on encrypted connections: `SHA1("req2", info_hash)`. It does not
/// reveal the info-hash.
#[must_use]
pub fn obfuscated(info_hash: InfoHashV1) -> [u8; 20] {
    hash(&[b"req2", &info_hash.0])
}

/// The marker with which the dialling side ends its padding.
pub(super) fn mark(secret: &Secret) -> [u8; 20] {
    hash(&[b"req1", secret.as_bytes()])
}

/// Applies or removes the mask over the obfuscated info-hash.
pub(super) fn hide(obfuscated: [u8; 20], secret: &Secret) -> [u8; 20] {
    let mut out = hash(&[b"req3", secret.as_bytes()]);
    for (byte, other) in out.iter_mut().zip(obfuscated) {
        *byte ^= other;
    }
    out
}

fn hash(parts: &[&[u8]]) -> [u8; 20] {
    let hash = parts
        .iter()
        .fold(Sha1::new(), |hash, part| hash.chain_update(part));
    hash.finalize().into()
}

/// Removes the input up to and including `mark`, which follows padding. False if it has not arrived
/// yet.
pub(super) fn skip_past(input: &mut BytesMut, mark: &[u8]) -> Result<bool, EncryptionError> {
    let limit = MAX_PADDING + mark.len();
    let searched = input.get(..limit).unwrap_or(input);
    match searched
        .windows(mark.len())
        .position(|window| window == mark)
    {
        Some(at) => {
            input.advance(at + mark.len());
            Ok(true)
        }
        None if input.len() >= limit => Err(EncryptionError::Unsynchronised { limit: MAX_PADDING }),
        None => Ok(false),
    }
}

/// Removes `count` bytes from the input and decrypts them. `None` until all have arrived.
pub(super) fn take(input: &mut BytesMut, count: usize, cipher: &mut Cipher) -> Option<BytesMut> {
    if input.len() < count {
        return None;
    }
    let mut bytes = input.split_to(count);
    cipher.apply(&mut bytes);
    Some(bytes)
}

pub(super) fn padding_length(bytes: &mut BytesMut) -> Result<usize, EncryptionError> {
    let received = usize::from(bytes.get_u16());
    match received {
        ..=MAX_PADDING => Ok(received),
        _ => Err(EncryptionError::Padding {
            limit: MAX_PADDING,
            received,
        }),
    }
}

/// Appends padding of random length, preceded by its length. It is encrypted afterwards, so zeros
/// are sufficient.
pub(super) fn put_padding(rng: &mut ChaCha8Rng, out: &mut BytesMut) {
    let length: u16 = rng.random_range(0..=512);
    out.put_u16(length);
    out.put_bytes(0, length.into());
}

/// The key stream of the dialling side's output.
pub(super) fn cipher_of_dialling(secret: &Secret, info_hash: InfoHashV1) -> Cipher {
    Cipher::new(&hash(&[b"keyA", secret.as_bytes(), &info_hash.0]))
}

/// The key stream of the accepting side's output.
pub(super) fn cipher_of_accepting(secret: &Secret, info_hash: InfoHashV1) -> Cipher {
    Cipher::new(&hash(&[b"keyB", secret.as_bytes(), &info_hash.0]))
}
