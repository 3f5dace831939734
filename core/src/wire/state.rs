//! `choke`, `unchoke`, `interested`, `not interested` (BEP 3): an id without a body.

use std::ops::RangeInclusive;

use bytes::BytesMut;

use super::fields::put_head;

pub(super) const CHOKE: u8 = 0;
pub(super) const UNCHOKE: u8 = 1;
pub(super) const INTERESTED: u8 = 2;
pub(super) const NOT_INTERESTED: u8 = 3;

pub(super) const LENGTHS: RangeInclusive<u32> = 1..=1;

pub(super) fn encode(out: &mut BytesMut, id: u8) {
    put_head(out, id, 0);
}
