//! Two messages at a time with the cryptography extension of aarch64.
//!
//! A register holds four words, the first in its lowest part. `sha1c`, `sha1p` and `sha1m` do four
//! rounds with one of the three functions: they take A to D, E, and four words of the message with
//! the constant added to each, and return the new A to D. The new E is the A of before, rotated,
//! which `sha1h` does.

use std::arch::aarch64::{
    uint32x4_t, vaddq_u32, vdupq_n_u32, vgetq_lane_u32, vld1q_u8, vld1q_u32, vreinterpretq_u32_u8,
    vrev32q_u8, vsha1cq_u32, vsha1h_u32, vsha1mq_u32, vsha1pq_u32, vsha1su0q_u32, vsha1su1q_u32,
};
use std::arch::is_aarch64_feature_detected;

use super::{Block, State};

/// The same register of both messages.
type Pair = [uint32x4_t; 2];

/// Adds as many blocks to both messages. Returns whether the processor has the instructions;
/// otherwise nothing was done.
pub(super) fn compress_pair(states: [&mut State; 2], blocks: [&[Block]; 2]) -> bool {
    // What this name stands for includes the instructions for SHA-1.
    let can = is_aarch64_feature_detected!("sha2");
    if can {
        // SAFETY: the processor has what the function is compiled for.
        unsafe { compress(states, blocks) };
    }
    can
}

#[target_feature(enable = "sha2")]
fn compress([a, b]: [&mut State; 2], [a_blocks, b_blocks]: [&[Block]; 2]) {
    let mut abcd = [first_four(a), first_four(b)];
    let mut e = [a[4], b[4]];
    for (a_block, b_block) in a_blocks.iter().zip(b_blocks) {
        let rounds = Rounds::start(abcd, e, load(a_block, b_block))
            .next::<0>()
            .next_five::<1>()
            .next_five::<2>()
            .next_five::<3>();
        abcd = add(abcd, rounds.abcd);
        e = [
            e[0].wrapping_add(rounds.e[0]),
            e[1].wrapping_add(rounds.e[1]),
        ];
    }
    store(a, abcd[0], e[0]);
    store(b, abcd[1], e[1]);
}

/// Both messages between two groups of four rounds.
#[derive(Clone, Copy)]
struct Rounds {
    abcd: Pair,
    e: [u32; 2],
    /// The last sixteen words of the schedule.
    words: [Pair; 4],
}

impl Rounds {
    /// The first sixteen rounds, which take the block as it is.
    #[inline]
    #[target_feature(enable = "sha2")]
    fn start(abcd: Pair, e: [u32; 2], words: [Pair; 4]) -> Self {
        let [w0, w1, w2, w3] = words;
        let start = Self { abcd, e, words };
        start
            .rounds::<0>(w0)
            .rounds::<0>(w1)
            .rounds::<0>(w2)
            .rounds::<0>(w3)
    }

    /// Four more rounds, with the function of group `F` of twenty rounds.
    #[inline]
    #[target_feature(enable = "sha2")]
    fn next<const F: usize>(self) -> Self {
        let [w0, w1, w2, w3] = self.words;
        let word = schedule(w0, w1, w2, w3);
        let words = [w1, w2, w3, word];
        Self { words, ..self }.rounds::<F>(word)
    }

    #[inline]
    #[target_feature(enable = "sha2")]
    fn next_five<const F: usize>(self) -> Self {
        self.next::<F>()
            .next::<F>()
            .next::<F>()
            .next::<F>()
            .next::<F>()
    }

    /// Four rounds with these words.
    #[inline]
    #[target_feature(enable = "sha2")]
    fn rounds<const F: usize>(self, words: Pair) -> Self {
        let ([a, b], [a_e, b_e]) = (self.abcd, self.e);
        let [a_words, b_words] = words;
        Self {
            abcd: [
                four_rounds::<F>(a, a_e, a_words),
                four_rounds::<F>(b, b_e, b_words),
            ],
            e: [
                vsha1h_u32(vgetq_lane_u32::<0>(a)),
                vsha1h_u32(vgetq_lane_u32::<0>(b)),
            ],
            ..self
        }
    }
}

/// The functions and constants of each group of twenty rounds (FIPS 180-4, 4.1.1 and 4.2.1).
#[inline]
#[target_feature(enable = "sha2")]
fn four_rounds<const F: usize>(abcd: uint32x4_t, e: u32, words: uint32x4_t) -> uint32x4_t {
    let with = |constant| vaddq_u32(words, vdupq_n_u32(constant));
    match F {
        0 => vsha1cq_u32(abcd, e, with(0x5a82_7999)),
        1 => vsha1pq_u32(abcd, e, with(0x6ed9_eba1)),
        2 => vsha1mq_u32(abcd, e, with(0x8f1b_bcdc)),
        _ => vsha1pq_u32(abcd, e, with(0xca62_c1d6)),
    }
}

/// The next four words of the schedule, after these sixteen.
#[inline]
#[target_feature(enable = "sha2")]
fn schedule(w0: Pair, w1: Pair, w2: Pair, w3: Pair) -> Pair {
    [
        vsha1su1q_u32(vsha1su0q_u32(w0[0], w1[0], w2[0]), w3[0]),
        vsha1su1q_u32(vsha1su0q_u32(w0[1], w1[1], w2[1]), w3[1]),
    ]
}

#[inline]
#[target_feature(enable = "neon")]
fn add(x: Pair, y: Pair) -> Pair {
    [vaddq_u32(x[0], y[0]), vaddq_u32(x[1], y[1])]
}

/// The sixteen words of a block of each message.
#[inline]
#[target_feature(enable = "neon")]
fn load(a: &Block, b: &Block) -> [Pair; 4] {
    let [a0, a1, a2, a3] = words(a);
    let [b0, b1, b2, b3] = words(b);
    [[a0, b0], [a1, b1], [a2, b2], [a3, b3]]
}

#[inline]
#[target_feature(enable = "neon")]
fn words(block: &Block) -> [uint32x4_t; 4] {
    let from = block.as_ptr();
    // SAFETY: the block has four times 16 bytes, and the load takes any alignment.
    let [w0, w1, w2, w3] = unsafe {
        [
            vld1q_u8(from),
            vld1q_u8(from.add(16)),
            vld1q_u8(from.add(32)),
            vld1q_u8(from.add(48)),
        ]
    };
    [
        vreinterpretq_u32_u8(vrev32q_u8(w0)),
        vreinterpretq_u32_u8(vrev32q_u8(w1)),
        vreinterpretq_u32_u8(vrev32q_u8(w2)),
        vreinterpretq_u32_u8(vrev32q_u8(w3)),
    ]
}

/// A to D.
#[inline]
#[target_feature(enable = "neon")]
fn first_four(state: &State) -> uint32x4_t {
    // SAFETY: five words are more than four.
    unsafe { vld1q_u32(state.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn store(state: &mut State, abcd: uint32x4_t, e: u32) {
    *state = [
        vgetq_lane_u32::<0>(abcd),
        vgetq_lane_u32::<1>(abcd),
        vgetq_lane_u32::<2>(abcd),
        vgetq_lane_u32::<3>(abcd),
        e,
    ];
}
