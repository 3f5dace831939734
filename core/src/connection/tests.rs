use std::io::IoSlice;

use bytes::{Bytes, BytesMut};
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::Config;

use super::{Connection, Event, Reason};
use crate::types::{InfoHashV1, Instant, PeerId};
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
mod encryption;

const DEADLINE: Instant = Instant::from_micros(10_000_000);

fn dial() -> Connection {
    Connection::dial(OURS, DEADLINE)
}

fn accept() -> Connection {
    Connection::accept(DEADLINE)
}

/// When the accepting side answers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    /// As soon as it knows the info-hash.
    Early,
    /// After it also knows the remote side's peer id.
    Late,
}

/// Feeds `stream` in chunks of these sizes (repeatedly) and returns all events.
fn feed(
    mut connection: Connection,
    answer: Answer,
    stream: &[u8],
    sizes: &[usize],
) -> Vec<Result<Event, WireError>> {
    let mut out = Vec::new();
    let (mut buf, mut rest, mut sizes) = (BytesMut::new(), stream, sizes.iter().cycle());
    while !rest.is_empty() {
        let (now, later) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
        buf.extend_from_slice(now);
        rest = later;
        loop {
            match connection.poll_event(&mut buf) {
                Ok(Some(event)) => {
                    let at_once = matches!(event, Event::Wanted(_)) && answer == Answer::Early;
                    if at_once || matches!(event, Event::Handshaken(_)) {
                        connection.answer(OURS);
                    }
                    out.push(Ok(event));
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

fn answer() -> impl Strategy<Value = Answer> {
    any::<bool>().prop_map(|early| if early { Answer::Early } else { Answer::Late })
}

/// Mostly small numbers, so that lengths and ids are often plausible.
fn plausible_byte() -> impl Strategy<Value = u8> {
    proptest::prop_oneof![4 => proptest::prelude::Just(0_u8), 3 => 0_u8..22, 1 => any::<u8>()]
}

proptest! {
    #![proptest_config(Config { cases: 128, ..Config::default() })]

    #[test]
    fn however_the_stream_is_cut_the_same_things_come_out(
        (messages, stream) in stream(),
        sizes in proptest::collection::vec(1_usize..80, 1..8),
        answer in answer(),
        dialling in any::<bool>(),
    ) {
        let (connection, mut expected): (fn() -> Connection, _) = if dialling {
            (dial, vec![])
        } else {
            (accept, vec![Ok(Event::Wanted(THEIRS.info_hash))])
        };
        expected.push(Ok(Event::Handshaken(THEIRS)));
        expected.extend(messages.into_iter().map(|m| Ok(Event::Message(m))));
        prop_assert_eq!(&feed(connection(), answer, &stream, &[stream.len()]), &expected);
        prop_assert_eq!(&feed(connection(), answer, &stream, &[1]), &expected);
        prop_assert_eq!(&feed(connection(), answer, &stream, &sizes), &expected);
    }

    #[test]
    fn arbitrary_bytes_say_the_same_however_they_are_cut(
        bytes in proptest::collection::vec(plausible_byte(), 0..200),
        shaken in any::<bool>(),
        sizes in proptest::collection::vec(1_usize..80, 1..8),
        answer in answer(),
        state in 0_usize..3,
    ) {
        let connection = [dial, accept, Connection::established][state];
        let bytes = if shaken { [&THEIRS.encode()[..], &bytes].concat() } else { bytes };
        let whole = feed(connection(), answer, &bytes, &[bytes.len().max(1)]);
        prop_assert_eq!(&feed(connection(), answer, &bytes, &sizes), &whole);
    }

    #[test]
    fn reading_exactly_what_is_missing_never_reads_past_a_message(
        (messages, stream) in stream(),
        dialling in any::<bool>(),
    ) {
        let mut connection = if dialling { dial() } else { accept() };
        let (mut buf, mut at, mut got) = (BytesMut::new(), 0, 0);
        while at < stream.len() {
            let missing = connection.missing(&buf);
            prop_assert!(missing > 0);
            buf.extend_from_slice(&stream[at..at + missing]);
            at += missing;
            match connection.poll_event(&mut buf).unwrap() {
                Some(Event::Wanted(_)) => connection.answer(OURS),
                Some(_) => {
                    got += 1;
                    prop_assert!(buf.is_empty());
                }
                None => {}
            }
        }
        prop_assert_eq!(got, messages.len() + 1);
    }

    #[test]
    fn messages_leave_as_they_were_queued_however_much_the_transport_takes(
        messages in proptest::collection::vec((message(), any::<bool>()), 0..12),
        sizes in proptest::collection::vec(1_usize..5000, 1..8),
    ) {
        let (mut connection, mut written) = (dial(), Vec::new());
        let mut expected = OURS.encode().to_vec();
        let mut sizes = sizes.iter().cycle();
        for (message, write) in &messages {
            connection.send(message);
            expected.extend(encoded(message));
            if *write {
                write_once(&mut connection, *sizes.next().unwrap(), &mut written);
            }
        }
        while !connection.is_flushed() {
            write_once(&mut connection, *sizes.next().unwrap(), &mut written);
        }
        prop_assert_eq!(written, expected);
    }

    #[test]
    fn whatever_comes_the_deadline_of_the_handshakes_stays(
        bytes in proptest::collection::vec(any::<u8>(), 0..100),
        shaken in 0_usize..68,
        dialling in any::<bool>(),
    ) {
        let mut connection = if dialling { dial() } else { accept() };
        let mut buf = BytesMut::new();
        for byte in THEIRS.encode()[..shaken].iter().chain(&bytes) {
            buf.extend_from_slice(&[*byte]);
            if !matches!(connection.poll_event(&mut buf), Ok(None | Some(Event::Wanted(_)))) {
                break;
            }
            prop_assert_eq!(connection.poll_timeout().map(|(at, _)| at), Some(DEADLINE));
        }
    }
}

fn write_once(connection: &mut Connection, room: usize, written: &mut Vec<u8>) {
    let mut slices = [IoSlice::new(&[]); 3];
    let count = connection.poll_transmit(&mut slices);
    let offered = slices[..count].iter().flat_map(|slice| slice.iter());
    let before = written.len();
    written.extend(offered.take(room));
    connection.handle_written(written.len() - before);
}

#[test]
fn a_block_is_sent_without_a_copy_of_its_data() {
    let mut connection = Connection::established();
    let data = Bytes::from(vec![7; 1 << 14]);
    connection.send(&Message::Have(3));
    connection.send(&Message::Piece {
        index: 0,
        begin: 0,
        data: data.clone(),
    });
    let mut slices = [IoSlice::new(&[]); 8];
    assert_eq!(connection.poll_transmit(&mut slices), 2);
    assert_eq!(slices[0].len(), 9 + 13);
    assert_eq!(slices[1].as_ptr(), data.as_ptr());
}

#[test]
fn a_received_block_is_a_slice_of_the_buffer_that_it_was_read_into() {
    let block = Message::Piece {
        index: 0,
        begin: 0,
        data: vec![7; 1 << 14].into(),
    };
    let mut buf = BytesMut::from(&encoded(&block)[..]);
    let address = buf[13..].as_ptr();
    match Connection::established().poll_event(&mut buf) {
        Ok(Some(Event::Message(Message::Piece { data, .. }))) => {
            assert_eq!(data.as_ptr(), address)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_protocols_name_is_wrong_at_its_first_wrong_byte() {
    for at in 0..20 {
        let mut bytes = THEIRS.encode();
        bytes[at] ^= 0x20;
        let read = |n: usize| accept().poll_event(&mut BytesMut::from(&bytes[..n]));
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
    let mut connection = dial();
    let mut read = |n: usize| connection.poll_event(&mut BytesMut::from(&other[..n]));
    assert_eq!(read(47), Ok(None));
    let refused = WireError::InfoHash {
        expected: OURS.info_hash,
        received: InfoHashV1([2; 20]),
    };
    assert_eq!(read(48), Err(refused));
}

#[test]
fn a_remote_that_withholds_its_peer_id_until_it_is_answered_is_answered() {
    let (mut connection, theirs) = (accept(), THEIRS.encode());
    let mut buf = BytesMut::from(&theirs[..48]);
    let wanted = Event::Wanted(THEIRS.info_hash);
    assert_eq!(connection.poll_event(&mut buf), Ok(Some(wanted)));
    assert_eq!(connection.poll_timeout(), Some((DEADLINE, Reason::Answer)));
    connection.answer(OURS);
    assert_eq!(connection.poll_part().as_deref(), Some(&OURS.encode()[..]));
    assert_eq!(connection.poll_event(&mut buf), Ok(None));
    let timeout = connection.poll_timeout();
    assert_eq!(timeout, Some((DEADLINE, Reason::Handshake)));
    buf.extend_from_slice(&theirs[48..]);
    let handshaken = Event::Handshaken(THEIRS);
    assert_eq!(connection.poll_event(&mut buf), Ok(Some(handshaken)));
    assert_eq!(connection.poll_timeout(), None);
}

#[test]
fn no_message_is_read_before_the_answer_which_is_sent_once() {
    let mut buf = BytesMut::from(&THEIRS.encode()[..]);
    buf.extend_from_slice(&[0, 0, 0, 1, 2]);
    let mut connection = accept();
    connection.answer(OURS);
    assert!(connection.is_flushed(), "nobody asked yet");
    let mut next = |connection: &mut Connection| connection.poll_event(&mut buf).unwrap();
    let wanted = Event::Wanted(THEIRS.info_hash);
    assert_eq!(next(&mut connection), Some(wanted));
    assert_eq!(next(&mut connection), Some(Event::Handshaken(THEIRS)));
    assert_eq!(next(&mut connection), None);
    assert_eq!(connection.missing(&[0, 0, 0, 1, 2]), 0);
    assert_eq!(connection.poll_timeout(), Some((DEADLINE, Reason::Answer)));
    connection.answer(OURS);
    connection.answer(OURS);
    assert_eq!(connection.poll_part().as_deref(), Some(&OURS.encode()[..]));
    assert!(connection.is_flushed());
    assert_eq!(
        next(&mut connection),
        Some(Event::Message(Message::Interested))
    );
    assert_eq!(connection.poll_timeout(), None);
}

#[test]
fn the_side_that_dials_speaks_first() {
    let mut connection = dial();
    assert_eq!(connection.poll_part().as_deref(), Some(&OURS.encode()[..]));
    assert!(connection.is_flushed());
}

#[test]
fn an_error_stays() {
    let mut buf = BytesMut::from(&[0, 0, 0, 2, 0][..]);
    let mut connection = Connection::established();
    let wrong = Err(WireError::Length {
        id: 0,
        expected: 1,
        received: 2,
    });
    assert_eq!(connection.poll_event(&mut buf), wrong);
    assert_eq!(connection.poll_event(&mut buf), wrong);
    assert_eq!(connection.missing(&buf), 0);
}

/// Whether the last of several blocks, each preceded by this many `have` messages, is a copy with
/// its own memory.
fn last_block_is_a_copy(haves: u32) -> bool {
    let mut connection = Connection::established();
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
    while let Some(received) = connection.poll_event(&mut buf).unwrap() {
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
