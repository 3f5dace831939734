//! Words of four messages in one vector of wasm's SIMD instructions.

use core::arch::wasm32::{
    i8x16_shuffle, i32x4_shuffle, i64x2_shuffle, u32x4_add, u32x4_extract_lane, u32x4_shl,
    u32x4_shr, u32x4_splat, u64x2, v128, v128_and, v128_or, v128_xor,
};

use super::{Block, LANES};

pub(super) type Words = v128;

#[inline(always)]
pub(super) fn splat(word: u32) -> Words {
    u32x4_splat(word)
}

#[inline(always)]
pub(super) fn add(a: Words, b: Words) -> Words {
    u32x4_add(a, b)
}

#[inline(always)]
pub(super) fn xor(a: Words, b: Words) -> Words {
    v128_xor(a, b)
}

#[inline(always)]
pub(super) fn and(a: Words, b: Words) -> Words {
    v128_and(a, b)
}

#[inline(always)]
pub(super) fn or(a: Words, b: Words) -> Words {
    v128_or(a, b)
}

#[inline(always)]
pub(super) fn rotate(a: Words, bits: u32) -> Words {
    or(u32x4_shl(a, bits), u32x4_shr(a, 32 - bits))
}

/// The words of each message.
pub(super) fn to_arrays(words: Words) -> [u32; LANES] {
    [
        u32x4_extract_lane::<0>(words),
        u32x4_extract_lane::<1>(words),
        u32x4_extract_lane::<2>(words),
        u32x4_extract_lane::<3>(words),
    ]
}

/// The sixteen words of each block.
#[inline(always)]
pub(super) fn load(blocks: [&Block; LANES]) -> [Words; 16] {
    let [a, b, c, d] = [0, 1, 2, 3].map(|quarter| columns(blocks.map(|block| row(block, quarter))));
    let [a0, a1, a2, a3] = a;
    let [b0, b1, b2, b3] = b;
    let [c0, c1, c2, c3] = c;
    let [d0, d1, d2, d3] = d;
    [
        a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3,
    ]
}

/// Four words of one message, which are big-endian.
#[inline(always)]
fn row(block: &Block, quarter: usize) -> v128 {
    let (halves, _) = block.as_chunks::<8>();
    let half = |at: usize| u64::from_le_bytes(halves[at]);
    let bytes = u64x2(half(quarter * 2), half(quarter * 2 + 1));
    i8x16_shuffle::<3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12>(bytes, bytes)
}

/// From four words per message to four messages per word.
#[inline(always)]
fn columns([a, b, c, d]: [v128; LANES]) -> [Words; 4] {
    let (ab, ab_end) = (
        i32x4_shuffle::<0, 4, 1, 5>(a, b),
        i32x4_shuffle::<2, 6, 3, 7>(a, b),
    );
    let (cd, cd_end) = (
        i32x4_shuffle::<0, 4, 1, 5>(c, d),
        i32x4_shuffle::<2, 6, 3, 7>(c, d),
    );
    [
        i64x2_shuffle::<0, 2>(ab, cd),
        i64x2_shuffle::<1, 3>(ab, cd),
        i64x2_shuffle::<0, 2>(ab_end, cd_end),
        i64x2_shuffle::<1, 3>(ab_end, cd_end),
    ]
}
