//! Words of four messages without SIMD instructions, for tests outside browsers.

use std::array::from_fn;

use super::{Block, LANES};

pub(super) type Words = [u32; LANES];

pub(super) fn splat(word: u32) -> Words {
    [word; LANES]
}

pub(super) fn add(a: Words, b: Words) -> Words {
    from_fn(|lane| a[lane].wrapping_add(b[lane]))
}

pub(super) fn xor(a: Words, b: Words) -> Words {
    from_fn(|lane| a[lane] ^ b[lane])
}

pub(super) fn and(a: Words, b: Words) -> Words {
    from_fn(|lane| a[lane] & b[lane])
}

pub(super) fn or(a: Words, b: Words) -> Words {
    from_fn(|lane| a[lane] | b[lane])
}

pub(super) fn rotate(a: Words, bits: u32) -> Words {
    a.map(|word| word.rotate_left(bits))
}

pub(super) fn to_arrays(words: Words) -> [u32; LANES] {
    words
}

pub(super) fn load(blocks: [&Block; LANES]) -> [Words; 16] {
    from_fn(|at| blocks.map(|block| u32::from_be_bytes(block.as_chunks().0[at])))
}
