use bytes::BytesMut;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::Config;

use super::{Connection, Event};
use crate::types::{InfoHashV1, PeerId};
use crate::wire::testing::{encoded, message};
use crate::wire::{Handshake, Message, Reserved, WireError};

const OURS: Handshake = Handshake {
    reserved: Reserved::OURS,
    info_hash: InfoHashV1([1; 20]),
    peer_id: PeerId(*b"-AQ0100-abcdefghijkl"),
};
const THEIRS: Handshake = Handshake {
    reserved: Reserved([0; 8]),
    info_hash: InfoHashV1([1; 20]),
    peer_id: PeerId([b'r'; 20]),
};

/// Feeds `stream` in pieces of these sizes (round and round) and returns all that comes out.
fn feed(mut link: Connection, stream: &[u8], sizes: &[usize]) -> Vec<Result<Event, WireError>> {
    let mut out = Vec::new();
    let (mut buf, mut rest, mut sizes) = (BytesMut::new(), stream, sizes.iter().cycle());
    while !rest.is_empty() {
        let (now, later) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
        buf.extend_from_slice(now);
        rest = later;
        loop {
            match link.read(&mut buf) {
                Ok(Some(received)) => {
                    if matches!(
                        (&received, link.state),
                        (Event::Handshake(_), super::State::Answer)
                    ) {
                        assert_eq!(link.answer(OURS), OURS.encode());
                    }
                    out.push(Ok(received));
                }
                Ok(None) => break,
                Err(error) => {
                    out.push(Err(error));
                    return out;
                }
            }
        }
    }
    out
}

fn stream() -> impl Strategy<Value = (Vec<Message>, Vec<u8>)> {
    proptest::collection::vec(message(), 0..12).prop_map(|messages| {
        let tail: Vec<u8> = messages.iter().flat_map(encoded).collect();
        (messages, [&THEIRS.encode()[..], &tail].concat())
    })
}

proptest! {
    #![proptest_config(Config { cases: 128, ..Config::default() })]

    #[test]
    fn however_the_stream_is_cut_the_same_things_come_out(
        (messages, stream) in stream(),
        sizes in proptest::collection::vec(1_usize..80, 1..8),
        dialling in any::<bool>(),
    ) {
        let link = if dialling { Connection::dialling(OURS) } else { Connection::accepting() };
        let mut expected = vec![Ok(Event::Handshake(THEIRS))];
        expected.extend(messages.into_iter().map(|m| Ok(Event::Message(m))));
        prop_assert_eq!(&feed(link.clone(), &stream, &[stream.len()]), &expected);
        prop_assert_eq!(&feed(link.clone(), &stream, &[1]), &expected);
        prop_assert_eq!(&feed(link, &stream, &sizes), &expected);
    }

    #[test]
    fn arbitrary_bytes_say_the_same_however_they_are_cut(
        bytes in proptest::collection::vec(plausible_byte(), 0..200),
        sizes in proptest::collection::vec(1_usize..80, 1..8),
        state in 0..3,
    ) {
        let link = match state {
            0 => Connection::dialling(OURS),
            1 => Connection::accepting(),
            _ => Connection::established(),
        };
        let whole = feed(link.clone(), &bytes, &[bytes.len().max(1)]);
        prop_assert_eq!(&feed(link, &bytes, &sizes), &whole);
    }

    #[test]
    fn reading_exactly_what_is_wanted_never_reads_past_a_message((messages, stream) in stream()) {
        let (mut link, mut buf, mut at, mut got) = (Connection::dialling(OURS), BytesMut::new(), 0, 0);
        while at < stream.len() {
            let wanted = link.wanted(&buf);
            prop_assert!(wanted > 0);
            buf.extend_from_slice(&stream[at..at + wanted]);
            at += wanted;
            if link.read(&mut buf).unwrap().is_some() {
                got += 1;
                prop_assert!(buf.is_empty());
            }
        }
        prop_assert_eq!(got, messages.len() + 1);
    }
}

/// Mostly small numbers, so that lengths and ids are often plausible.
fn plausible_byte() -> impl Strategy<Value = u8> {
    proptest::prop_oneof![4 => proptest::prelude::Just(0_u8), 3 => 0_u8..22, 1 => any::<u8>()]
}

#[test]
fn the_protocols_name_is_wrong_at_its_first_wrong_byte() {
    for at in 0..20 {
        let mut bytes = THEIRS.encode();
        bytes[at] ^= 0x20;
        let read = |n: usize| Connection::accepting().read(&mut BytesMut::from(&bytes[..n]));
        assert_eq!(read(at), Ok(None));
        assert_eq!(read(at + 1), Err(WireError::Protocol));
        assert_eq!(read(68), Err(WireError::Protocol));
    }
}

#[test]
fn a_dialled_peer_of_another_torrent_is_refused_once_its_info_hash_is_there() {
    let other = Handshake {
        info_hash: InfoHashV1([2; 20]),
        ..THEIRS
    }
    .encode();
    let mut link = Connection::dialling(OURS);
    assert_eq!(link.read(&mut BytesMut::from(&other[..47])), Ok(None));
    let refused = link.read(&mut BytesMut::from(&other[..48]));
    assert_eq!(
        refused,
        Err(WireError::InfoHash {
            expected: OURS.info_hash,
            received: InfoHashV1([2; 20])
        })
    );
}

#[test]
fn nothing_behind_the_handshake_is_read_before_the_answer() {
    let mut buf = BytesMut::from(&THEIRS.encode()[..]);
    buf.extend_from_slice(&[0, 0, 0, 1, 2]);
    let mut link = Connection::accepting();
    assert_eq!(link.read(&mut buf), Ok(Some(Event::Handshake(THEIRS))));
    assert_eq!(link.read(&mut buf), Ok(None));
    assert_eq!(link.wanted(&buf), 0);
    assert_eq!(link.answer(OURS), OURS.encode());
    assert_eq!(
        link.read(&mut buf),
        Ok(Some(Event::Message(Message::Interested)))
    );
}

#[test]
fn an_error_stays() {
    let mut buf = BytesMut::from(&[0, 0, 0, 2, 0][..]);
    let mut link = Connection::established();
    let wrong = Err(WireError::Length {
        id: 0,
        expected: 1,
        received: 2,
    });
    assert_eq!(
        (link.read(&mut buf), link.read(&mut buf)),
        (wrong.clone(), wrong)
    );
    assert_eq!(link.wanted(&buf), 0);
}

/// Whether the last of the blocks that come, each with so many `have`s before it, is a copy with
/// memory of its own.
fn last_block_is_a_copy(haves: u32) -> bool {
    let mut link = Connection::established();
    let mut buf = BytesMut::new();
    for begin in 0..4 {
        (0..haves).for_each(|piece| buf.extend_from_slice(&encoded(&Message::Have(piece))));
        buf.extend_from_slice(&encoded(&Message::Piece {
            index: 0,
            begin: begin << 14,
            data: vec![7; 1 << 14].into(),
        }));
    }
    let mut last = None;
    while let Some(received) = link.read(&mut buf).unwrap() {
        last = Some(received);
    }
    let Some(Event::Message(Message::Piece { data, .. })) = last else {
        panic!("no block came last")
    };
    data.is_unique()
}

#[test]
fn a_block_among_much_else_does_not_keep_the_rest_in_memory() {
    assert!(!last_block_is_a_copy(0));
    assert!(!last_block_is_a_copy(1000));
    assert!(last_block_is_a_copy(4000));
}
