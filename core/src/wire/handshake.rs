//! The handshake (BEP 3): the first 68 bytes in each direction.

use super::{Reserved, WireError};
use crate::types::{InfoHashV1, PeerId};

/// The length of a handshake in bytes.
pub const HANDSHAKE_LEN: usize = 68;

/// The protocol's name, preceded by its length.
const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";

/// Where the capabilities begin: behind the protocol's name.
pub(crate) const RESERVED_AT: usize = PROTOCOL.len();

/// The offset of the peer id, after the info-hash.
pub(crate) const PEER_ID_AT: usize = 48;

/// The handshake, which each side sends first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The reserved bytes, which announce capabilities.
    pub reserved: Reserved,
    /// The info-hash of the swarm; for a v2 torrent truncated to 20 bytes (BEP 52).
    pub info_hash: InfoHashV1,
    /// The sender's peer id.
    pub peer_id: PeerId,
}

impl Handshake {
    /// Encodes the handshake.
    #[must_use]
    pub fn encode(&self) -> [u8; HANDSHAKE_LEN] {
        let mut out = [0; HANDSHAKE_LEN];
        let parts = [
            &PROTOCOL[..],
            &self.reserved.0,
            &self.info_hash.0,
            &self.peer_id.0,
        ];
        for (to, from) in out.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        out
    }

    /// Decodes a handshake; `None` until 68 bytes have arrived. Data after them are ignored.
    ///
    /// # Errors
    /// [`WireError::Protocol`], as soon as a byte differs from the protocol's name.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, WireError> {
        let Some(info_hash) = Self::decode_info_hash(bytes)? else {
            return Ok(None);
        };
        let handshake = take::<8>(bytes, 20).zip(take::<20>(bytes, PEER_ID_AT));
        Ok(handshake.map(|(reserved, peer_id)| Self {
            reserved: Reserved(reserved),
            info_hash,
            peer_id: PeerId(peer_id),
        }))
    }

    /// Decodes only the info-hash, which may arrive earlier: some peers send their id only after
    /// they have received ours. `None` until 48 bytes have arrived.
    ///
    /// # Errors
    /// [`WireError::Protocol`], as soon as a byte differs from the protocol's name.
    pub fn decode_info_hash(bytes: &[u8]) -> Result<Option<InfoHashV1>, WireError> {
        if bytes
            .iter()
            .zip(PROTOCOL)
            .any(|(came, named)| came != named)
        {
            return Err(WireError::Protocol);
        }
        Ok(take(bytes, PEER_ID_AT - 20).map(InfoHashV1))
    }
}

fn take<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
