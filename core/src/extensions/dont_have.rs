//! `lt_donthave` (BEP 54): the sender no longer has a piece that it announced. The payload is the
//! piece index in four bytes.

use bytes::Bytes;

use super::registry::{Effect, Extension, RemoteIds};
use crate::io::CloseReason;
use crate::types::Piece;
use crate::wire::Message;

/// Handles a message.
pub(super) fn handle(payload: &[u8]) -> Result<Effect, CloseReason> {
    let index = decode(payload);
    index.map(Effect::DontHave).ok_or(CloseReason::Misbehaved(
        "its lt_donthave is not four bytes long",
    ))
}

/// A message that we no longer have a piece, if the peer supports the extension.
pub(super) fn message(ids: &RemoteIds, piece: Piece) -> Option<Message> {
    ids.message(Extension::DontHave, encode(piece.get()))
}

/// Encodes the payload.
fn encode(index: u32) -> Bytes {
    Bytes::copy_from_slice(&index.to_be_bytes())
}

/// Decodes a payload; `None` if it does not have four bytes.
fn decode(payload: &[u8]) -> Option<u32> {
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
