//! `extended` (BEP 10): a message of an extension, identified by the number that its receiver
//! assigned to it.

use std::ops::RangeInclusive;

use bytes::{Buf, BufMut, BytesMut};

use super::Message;
use super::fields::put_head;

pub(super) const EXTENDED: u8 = 20;

/// The maximum payload of an extended message: 64 KiB. A piece of metadata (BEP 9) has 16 KiB and a
/// small dictionary.
pub const MAX_EXTENDED: u32 = 64 * 1024;

/// Two ids precede the payload: that of `extended` and that of the extension.
pub(super) const LENGTHS: RangeInclusive<u32> = 2..=2 + MAX_EXTENDED;

pub(super) fn encode(out: &mut BytesMut, id: u8, payload: &[u8]) {
    put_head(out, EXTENDED, payload.len().saturating_add(1));
    out.put_u8(id);
    out.extend_from_slice(payload);
}

pub(super) fn decode(mut body: BytesMut) -> Message {
    let id = body.first().copied().unwrap_or_default();
    body.advance(1.min(body.len()));
    Message::Extended {
        id,
        payload: body.freeze(),
    }
}
