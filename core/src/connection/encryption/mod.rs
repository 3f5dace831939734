//! Message stream encryption (MSE, also called protocol encryption): a Diffie-Hellman exchange and
//! RC4 around a peer connection. No BEP describes it; the source is the specification in Vuze's
//! wiki. It only hides the protocol from simple filters: it does not authenticate peers, and RC4 is
//! weak.
//!
//! A is the dialling side, B the accepting side. `S` is the secret of the exchange, `SKEY` the
//! info-hash:
//!
//! 1. A: public key, up to 512 random bytes.
//! 2. B: the same.
//! 3. A: `SHA1("req1", S)`, `SHA1("req2", SKEY) xor SHA1("req3", S)`, then enciphered: eight zero
//!    bytes, the ciphers that A offers, padding, and the first bytes of what follows.
//! 4. B: enciphered: eight zero bytes, the cipher of B's choice, padding.
//!
//! From there on the stream is plaintext or encrypted, as B chose.

mod accepting;
mod dialling;
mod key;
mod protocol;

use bytes::BytesMut;

pub(super) use self::accepting::Accepting;
pub(super) use self::dialling::Dialling;
pub(super) use self::protocol::Step;
pub use self::protocol::{Encrypted, Encryption, UnknownEncryption, obfuscated};
use super::outgoing::Outgoing;
use crate::wire::WireError;

#[cfg(test)]
mod tests;

/// One side of the exchange.
#[derive(Debug)]
pub(super) enum Exchange {
    Dialling(Dialling),
    Accepting(Accepting),
}

impl Exchange {
    pub(super) fn poll(
        &mut self,
        input: &mut BytesMut,
        outgoing: &mut Outgoing,
    ) -> Result<Step, WireError> {
        match self {
            Self::Dialling(dialling) => dialling.poll(input, outgoing),
            Self::Accepting(accepting) => accepting.poll(input, outgoing),
        }
    }
}
