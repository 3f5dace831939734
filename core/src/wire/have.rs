//! `have` (BEP 3), `suggest piece` and `allowed fast` (BEP 6): a piece index.

use std::ops::RangeInclusive;

use bytes::{BufMut, BytesMut};

use super::fields::{numbers, put_head};

pub(super) const HAVE: u8 = 4;
pub(super) const SUGGEST: u8 = 13;
pub(super) const ALLOWED_FAST: u8 = 17;

pub(super) const LENGTHS: RangeInclusive<u32> = 5..=5;

pub(super) fn encode(out: &mut BytesMut, id: u8, index: u32) {
    put_head(out, id, 4);
    out.put_u32(index);
}

pub(super) fn decode(body: &[u8]) -> u32 {
    let [index] = numbers(body);
    index
}
