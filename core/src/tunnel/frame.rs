//! Frames: kind (u8), number (u32), length (u32), payload. A message contains all frames that are
//! ready.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::error::Fault;
pub use super::kind::Kind;

/// The length of a frame's header in bytes.
pub const HEADER: usize = 9;
/// The maximum payload of a frame: 64 KiB.
pub const MAX_PAYLOAD: usize = 64 * 1024;
/// The maximum length of a received message: 1 MiB.
pub const MAX_MESSAGE: usize = 1024 * 1024;
/// The length at which a message being packed is closed: 256 KiB. It may be longer by at most one
/// frame.
pub const TARGET_MESSAGE: usize = 256 * 1024;

/// A frame. Its payload is a slice of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The kind of the frame.
    pub kind: Kind,
    /// The number of the join or stream; 0 for the session.
    pub id: u32,
    /// At most [`MAX_PAYLOAD`] bytes.
    pub payload: Bytes,
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The kind of the frame.
    pub kind: Kind,
    /// The number of the join or stream; 0 for the session.
    pub id: u32,
    /// The length of the payload, at most [`MAX_PAYLOAD`] bytes.
    pub length: usize,
}

impl Header {
    /// Parses a header.
    ///
    /// # Errors
    /// The frame is too long or of unknown kind.
    pub fn parse([byte, i, j, k, l, m, n, o, p]: [u8; HEADER]) -> Result<Self, Fault> {
        let kind = Kind::from_wire(byte).ok_or(Fault::UnknownKind(byte))?;
        let declared = u32::from_be_bytes([m, n, o, p]);
        let length = usize::try_from(declared).ok().filter(|&n| n <= MAX_PAYLOAD);
        Ok(Self {
            kind,
            id: u32::from_be_bytes([i, j, k, l]),
            length: length.ok_or(Fault::FrameTooLong {
                kind,
                limit: MAX_PAYLOAD,
                received: declared,
            })?,
        })
    }
}

/// Checks the length of a message before its frames are parsed.
///
/// # Errors
/// The message is empty, or longer than [`MAX_MESSAGE`].
pub const fn check_length(length: usize) -> Result<(), Fault> {
    match length {
        0 => Err(Fault::EmptyMessage),
        received if received > MAX_MESSAGE => Err(Fault::MessageTooLong {
            limit: MAX_MESSAGE,
            received,
        }),
        _ => Ok(()),
    }
}

/// Removes the next frame from a message; `None` at its end.
///
/// # Errors
/// The message ends inside the frame, or the frame is too long or of unknown kind.
pub fn next(message: &mut Bytes) -> Result<Option<Frame>, Fault> {
    if message.is_empty() {
        return Ok(None);
    }
    let Some(header) = message.first_chunk().copied() else {
        return Err(Fault::CutHeader {
            expected: HEADER,
            received: message.len(),
        });
    };
    let Header { kind, id, length } = Header::parse(header)?;
    message.advance(HEADER);
    if message.len() < length {
        return Err(cut(kind, length, message.len()));
    }
    Ok(Some(Frame {
        kind,
        id,
        payload: message.split_to(length),
    }))
}

/// The fault of a message that ends inside a frame, after this many bytes of its payload.
#[must_use]
pub fn cut(kind: Kind, length: usize, received: usize) -> Fault {
    Fault::CutFrame {
        kind,
        expected: u32::try_from(length).unwrap_or(u32::MAX),
        received,
    }
}

/// Appends a frame whose payload is appended by `write`; the length is filled in afterwards.
/// Returns the result of `write`.
pub(super) fn put<R>(
    out: &mut BytesMut,
    kind: Kind,
    id: u32,
    write: impl FnOnce(&mut BytesMut) -> R,
) -> R {
    out.reserve(HEADER);
    out.put_u8(kind as u8);
    out.put_u32(id);
    out.put_u32(0);
    let start = out.len();
    let result = write(out);
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(field) = out.get_mut(start - 4..start) {
        field.copy_from_slice(&length.to_be_bytes());
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn frames_come_out_of_a_message_as_they_went_in(frames in proptest::collection::vec((0usize..Kind::ALL.len(), any::<u32>(), proptest::collection::vec(any::<u8>(), 0..300)), 0..20)) {
            let mut out = BytesMut::new();
            for (kind, id, payload) in &frames {
                put(&mut out, Kind::ALL[*kind], *id, |out| out.put_slice(payload));
            }
            let mut message = out.freeze();
            for (kind, id, payload) in frames {
                let expected = Frame { kind: Kind::ALL[kind], id, payload: payload.into() };
                prop_assert_eq!(next(&mut message).unwrap(), Some(expected));
            }
            prop_assert_eq!(next(&mut message).unwrap(), None);
        }

        #[test]
        fn arbitrary_bytes_are_frames_or_a_fault(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let mut message = Bytes::from(bytes);
            while let Ok(Some(_)) = next(&mut message) {}
        }
    }

    #[test]
    fn a_frame_is_refused_by_its_declared_length_alone() {
        let mut message = Bytes::from_static(&[32, 0, 0, 0, 1, 0, 1, 0, 1]);
        assert_eq!(
            next(&mut message),
            Err(Fault::FrameTooLong {
                kind: Kind::Data,
                limit: MAX_PAYLOAD,
                received: 65_537
            })
        );
    }

    #[test]
    fn a_frame_cut_short_names_both_lengths() {
        let mut message = Bytes::from_static(&[32, 0, 0, 0, 1, 0, 0, 0, 4, 1, 2]);
        assert_eq!(
            next(&mut message),
            Err(Fault::CutFrame {
                kind: Kind::Data,
                expected: 4,
                received: 2
            })
        );
        assert_eq!(
            next(&mut Bytes::from_static(&[32, 0])),
            Err(Fault::CutHeader {
                expected: 9,
                received: 2
            })
        );
    }
}
