use bytes::{Bytes, BytesMut};
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::test_runner::Config;

use super::super::{Message, RawBlock, WireError};

fn block() -> impl Strategy<Value = RawBlock> {
    any::<(u32, u32, u32)>().prop_map(|(index, begin, length)| RawBlock {
        index,
        begin,
        length,
    })
}

fn bytes(most: usize) -> impl Strategy<Value = Bytes> {
    proptest::collection::vec(any::<u8>(), 0..most).prop_map(Bytes::from)
}

/// An arbitrary valid message.
pub(crate) fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        Just(Message::KeepAlive),
        Just(Message::Choke),
        Just(Message::Unchoke),
        Just(Message::Interested),
        Just(Message::NotInterested),
        Just(Message::HaveAll),
        Just(Message::HaveNone),
        any::<u32>().prop_map(Message::Have),
        any::<u32>().prop_map(Message::Suggest),
        any::<u32>().prop_map(Message::AllowedFast),
        any::<u16>().prop_map(Message::Port),
        block().prop_map(Message::Request),
        block().prop_map(Message::Cancel),
        block().prop_map(Message::Reject),
        bytes(300).prop_map(Message::Bitfield),
        (any::<u8>(), bytes(300)).prop_map(|(id, payload)| Message::Extended { id, payload }),
        (any::<u32>(), any::<u32>(), bytes(300)).prop_map(|(index, begin, data)| Message::Piece {
            index,
            begin,
            data
        }),
    ]
}

/// The encoded message, including the data of a piece.
pub(crate) fn encoded(message: &Message) -> BytesMut {
    let mut out = BytesMut::new();
    if let Some(data) = message.encode(&mut out) {
        out.extend_from_slice(&data);
    }
    out
}

/// Decodes a header that declares `length`, followed by one byte less than its body.
fn decode_header(id: u8, length: u32) -> Result<Option<Message>, WireError> {
    let mut buf = BytesMut::from(&length.to_be_bytes()[..]);
    buf.extend_from_slice(&[id]);
    Message::decode(&mut buf)
}

proptest! {
    #![proptest_config(Config { cases: 256, ..Config::default() })]

    #[test]
    fn every_message_is_read_as_it_was_written_and_is_as_long_as_it_says(message in message()) {
        let mut buf = encoded(&message);
        prop_assert_eq!(buf.len() as u64, message.wire_len());
        prop_assert_eq!(Message::missing(&buf), 0);
        prop_assert_eq!(Message::decode(&mut buf), Ok(Some(message)));
        prop_assert!(buf.is_empty());
    }

    #[test]
    fn a_message_that_is_cut_anywhere_is_waited_for_and_left_alone(message in message(), cut in 0_usize..1000) {
        let whole = encoded(&message);
        let mut buf = whole.clone();
        buf.truncate(whole.len() * cut / 1000);
        let before = buf.clone();
        prop_assert_eq!(Message::decode(&mut buf), Ok(None));
        prop_assert_eq!(&buf, &before);
        let missing = Message::missing(&buf);
        prop_assert!(missing > 0 && buf.len() + missing <= whole.len());
        if buf.len() > 4 {
            prop_assert_eq!(buf.len() + missing, whole.len());
        }
    }
}

