//! Two messages at a time with the SHA extensions of x86-64.
//!
//! A register holds four words, the first in its highest part. `sha1rnds4` does four rounds: it
//! takes A to D, and four words of the message of which the first has E added to it; it returns the
//! new A to D. The new E is the A of four rounds before, rotated, which `sha1nexte` adds.

use std::arch::is_x86_feature_detected;
use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_extract_epi32, _mm_loadu_si128, _mm_set_epi8, _mm_set_epi32,
    _mm_sha1msg1_epu32, _mm_sha1msg2_epu32, _mm_sha1nexte_epu32, _mm_sha1rnds4_epu32,
    _mm_shuffle_epi8, _mm_xor_si128,
};

use super::{Block, State};

/// The same register of both messages.
type Pair = [__m128i; 2];

/// Adds as many blocks to both messages. Returns whether the processor has the instructions;
/// otherwise nothing was done.
pub(super) fn compress_pair(states: [&mut State; 2], blocks: [&[Block]; 2]) -> bool {
    let can = is_x86_feature_detected!("sha")
        && is_x86_feature_detected!("ssse3")
        && is_x86_feature_detected!("sse4.1");
    if can {
        // SAFETY: the processor has what the function is compiled for.
        unsafe { compress(states, blocks) };
    }
    can
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn compress([a, b]: [&mut State; 2], [a_blocks, b_blocks]: [&[Block]; 2]) {
    let mut abcd = [first_four(a), first_four(b)];
    let mut e = [last(a), last(b)];
    for (a_block, b_block) in a_blocks.iter().zip(b_blocks) {
        let rounds = Rounds::start(abcd, e, load(a_block, b_block))
            .next::<0>()
            .next_five::<1>()
            .next_five::<2>()
            .next_five::<3>();
        abcd = add(abcd, rounds.abcd);
        e = next_e(rounds.before, e);
    }
    store(a, abcd[0], e[0]);
    store(b, abcd[1], e[1]);
}

/// Both messages between two groups of four rounds.
#[derive(Clone, Copy)]
struct Rounds {
    abcd: Pair,
    /// `abcd` of four rounds before.
    before: Pair,
    /// The last sixteen words of the schedule.
    words: [Pair; 4],
}

impl Rounds {
    /// The first sixteen rounds, which take the block as it is.
    #[inline]
    #[target_feature(enable = "sha")]
    fn start(abcd: Pair, e: Pair, words: [Pair; 4]) -> Self {
        let [w0, w1, w2, w3] = words;
        let four = rounds::<0>(abcd, add(e, w0));
        let eight = rounds::<0>(four, next_e(abcd, w1));
        let twelve = rounds::<0>(eight, next_e(four, w2));
        Self {
            abcd: rounds::<0>(twelve, next_e(eight, w3)),
            before: twelve,
            words,
        }
    }

    /// Four more rounds, with the function of group `F` of twenty rounds.
    #[inline]
    #[target_feature(enable = "sha")]
    fn next<const F: i32>(self) -> Self {
        let [w0, w1, w2, w3] = self.words;
        let word = schedule(w0, w1, w2, w3);
        Self {
            abcd: rounds::<F>(self.abcd, next_e(self.before, word)),
            before: self.abcd,
            words: [w1, w2, w3, word],
        }
    }

    #[inline]
    #[target_feature(enable = "sha")]
    fn next_five<const F: i32>(self) -> Self {
        self.next::<F>()
            .next::<F>()
            .next::<F>()
            .next::<F>()
            .next::<F>()
    }
}

#[inline]
#[target_feature(enable = "sha")]
fn rounds<const F: i32>(abcd: Pair, words: Pair) -> Pair {
    [
        _mm_sha1rnds4_epu32::<F>(abcd[0], words[0]),
        _mm_sha1rnds4_epu32::<F>(abcd[1], words[1]),
    ]
}

/// Adds E to the first of four words, given A to D of four rounds before.
#[inline]
#[target_feature(enable = "sha")]
fn next_e(before: Pair, words: Pair) -> Pair {
    [
        _mm_sha1nexte_epu32(before[0], words[0]),
        _mm_sha1nexte_epu32(before[1], words[1]),
    ]
}

/// The next four words of the schedule, after these sixteen.
#[inline]
#[target_feature(enable = "sha")]
fn schedule(w0: Pair, w1: Pair, w2: Pair, w3: Pair) -> Pair {
    let first = [
        _mm_xor_si128(_mm_sha1msg1_epu32(w0[0], w1[0]), w2[0]),
        _mm_xor_si128(_mm_sha1msg1_epu32(w0[1], w1[1]), w2[1]),
    ];
    [
        _mm_sha1msg2_epu32(first[0], w3[0]),
        _mm_sha1msg2_epu32(first[1], w3[1]),
    ]
}

#[inline]
#[target_feature(enable = "sse2")]
fn add(x: Pair, y: Pair) -> Pair {
    [_mm_add_epi32(x[0], y[0]), _mm_add_epi32(x[1], y[1])]
}

/// The sixteen words of a block of each message.
#[inline]
#[target_feature(enable = "ssse3")]
fn load(a: &Block, b: &Block) -> [Pair; 4] {
    let [a0, a1, a2, a3] = words(a);
    let [b0, b1, b2, b3] = words(b);
    [[a0, b0], [a1, b1], [a2, b2], [a3, b3]]
}

#[inline]
#[target_feature(enable = "ssse3")]
fn words(block: &Block) -> [__m128i; 4] {
    let from: *const __m128i = block.as_ptr().cast();
    // Big-endian words, the first one highest: the bytes from last to first.
    let order = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    // SAFETY: the block has four times 16 bytes, and the load takes any alignment.
    let quarters = unsafe {
        [
            _mm_loadu_si128(from),
            _mm_loadu_si128(from.add(1)),
            _mm_loadu_si128(from.add(2)),
            _mm_loadu_si128(from.add(3)),
        ]
    };
    let [w0, w1, w2, w3] = quarters;
    [
        _mm_shuffle_epi8(w0, order),
        _mm_shuffle_epi8(w1, order),
        _mm_shuffle_epi8(w2, order),
        _mm_shuffle_epi8(w3, order),
    ]
}

/// A to D.
#[inline]
#[target_feature(enable = "sse2")]
fn first_four(state: &State) -> __m128i {
    let [a, b, c, d, _] = state.map(u32::cast_signed);
    _mm_set_epi32(a, b, c, d)
}

/// E, where it is added to the first of four words.
#[inline]
#[target_feature(enable = "sse2")]
fn last(state: &State) -> __m128i {
    let [.., e] = state.map(u32::cast_signed);
    _mm_set_epi32(e, 0, 0, 0)
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn store(state: &mut State, abcd: __m128i, e: __m128i) {
    let words = [
        _mm_extract_epi32::<3>(abcd),
        _mm_extract_epi32::<2>(abcd),
        _mm_extract_epi32::<1>(abcd),
        _mm_extract_epi32::<0>(abcd),
        _mm_extract_epi32::<3>(e),
    ];
    *state = words.map(i32::cast_unsigned);
}
