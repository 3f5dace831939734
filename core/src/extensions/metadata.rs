//! `ut_metadata` (BEP 9): sending the `info` dictionary to peers and receiving it. This is the
//! state for one peer; the swarm decides which peers are asked.

use bytes::Bytes;

use super::registry::{Effect, Extension, RemoteIds, View};
use crate::bencode::{Encoder, Limits, scan_prefix};

/// The length of every block but the last, in bytes (BEP 9).
pub(crate) const BLOCK: u32 = 16 * 1024;

/// Handles a message.
pub(super) fn handle(ids: &RemoteIds, view: &View<'_>, payload: &Bytes) -> Effect {
    match MetadataMessage::decode(payload) {
        Some(MetadataMessage::Request(block)) => serve(ids, view, block),
        Some(MetadataMessage::Data { block, data }) => Effect::MetadataBlock { block, data },
        Some(MetadataMessage::Reject(_)) => Effect::MetadataRejected,
        None => Effect::Nothing,
    }
}

/// A block of our metadata, or a reject. A request of a peer whose queue is full is rejected
/// immediately.
fn serve(ids: &RemoteIds, view: &View<'_>, block: u32) -> Effect {
    let raw = view.metadata.cloned().unwrap_or_default();
    let data = MetadataMessage::serve(&raw, block).filter(|_| view.has_room);
    let message = |message: MetadataMessage| {
        ids.message(Extension::Metadata, message.encode(raw.len() as u64))
    };
    let Some(data) = data else {
        return Effect::Refuse(message(MetadataMessage::Reject(block)));
    };
    let answer = message(data);
    Effect::Send(
        answer
            .into_iter()
            .map(|message| (view.from.0, message))
            .collect(),
    )
}

/// A message of the extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MetadataMessage {
    /// Type 0: requests a block.
    Request(u32),
    /// Type 1: a block; its bytes follow the dictionary.
    Data {
        /// The index of the block.
        block: u32,
        /// The bytes of the block.
        data: Bytes,
    },
    /// Type 2: the block will not be sent.
    Reject(u32),
}

impl MetadataMessage {
    /// Decodes a payload. `None` if it is malformed or of an unknown type, which must be ignored
    /// (BEP 9).
    pub(crate) fn decode(payload: &Bytes) -> Option<Self> {
        let (value, rest) = scan_prefix(payload, Limits::MESSAGE).ok()?;
        let dict = value.as_dict()?;
        let block = dict.num("piece")?;
        match dict.num::<u8>("msg_type")? {
            0 => Some(Self::Request(block)),
            1 => Some(Self::Data {
                block,
                data: payload.slice_ref(rest),
            }),
            2 => Some(Self::Reject(block)),
            _ => None,
        }
    }

    /// Encodes a payload. `total` is the size of the whole metadata in bytes, which is sent with
    /// data.
    pub(crate) fn encode(&self, total: u64) -> Bytes {
        let mut dict = Encoder::new();
        let (kind, block, data) = match self {
            Self::Request(block) => (0, block, None),
            Self::Data { block, data } => (1, block, Some(data)),
            Self::Reject(block) => (2, block, None),
        };
        dict.int("msg_type", kind).int("piece", *block);
        if data.is_some() {
            dict.int("total_size", total);
        }
        let mut payload = dict.finish();
        payload.extend(data.into_iter().flatten());
        payload.into()
    }

    /// The requested block of our metadata, if it exists.
    pub(crate) fn serve(raw: &Bytes, block: u32) -> Option<Self> {
        let start = (block as usize)
            .checked_mul(BLOCK as usize)
            .filter(|&s| s < raw.len())?;
        let data = raw.slice(start..raw.len().min(start + BLOCK as usize));
        Some(Self::Data { block, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_as_they_were_written() {
        let data = MetadataMessage::Data {
            block: 3,
            data: Bytes::from_static(b"xyz"),
        };
        for message in [
            MetadataMessage::Request(0),
            data,
            MetadataMessage::Reject(7),
        ] {
            assert_eq!(MetadataMessage::decode(&message.encode(100)), Some(message));
        }
        assert_eq!(
            MetadataMessage::decode(&Bytes::from_static(b"d8:msg_typei9e5:piecei0ee")),
            None
        );
        assert_eq!(MetadataMessage::decode(&Bytes::from_static(b"llll")), None);
    }
}
