//! `bitfield` (BEP 3): one bit per piece. It may only be the first message.

use std::ops::RangeInclusive;

use bytes::BytesMut;

use super::fields::put_head;
use crate::types::MAX_PIECES;

pub(super) const BITFIELD: u8 = 5;

/// The maximum is that of the largest torrent, since the number of pieces is not known here (and
/// not at all with a magnet link).
pub(super) const LENGTHS: RangeInclusive<u32> = 1..=1 + MAX_PIECES.div_ceil(8);

pub(super) fn encode(out: &mut BytesMut, bits: &[u8]) {
    put_head(out, BITFIELD, bits.len());
    out.extend_from_slice(bits);
}
