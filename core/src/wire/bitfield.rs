//! `bitfield` (BEP 3): one bit a piece, the first message or none.

use std::ops::RangeInclusive;

use bytes::BytesMut;

use super::fields::put_head;
use crate::types::MAX_PIECES;

pub(super) const BITFIELD: u8 = 5;

/// The torrent's own number of pieces is not known here (with a magnet link, to nobody yet); the
/// largest torrent's bounds it.
pub(super) const LENGTHS: RangeInclusive<u32> = 1..=1 + MAX_PIECES.div_ceil(8);

pub(super) fn encode(out: &mut BytesMut, bits: &[u8]) {
    put_head(out, BITFIELD, bits.len());
    out.extend_from_slice(bits);
}
