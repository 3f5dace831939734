//! `lt_donthave` (BEP 54): the sender no longer has a piece that it announced. The payload is the piece's index in four bytes.

use bytes::Bytes;

/// Writes the payload.
pub(crate) fn encode(index: u32) -> Bytes {
    Bytes::copy_from_slice(&index.to_be_bytes())
}

/// Reads a payload; `None`: not four bytes.
pub(crate) fn decode(payload: &[u8]) -> Option<u32> {
    payload.try_into().map(u32::from_be_bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_four_bytes_and_nothing_else() {
        assert_eq!(encode(0x0102_0304)[..], [1, 2, 3, 4]);
        assert_eq!(decode(&encode(77)), Some(77));
        assert_eq!((decode(&[1, 2, 3]), decode(&[0; 5])), (None, None));
    }
}
