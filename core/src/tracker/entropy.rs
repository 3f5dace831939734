//! Random numbers, and the hash function of the tables.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::siphash::SipHash;

/// A generator that is initialised from one seed.
#[derive(Debug)]
pub(super) struct Entropy {
    rng: ChaCha8Rng,
    table: SipHash<1, 3>,
}

impl Entropy {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        let mut rng = ChaCha8Rng::from_seed(seed);
        let table = SipHash::new([rng.next_u64(), rng.next_u64()]);
        Self { rng, table }
    }

    /// A key for a hash in another module.
    pub(super) fn key(&mut self) -> [u64; 2] {
        [self.rng.next_u64(), self.rng.next_u64()]
    }

    /// A random number below `bound`; 0 if `bound` is 0. The bias is below 2⁻³² for every size that
    /// a table has.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let scaled = (u128::from(self.rng.next_u64()) * bound as u128) >> 64;
        usize::try_from(scaled).unwrap_or(0)
    }

    pub(super) fn hash(&self, bytes: &[u8]) -> u64 {
        self.table.hash(bytes)
    }
}
