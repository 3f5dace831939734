//! SHA-1 (RFC 3174) of four messages of one length at a time, since each round of one message waits
//! for the one before it.

#[cfg_attr(target_arch = "wasm32", path = "words_simd.rs")]
#[cfg_attr(not(target_arch = "wasm32"), path = "words_portable.rs")]
mod words;

use self::words::{Words, add, and, load, or, rotate, splat, to_arrays, xor};

/// The number of messages.
pub(super) const LANES: usize = 4;
/// The length of a block in bytes.
pub(super) const BLOCK: usize = 64;

type Block = [u8; BLOCK];

const START: [u32; 5] = [
    0x6745_2301,
    0xefcd_ab89,
    0x98ba_dcfe,
    0x1032_5476,
    0xc3d2_e1f0,
];

/// The state of four digests.
pub(super) struct Sha1Lanes([Words; 5]);

impl Sha1Lanes {
    pub(super) fn new() -> Self {
        Self(START.map(splat))
    }

    /// Adds whole blocks; bytes beyond the last one are ignored.
    #[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
    pub(super) fn update(&mut self, messages: [&[u8]; LANES]) {
        let [a, b, c, d] = messages.map(|message| message.as_chunks().0);
        for (((a, b), c), d) in a.iter().zip(b).zip(c).zip(d) {
            self.0 = compress(self.0, [a, b, c, d]);
        }
    }

    /// Adds the last bytes, fewer than a block per message, and the length of a whole message.
    pub(super) fn finish(mut self, rest: [&[u8]; LANES], length: u64) -> [[u8; 20]; LANES] {
        let ends = rest.map(|rest| last_blocks(rest, length));
        self.update(ends.each_ref().map(|end| &end[..]));
        let words = self.0.map(to_arrays);
        std::array::from_fn(|lane| {
            let mut digest = [0; 20];
            let (bytes, _) = digest.as_chunks_mut();
            for (bytes, word) in bytes.iter_mut().zip(words) {
                *bytes = word[lane].to_be_bytes();
            }
            digest
        })
    }
}

/// A bit 1, zeros up to the last eight bytes of a block, and the length in bits.
fn last_blocks(rest: &[u8], length: u64) -> Vec<u8> {
    let mut end = rest.to_vec();
    end.push(0x80);
    end.resize((end.len() + 8).next_multiple_of(BLOCK) - 8, 0);
    end.extend((length * 8).to_be_bytes());
    end
}

/// One step per number, each written out, so that the indices of words are known.
macro_rules! steps {
    ($state:ident, $words:ident, $mix:expr, $constant:literal, $($at:literal)*) => { $(
        let [a, b, c, d, e] = $state;
        if $at >= 16 {
            let earlier = xor($words[($at + 13) % 16], $words[($at + 8) % 16]);
            let even_earlier = xor($words[($at + 2) % 16], $words[$at % 16]);
            $words[$at % 16] = rotate(xor(earlier, even_earlier), 1);
        }
        let added = add(add(e, $words[$at % 16]), splat($constant));
        let next = add(add(rotate(a, 5), $mix(b, c, d)), added);
        let $state = [next, a, rotate(b, 30), c, d];
    )* };
}

#[inline(always)]
fn choose(b: Words, c: Words, d: Words) -> Words {
    xor(d, and(b, xor(c, d)))
}

#[inline(always)]
fn parity(b: Words, c: Words, d: Words) -> Words {
    xor(xor(b, c), d)
}

#[inline(always)]
fn majority(b: Words, c: Words, d: Words) -> Words {
    or(and(b, c), and(d, or(b, c)))
}

#[rustfmt::skip]
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
fn compress(before: [Words; 5], blocks: [&Block; LANES]) -> [Words; 5] {
    let (mut words, state) = (load(blocks), before);
    steps!(state, words, choose, 0x5a82_7999, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19);
    steps!(state, words, parity, 0x6ed9_eba1, 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39);
    steps!(state, words, majority, 0x8f1b_bcdc, 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59);
    steps!(state, words, parity, 0xca62_c1d6, 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79);
    let [a, b, c, d, e] = state;
    let [a0, b0, c0, d0, e0] = before;
    [add(a, a0), add(b, b0), add(c, c0), add(d, d0), add(e, e0)]
}

#[cfg(test)]
mod tests {
    use sha1::{Digest, Sha1};

    use super::*;

    #[test]
    fn each_lane_has_the_digest_of_its_own_message_whatever_the_length() {
        for length in [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000] {
            let byte = |lane: usize, at: usize| (at * 31 + lane * 7 + length).to_le_bytes()[0];
            let messages: [Vec<u8>; LANES] =
                std::array::from_fn(|lane| (0..length).map(|at| byte(lane, at)).collect());
            let whole = length / BLOCK * BLOCK;
            let mut lanes = Sha1Lanes::new();
            lanes.update(messages.each_ref().map(|message| &message[..whole]));
            let digests = lanes.finish(
                messages.each_ref().map(|message| &message[whole..]),
                length as u64,
            );
            let expected = messages.map(|message| <[u8; 20]>::from(Sha1::digest(message)));
            assert_eq!(digests, expected, "{length} bytes");
        }
    }
}
