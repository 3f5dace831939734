//! Encoding and decoding of messages.

use std::ops::RangeInclusive;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{Message, WireError, bitfield, extended, fast, have, piece, port, request, state};

/// The maximum length of a message of unknown type, including its id: 128 KiB. Up to it such
/// messages are skipped; longer ones are an error.
pub const MAX_UNKNOWN: u32 = 128 * 1024;

/// The size of the length prefix of every message, in bytes.
const PREFIX: usize = 4;

/// The header of a message. Its length has been checked against its type.
#[derive(Clone, Copy)]
struct Header {
    /// The number of bytes after the length: id and body. 0 is a keep-alive, which has no id.
    length: usize,
    id: Option<u8>,
}

impl Header {
    /// Reads the header without consuming it. `None` until length and id have arrived.
    fn peek(buf: &[u8]) -> Result<Option<Self>, WireError> {
        let Some((prefix, rest)) = buf.split_first_chunk() else {
            return Ok(None);
        };
        match (u32::from_be_bytes(*prefix), rest.first()) {
            (0, _) => Ok(Some(Self {
                length: 0,
                id: None,
            })),
            (_, None) => Ok(None),
            (length, Some(&id)) => {
                check(id, length)?;
                Ok(Some(Self {
                    length: length as usize,
                    id: Some(id),
                }))
            }
        }
    }

    const fn total(self) -> usize {
        PREFIX + self.length
    }
}

/// Rejects a length that the type does not permit, before the body arrives.
fn check(id: u8, received: u32) -> Result<(), WireError> {
    let lengths = lengths(id);
    let (least, most) = (*lengths.start(), *lengths.end());
    match received {
        _ if lengths.contains(&received) => Ok(()),
        _ if least == most => Err(WireError::Length {
            id,
            expected: least,
            received,
        }),
        _ if received < least => Err(WireError::TooShort {
            id,
            least,
            received,
        }),
        _ => Err(WireError::TooLong {
            id,
            limit: most,
            received,
        }),
    }
}

/// The permitted lengths of a type, including the id.
const fn lengths(id: u8) -> RangeInclusive<u32> {
    match id {
        state::CHOKE..=state::NOT_INTERESTED | fast::HAVE_ALL | fast::HAVE_NONE => state::LENGTHS,
        have::HAVE | have::SUGGEST | have::ALLOWED_FAST => have::LENGTHS,
        bitfield::BITFIELD => bitfield::LENGTHS,
        request::REQUEST | request::CANCEL | request::REJECT => request::LENGTHS,
        piece::PIECE => piece::LENGTHS,
        port::PORT => port::LENGTHS,
        extended::EXTENDED => extended::LENGTHS,
        _ => 1..=MAX_UNKNOWN,
    }
}

