//! Datagrams that a proxy relays (RFC 1928, section 7): a header with an address precedes each.

use super::{Destination, form};

/// Two reserved bytes and the number of the fragment.
const HEAD: [u8; 3] = [0; 3];

/// The longest header in bytes: that of a name.
pub const MAX_HEADER: usize = HEAD.len() + 2 + super::MAX_TEXT + 2;

/// A datagram that the proxy received for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Who sent it, according to the proxy.
    pub from: Destination,
    /// What was sent.
    pub payload: &'a [u8],
}

/// The bytes to send to the relay for a datagram to `to`.
#[must_use]
pub fn encapsulate(to: &Destination, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MAX_HEADER + payload.len());
    bytes.extend(HEAD);
    form::put(&mut bytes, to);
    bytes.extend(payload);
    bytes
}

impl<'a> Datagram<'a> {
    /// Reads what the relay sent. `None`: it is dropped, because it has no valid header, or is a
    /// fragment, which an implementation that does not reassemble them must drop.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&HEAD)?;
        let (from, payload) = form::take(rest)?;
        Some(Self { from, payload })
    }
}
