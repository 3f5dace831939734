//! What both sides of the exchange share: hashes, padding, the offer of ciphers.

use bytes::{Buf as _, BufMut as _, BytesMut};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use sha1::{Digest as _, Sha1};

use crate::connection::cipher::{Cipher, Incoming};
use crate::types::InfoHashV1;
use crate::wire::EncryptionError;

/// The most padding that each side may send in each of two places, bytes.
pub(super) const MAX_PADDING: usize = 512;

/// What stands before the choice of ciphers: it shows that both sides have the same key.
pub(super) const VERIFICATION: [u8; 8] = [0; 8];

/// The stream goes on in the clear.
pub(super) const PLAINTEXT: u32 = 1;
/// The stream goes on enciphered.
pub(super) const RC4: u32 = 2;

/// Whether connections are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// Never: a remote that starts encryption breaks the protocol.
    Off,
    /// As the remote likes.
    #[default]
    Allow,
    /// Always, with RC4 to the end.
    Require,
}

impl Encryption {
    /// The ciphers that are acceptable, as bits.
    pub(super) const fn ciphers(self) -> u32 {
        match self {
            Self::Off => 0,
            Self::Allow => PLAINTEXT | RC4,
            Self::Require => RC4,
        }
    }
}

/// How far the exchange got with the bytes at hand.
pub(in crate::connection) enum Step {
    /// More bytes are needed.
    Wait,
    /// The remote names a swarm by [`obfuscated`]; the driver looks for it.
    Sought([u8; 20]),
    /// It is over, or there is none. The rest of the input, and all that comes, is read through
    /// this.
    Done(Incoming),
}

/// How an encrypted connection names its swarm: `SHA1("req2", info_hash)`. Whoever does not know
/// the info-hash does not learn it.
#[must_use]
pub fn obfuscated(info_hash: InfoHashV1) -> [u8; 20] {
    hash(&[b"req2", &info_hash.0])
}

/// How the dialling side marks the end of its padding.
pub(super) fn mark(secret: &[u8]) -> [u8; 20] {
    hash(&[b"req1", secret])
}

/// Adds or takes away what hides the obfuscated info-hash.
pub(super) fn hide(obfuscated: [u8; 20], secret: &[u8]) -> [u8; 20] {
    let mut out = hash(&[b"req3", secret]);
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

/// Drops the input up to the end of `mark`, which follows padding; false: it is not there yet.
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

/// Takes `count` bytes off the input and deciphers them; `None` until all are there.
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

/// Appends padding of random length, its length before it. It is enciphered afterwards, so that
/// zeros are as good as any other bytes.
pub(super) fn put_padding(rng: &mut ChaCha8Rng, out: &mut BytesMut) {
    let length: u16 = rng.random_range(0..=512);
    out.put_u16(length);
    out.put_bytes(0, length.into());
}

/// The key stream of what the dialling side sends.
pub(super) fn cipher_of_dialling(secret: &[u8], info_hash: InfoHashV1) -> Cipher {
    Cipher::new(&hash(&[b"keyA", secret, &info_hash.0]))
}

/// The key stream of what the accepting side sends.
pub(super) fn cipher_of_accepting(secret: &[u8], info_hash: InfoHashV1) -> Cipher {
    Cipher::new(&hash(&[b"keyB", secret, &info_hash.0]))
}
