//! Node ids and the distance between them (BEP 5).

use std::fmt;
use std::net::SocketAddr;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::types::InfoHashV1;

/// The length of an id in bits.
pub const BITS: usize = 160;

/// The id of a node, or the target of a lookup: 160 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub [u8; 20]);

/// The XOR of two ids, compared as a big-endian number (BEP 5): smaller is closer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Distance([u8; 20]);

impl Distance {
    /// The maximum distance.
    pub(super) const FARTHEST: Self = Self([0xff; 20]);
}

impl NodeId {
    /// A random id.
    pub(super) fn random(rng: &mut ChaCha8Rng) -> Self {
        let mut id = [0; 20];
        rng.fill_bytes(&mut id);
        Self(id)
    }

    /// The distance to `other`.
    #[must_use]
    pub fn distance(&self, other: &Self) -> Distance {
        Distance(std::array::from_fn(|i| self.0[i] ^ other.0[i]))
    }

    /// The number of leading bits that both share, from 0 to [`BITS`].
    #[must_use]
    pub fn shared_bits(&self, other: &Self) -> usize {
        let Distance(xor) = self.distance(other);
        let zeros = xor.iter().take_while(|byte| **byte == 0).count();
        zeros * 8
            + xor
                .get(zeros)
                .map_or(0, |byte| byte.leading_zeros() as usize)
    }

    /// A random id that shares exactly `bits` leading bits with this one: the target of a bucket's
    /// refresh (BEP 5).
    pub(super) fn neighbour(&self, bits: usize, rng: &mut ChaCha8Rng) -> Self {
        let mut id = Self::random(rng);
        for bit in 0..=bits.min(BITS - 1) {
            let (byte, mask) = (bit / 8, 0x80 >> (bit % 8));
            let ours = self.0[byte] & mask;
            id.0[byte] = (id.0[byte] & !mask) | if bit == bits { ours ^ mask } else { ours };
        }
        id
    }
}

impl From<InfoHashV1> for NodeId {
    /// Info-hashes and node ids are in the same key space.
    fn from(hash: InfoHashV1) -> Self {
        Self(hash.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        InfoHashV1(self.0).fmt(f)
    }
}

/// A node's id and address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contact {
    /// The node's id.
    pub id: NodeId,
    /// The node's UDP address.
    pub addr: SocketAddr,
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn neighbours_share_exactly_the_bits_that_were_asked_for() {
        let mut rng = ChaCha8Rng::from_seed([1; 32]);
        let id = NodeId::random(&mut rng);
        for bits in 0..BITS {
            assert_eq!(id.shared_bits(&id.neighbour(bits, &mut rng)), bits);
        }
        assert_eq!(id.shared_bits(&id), BITS);
    }

    #[test]
    fn distance_compares_as_a_number() {
        let id = |first, last| {
            let mut bytes = [0; 20];
            (bytes[0], bytes[19]) = (first, last);
            NodeId(bytes)
        };
        let zero = id(0, 0);
        assert!(zero.distance(&id(0, 255)) < zero.distance(&id(1, 0)));
        assert_eq!(id(7, 9).distance(&id(7, 9)), zero.distance(&zero));
        assert!(zero.distance(&id(0xff, 0xff)) < Distance::FARTHEST);
    }
}
