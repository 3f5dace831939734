//! `port` (BEP 5): the UDP port of the peer's DHT node.

use std::ops::RangeInclusive;

use bytes::{BufMut, BytesMut};

use super::fields::put_head;

pub(super) const PORT: u8 = 9;

pub(super) const LENGTHS: RangeInclusive<u32> = 3..=3;

pub(super) fn encode(out: &mut BytesMut, port: u16) {
    put_head(out, PORT, 2);
    out.put_u16(port);
}

pub(super) fn decode(body: &[u8]) -> u16 {
    body.first_chunk()
        .map_or(0, |bytes| u16::from_be_bytes(*bytes))
}
