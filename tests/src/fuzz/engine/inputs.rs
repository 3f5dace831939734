//! Messages that peers may send to the engine, valid or not.

use aqueduct_core::connection::{Line, Transport};
use aqueduct_core::extensions::ExtendedHandshake;
use aqueduct_core::meta::Magnet;
use aqueduct_core::types::{InfoHash, PeerId, Piece};
use aqueduct_core::wire::{Message, RawBlock, Reserved};
use aqueduct_core::{Handshaken, Instant, PriorityRange};
use bytes::{Bytes, BytesMut};

use super::torrent::TORRENT;

pub(super) fn piece(index: u32) -> Piece {
    TORRENT
        .lengths()
        .piece(index)
        .expect("only pieces of the torrent are spoken of")
}

pub(super) fn handshake(from: u8, fast: bool, extended: bool) -> Handshaken {
    let reserved = Reserved([
        0,
        0,
        0,
        0,
        0,
        if extended { 0x10 } else { 0 },
        0,
        if fast { 0x04 } else { 0 },
    ]);
    Handshaken {
        info_hash: TORRENT.info.info_hash.wire(),
        peer_id: PeerId([from; 20]),
        reserved,
        line: Line::clear(Transport::Tcp),
    }
}

pub(super) fn magnet(info_hash: InfoHash) -> Magnet {
    Magnet {
        info_hash,
        name: None,
        trackers: Vec::new(),
        web_seeds: Vec::new(),
        peers: vec![([1, 2, 3, 4], 5).into()],
        select: None,
    }
}

/// A block message. If `right` is false, one byte is changed. Bytes outside the torrent are zero.
pub(super) fn block(raw: RawBlock, right: bool) -> Message {
    let lengths = TORRENT.lengths();
    let offset = lengths
        .piece(raw.index)
        .map(|piece| lengths.offset(piece) + u64::from(raw.begin));
    let there = offset.and_then(|offset| TORRENT.slice(offset, raw.length.into()));
    let mut data =
        BytesMut::from(&there.unwrap_or_else(|| Bytes::from(vec![0; raw.length as usize]))[..]);
    if let (Some(byte), false) = (data.first_mut(), right) {
        *byte ^= 1;
    }
    Message::Piece {
        index: raw.index,
        begin: raw.begin,
        data: data.freeze(),
    }
}

pub(super) fn hello() -> Message {
    let extensions = [
        ("ut_metadata".to_owned(), 3),
        ("ut_pex".to_owned(), 4),
        ("lt_donthave".to_owned(), 5),
    ]
    .into_iter()
    .collect();
    let metadata_size = Some(TORRENT.info.raw.len() as u64);
    let hello = ExtendedHandshake {
        extensions,
        metadata_size,
        requests: Some(4),
        ..ExtendedHandshake::default()
    };
    Message::Extended {
        id: 0,
        payload: hello.encode().into(),
    }
}

/// A `ut_metadata` data message (BEP 9) with our extension id, 1.
pub(super) fn metadata(block: u8, right: bool) -> Message {
    let raw = &TORRENT.info.raw;
    let head = format!(
        "d8:msg_typei1e5:piecei{}e10:total_sizei{}ee",
        block % 2,
        raw.len()
    );
    let mut payload = [head.as_bytes(), raw].concat();
    if let (Some(byte), false) = (payload.last_mut(), right) {
        *byte ^= 1;
    }
    Message::Extended {
        id: 1,
        payload: payload.into(),
    }
}

/// Zero, one or two ranges, which may extend beyond the end of the torrent.
pub(super) fn ranges(first: u8, length: u8) -> Vec<PriorityRange> {
    let start = u64::from(first) * 1024;
    let range = PriorityRange {
        start,
        end: start + u64::from(length) * 1024,
        deadline: Instant::from_micros(1),
    };
    [range, PriorityRange::ALL]
        .into_iter()
        .take(usize::from(length % 3))
        .collect()
}
