//! The compression function of SHA-1, for one message and for two at a time.
//!
//! One message is left to the `sha1` crate. Two are interleaved where the processor has
//! instructions for SHA-1, which is found out at run time; elsewhere the crate takes one after the
//! other. Each processor has a file with `compress_pair`, which returns whether it did anything.

#[cfg(target_arch = "aarch64")]
#[expect(
    unsafe_code,
    reason = "the processor's SHA instructions may only be used where it has them, which the compiler cannot know"
)]
#[path = "aarch64.rs"]
mod processor;
#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
#[path = "other.rs"]
mod processor;
#[cfg(target_arch = "x86_64")]
#[expect(
    unsafe_code,
    reason = "the processor's SHA instructions may only be used where it has them, which the compiler cannot know"
)]
#[path = "x86_64.rs"]
mod processor;

pub(super) use sha1::block_api::compress;

/// The length of a block in bytes.
pub(super) const BLOCK: usize = 64;
/// What is compressed at once.
pub(super) type Block = [u8; BLOCK];
/// The chaining value.
pub(super) type State = [u32; 5];

/// The chaining value of an empty message (FIPS 180-4, 5.3.1).
pub(super) const INITIAL: State = [
    0x6745_2301,
    0xefcd_ab89,
    0x98ba_dcfe,
    0x1032_5476,
    0xc3d2_e1f0,
];

/// Adds blocks to two messages: to both at a time as long as both have some, then to the longer one.
pub(super) fn compress_pair([a, b]: [&mut State; 2], [a_blocks, b_blocks]: [&[Block]; 2]) {
    let common = a_blocks.len().min(b_blocks.len());
    let (a_common, a_rest) = a_blocks.split_at(common);
    let (b_common, b_rest) = b_blocks.split_at(common);
    if !processor::compress_pair([a, b], [a_common, b_common]) {
        compress(a, a_common);
        compress(b, b_common);
    }
    compress(a, a_rest);
    compress(b, b_rest);
}
