//! `piece` (BEP 3): a block of data.

use std::ops::RangeInclusive;

use bytes::{Buf, BufMut, BytesMut};

use super::Message;
use super::fields::{numbers, put_head};

pub(super) const PIECE: u8 = 7;

/// The maximum amount of data in a `piece`: 128 KiB. BEP 3 permits requests of other lengths than
/// 16 KiB, but clients do not serve more than this.
pub const MAX_BLOCK: u32 = 128 * 1024;

/// Id, index and offset precede the data.
pub(super) const LENGTHS: RangeInclusive<u32> = 9..=9 + MAX_BLOCK;

pub(super) fn encode_head(out: &mut BytesMut, index: u32, begin: u32, data: usize) {
    put_head(out, PIECE, data.saturating_add(8));
    out.put_u32(index);
    out.put_u32(begin);
}

pub(super) fn decode(mut body: BytesMut) -> Message {
    let [index, begin] = numbers(&body);
    body.advance(8.min(body.len()));
    Message::Piece {
        index,
        begin,
        data: body.freeze(),
    }
}
