//! SHA-1 of pieces, two at a time, on as many threads as there are cores.
//!
//! One message after the other keeps a processor's SHA unit busy for about two thirds of the time:
//! each instruction waits for the result of the one before. Two independent messages in one loop
//! fill the gaps ([`digest_pair`], [`Hasher::update_pair`]); more than two add nothing.

mod hasher;
mod lanes;
mod pieces;

use aqueduct_core::Rope;
use aqueduct_core::types::Sha1Digest;
use sha1::{Digest as _, Sha1};

pub use self::hasher::Hasher;
pub use self::pieces::{Batch, Buffers, every_piece};

/// The number of bytes to read before hashing them, so that they are still in the core's cache,
/// those of a second piece too.
pub const CHUNK: usize = 128 * 1024;

/// SHA-1 of bytes in memory.
#[must_use]
pub fn of_bytes(bytes: &[u8]) -> Sha1Digest {
    Sha1::digest(bytes).into()
}

/// SHA-1 of the slices of a piece in memory.
#[must_use]
pub fn of_rope(data: &Rope) -> Sha1Digest {
    let mut hasher = Hasher::default();
    data.0.iter().for_each(|bytes| hasher.update(bytes));
    hasher.finish()
}

/// SHA-1 of two pieces in memory, in about two thirds of the time that they take one after the
/// other. They may be of different lengths, and be cut into slices differently.
#[must_use]
pub fn digest_pair(a: &Rope, b: &Rope) -> [Sha1Digest; 2] {
    let (mut a_hasher, mut b_hasher) = (Hasher::default(), Hasher::default());
    let (mut a_slices, mut b_slices) = (a.0.iter(), b.0.iter());
    let (mut a_bytes, mut b_bytes): (&[u8], &[u8]) = (&[], &[]);
    loop {
        let common = a_bytes.len().min(b_bytes.len());
        let ((a_now, a_later), (b_now, b_later)) =
            (a_bytes.split_at(common), b_bytes.split_at(common));
        Hasher::update_pair([&mut a_hasher, &mut b_hasher], [a_now, b_now]);
        (a_bytes, b_bytes) = (a_later, b_later);
        let (slices, bytes) = if a_bytes.is_empty() {
            (&mut a_slices, &mut a_bytes)
        } else {
            (&mut b_slices, &mut b_bytes)
        };
        let Some(next) = slices.next() else { break };
        *bytes = next;
    }
    a_hasher.update(a_bytes);
    a_slices.for_each(|bytes| a_hasher.update(bytes));
    b_hasher.update(b_bytes);
    b_slices.for_each(|bytes| b_hasher.update(bytes));
    [a_hasher.finish(), b_hasher.finish()]
}

#[cfg(test)]
mod tests;