impl Message {
    /// Removes the next message from `buf`. `None` until the message is complete. Unknown types up
    /// to [`MAX_UNKNOWN`] are skipped, since extensions may add types (BEP 3). The message shares
    /// the buffer's memory.
    ///
    /// # Errors
    /// The type does not permit the length. This is detected from the first five bytes; `buf` is
    /// not changed.
    pub fn decode(buf: &mut BytesMut) -> Result<Option<Self>, WireError> {
        while let Some(header) = Header::peek(buf)? {
            if buf.len() < header.total() {
                return Ok(None);
            }
            buf.advance(PREFIX);
            let Some(id) = header.id else {
                return Ok(Some(Self::KeepAlive));
            };
            let mut body = buf.split_to(header.length);
            body.advance(1);
            if let Some(message) = Self::from_body(id, body) {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// The number of bytes that complete the message at the start of `buf`: 0 if it is complete or
    /// invalid, at most 4 while the length is incomplete.
    #[must_use]
    pub fn missing(buf: &[u8]) -> usize {
        match Header::peek(buf) {
            Ok(Some(header)) => header.total().saturating_sub(buf.len()),
            Ok(None) => PREFIX.saturating_sub(buf.len()).max(1),
            Err(_) => 0,
        }
    }

    /// Decodes a body; `None` for an unknown type.
    fn from_body(id: u8, body: BytesMut) -> Option<Self> {
        Some(match id {
            state::CHOKE => Self::Choke,
            state::UNCHOKE => Self::Unchoke,
            state::INTERESTED => Self::Interested,
            state::NOT_INTERESTED => Self::NotInterested,
            have::HAVE => Self::Have(have::decode(&body)),
            bitfield::BITFIELD => Self::Bitfield(body.freeze()),
            request::REQUEST => Self::Request(request::decode(&body)),
            piece::PIECE => piece::decode(body),
            request::CANCEL => Self::Cancel(request::decode(&body)),
            port::PORT => Self::Port(port::decode(&body)),
            have::SUGGEST => Self::Suggest(have::decode(&body)),
            fast::HAVE_ALL => Self::HaveAll,
            fast::HAVE_NONE => Self::HaveNone,
            request::REJECT => Self::Reject(request::decode(&body)),
            have::ALLOWED_FAST => Self::AllowedFast(have::decode(&body)),
            extended::EXTENDED => extended::decode(body),
            _ => return None,
        })
    }

    /// Appends the encoded message to `head`, except the data of a [`Message::Piece`]. These are
    /// returned, to be sent directly after it without a copy.
    #[must_use = "a piece's data follow its head"]
    pub fn encode(&self, head: &mut BytesMut) -> Option<Bytes> {
        match self {
            Self::KeepAlive => head.put_u32(0),
            Self::Choke => state::encode(head, state::CHOKE),
            Self::Unchoke => state::encode(head, state::UNCHOKE),
            Self::Interested => state::encode(head, state::INTERESTED),
            Self::NotInterested => state::encode(head, state::NOT_INTERESTED),
            Self::Have(index) => have::encode(head, have::HAVE, *index),
            Self::Bitfield(bits) => bitfield::encode(head, bits),
            Self::Request(block) => request::encode(head, request::REQUEST, *block),
            Self::Piece { index, begin, data } => {
                piece::encode_head(head, *index, *begin, data.len());
                return Some(data.clone());
            }
            Self::Cancel(block) => request::encode(head, request::CANCEL, *block),
            Self::Port(port) => port::encode(head, *port),
            Self::Suggest(index) => have::encode(head, have::SUGGEST, *index),
            Self::HaveAll => state::encode(head, fast::HAVE_ALL),
            Self::HaveNone => state::encode(head, fast::HAVE_NONE),
            Self::Reject(block) => request::encode(head, request::REJECT, *block),
            Self::AllowedFast(index) => have::encode(head, have::ALLOWED_FAST, *index),
            Self::Extended { id, payload } => extended::encode(head, *id, payload),
        }
        None
    }

    /// Whether the message belongs to the fast extension (BEP 6), which both sides must have
    /// announced.
    #[must_use]
    pub fn is_fast(&self) -> bool {
        matches!(
            self,
            Self::Suggest(_)
                | Self::HaveAll
                | Self::HaveNone
                | Self::Reject(_)
                | Self::AllowedFast(_)
        )
    }

    /// The encoded length in bytes, including the length prefix.
    #[must_use]
    pub fn wire_len(&self) -> u64 {
        let after_prefix = match self {
            Self::KeepAlive => 0,
            Self::Choke
            | Self::Unchoke
            | Self::Interested
            | Self::NotInterested
            | Self::HaveAll
            | Self::HaveNone => 1,
            Self::Have(_) | Self::Suggest(_) | Self::AllowedFast(_) => 5,
            Self::Bitfield(bits) => 1 + bits.len(),
            Self::Request(_) | Self::Cancel(_) | Self::Reject(_) => 13,
            Self::Piece { data, .. } => 9 + data.len(),
            Self::Port(_) => 3,
            Self::Extended { payload, .. } => 2 + payload.len(),
        };
        (PREFIX + after_prefix) as u64
    }
}

#[cfg(test)]
pub(crate) mod tests;
