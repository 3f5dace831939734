//! Fields that all messages share: length and id, followed by 32-bit numbers.

use bytes::{BufMut, BytesMut};

/// The first `N` numbers of a body whose length has been checked.
pub(super) fn numbers<const N: usize>(body: &[u8]) -> [u32; N] {
    let mut numbers = [0; N];
    for (number, bytes) in numbers.iter_mut().zip(body.as_chunks().0) {
        *number = u32::from_be_bytes(*bytes);
    }
    numbers
}

/// Writes length and id; `body` is the number of bytes that follow.
pub(super) fn put_head(out: &mut BytesMut, id: u8, body: usize) {
    out.put_u32(u32::try_from(body.saturating_add(1)).unwrap_or(u32::MAX));
    out.put_u8(id);
}