#[test]
fn the_bytes_are_those_of_the_specifications() {
    let block = RawBlock {
        index: 1,
        begin: 0x4000,
        length: 0x4000,
    };
    let table: [(Message, &[u8]); 17] = [
        (Message::KeepAlive, &[0, 0, 0, 0]),
        (Message::Choke, &[0, 0, 0, 1, 0]),
        (Message::Unchoke, &[0, 0, 0, 1, 1]),
        (Message::Interested, &[0, 0, 0, 1, 2]),
        (Message::NotInterested, &[0, 0, 0, 1, 3]),
        (Message::Have(0x0102), &[0, 0, 0, 5, 4, 0, 0, 1, 2]),
        (
            Message::Bitfield(Bytes::from_static(&[0x80])),
            &[0, 0, 0, 2, 5, 0x80],
        ),
        (
            Message::Request(block),
            &[0, 0, 0, 13, 6, 0, 0, 0, 1, 0, 0, 0x40, 0, 0, 0, 0x40, 0],
        ),
        (
            Message::Piece {
                index: 2,
                begin: 3,
                data: Bytes::from_static(b"xy"),
            },
            &[0, 0, 0, 11, 7, 0, 0, 0, 2, 0, 0, 0, 3, b'x', b'y'],
        ),
        (
            Message::Cancel(block),
            &[0, 0, 0, 13, 8, 0, 0, 0, 1, 0, 0, 0x40, 0, 0, 0, 0x40, 0],
        ),
        (Message::Port(6881), &[0, 0, 0, 3, 9, 0x1a, 0xe1]),
        (Message::Suggest(7), &[0, 0, 0, 5, 13, 0, 0, 0, 7]),
        (Message::HaveAll, &[0, 0, 0, 1, 14]),
        (Message::HaveNone, &[0, 0, 0, 1, 15]),
        (
            Message::Reject(block),
            &[0, 0, 0, 13, 16, 0, 0, 0, 1, 0, 0, 0x40, 0, 0, 0, 0x40, 0],
        ),
        (Message::AllowedFast(7), &[0, 0, 0, 5, 17, 0, 0, 0, 7]),
        (
            Message::Extended {
                id: 3,
                payload: Bytes::from_static(b"de"),
            },
            &[0, 0, 0, 4, 20, 3, b'd', b'e'],
        ),
    ];
    for (message, wire) in table {
        assert_eq!(encoded(&message), wire, "{message:?}");
    }
}

#[test]
fn a_length_that_the_type_cannot_have_is_refused_from_the_header_alone() {
    for (id, expected) in [
        (0, 1),
        (3, 1),
        (14, 1),
        (15, 1),
        (4, 5),
        (13, 5),
        (17, 5),
        (6, 13),
        (8, 13),
        (16, 13),
        (9, 3),
    ] {
        for received in [expected - 1, expected + 1, u32::MAX]
            .into_iter()
            .filter(|n| *n > 0)
        {
            assert_eq!(
                decode_header(id, received),
                Err(WireError::Length {
                    id,
                    expected,
                    received
                })
            );
        }
    }
    for (id, limit) in [(5, 262_145), (7, 131_081), (20, 65_538), (99, 131_072)] {
        assert_eq!(decode_header(id, limit), Ok(None));
        assert_eq!(
            decode_header(id, limit + 1),
            Err(WireError::TooLong {
                id,
                limit,
                received: limit + 1
            })
        );
        assert_eq!(
            decode_header(id, u32::MAX),
            Err(WireError::TooLong {
                id,
                limit,
                received: u32::MAX
            })
        );
    }
    assert_eq!(
        decode_header(7, 8),
        Err(WireError::TooShort {
            id: 7,
            least: 9,
            received: 8
        })
    );
    assert_eq!(
        decode_header(20, 1),
        Err(WireError::TooShort {
            id: 20,
            least: 2,
            received: 1
        })
    );
}

#[test]
fn unknown_messages_are_skipped() {
    let mut buf = BytesMut::from(&[0, 0, 0, 3, 99, 1, 2, 0, 0, 0, 1, 200, 0, 0, 0, 1, 1][..]);
    assert_eq!(Message::decode(&mut buf), Ok(Some(Message::Unchoke)));
    assert_eq!(Message::decode(&mut buf), Ok(None));
}

#[test]
fn a_block_is_a_slice_of_the_receive_buffer_and_is_sent_without_a_copy() {
    let data = Bytes::from(vec![7; 16384]);
    let message = Message::Piece {
        index: 0,
        begin: 0,
        data: data.clone(),
    };
    let mut head = BytesMut::new();
    let behind = message.encode(&mut head).unwrap();
    assert_eq!((head.len(), behind.as_ptr()), (13, data.as_ptr()));

    let mut buf = encoded(&message);
    let at = buf[13..].as_ptr();
    let Ok(Some(Message::Piece { data, .. })) = Message::decode(&mut buf) else {
        panic!("a piece")
    };
    assert_eq!(data.as_ptr(), at);
}
