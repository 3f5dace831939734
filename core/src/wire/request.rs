//! `request`, `cancel` (BEP 3) and `reject request` (BEP 6): a block range.

use std::ops::RangeInclusive;

use bytes::{BufMut, BytesMut};

use super::RawBlock;
use super::fields::{numbers, put_head};

pub(super) const REQUEST: u8 = 6;
pub(super) const CANCEL: u8 = 8;
pub(super) const REJECT: u8 = 16;

pub(super) const LENGTHS: RangeInclusive<u32> = 13..=13;

pub(super) fn encode(out: &mut BytesMut, id: u8, block: RawBlock) {
    put_head(out, id, 12);
    out.put_u32(block.index);
    out.put_u32(block.begin);
    out.put_u32(block.length);
}

pub(super) fn decode(body: &[u8]) -> RawBlock {
    let [index, begin, length] = numbers(body);
    RawBlock {
        index,
        begin,
        length,
    }
}
