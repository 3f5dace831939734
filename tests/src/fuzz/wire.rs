//! The peer wire protocol.

use aqueduct_core::connection::{Connection, Event};
use aqueduct_core::extensions::{ExtendedHandshake, MAX_NAMES};
use aqueduct_core::types::{InfoHashV1, Instant, PeerId};
use aqueduct_core::wire::{HANDSHAKE_LEN, Handshake, Message, Reserved, WireError};
use bytes::BytesMut;

use super::switch;

/// The deadline for handshakes.
const DEADLINE: Instant = Instant::from_micros(10_000_000);

/// The handshake of a dialling connection.
const OURS: Handshake = Handshake {
    reserved: Reserved::OURS,
    info_hash: InfoHashV1(*b"the swarm's infohash"),
    peer_id: PeerId(*b"-AQ0100-twelve bytes"),
};

/// Decoding a handshake agrees with its 68 bytes; other data are recognised from the first twenty
/// bytes.
pub(super) fn handshake(data: &[u8]) {
    match Handshake::decode(data) {
        Ok(Some(handshake)) => assert_eq!(handshake.encode()[..], data[..HANDSHAKE_LEN]),
        Ok(None) => assert!(
            data.len() < HANDSHAKE_LEN
                && OURS.encode()[..20].starts_with(&data[..data.len().min(20)])
        ),
        Err(error) => assert_eq!(error, WireError::Protocol),
    }
}

/// However the stream is split, a connection yields the same events; no bytes move its deadline;
/// and encoding restores each message.
pub(super) fn connection(mut data: &[u8]) {
    let choice = switch(&mut data);
    let connection = || match choice % 3 {
        0 => Connection::dial(OURS, DEADLINE),
        1 => Connection::accept(DEADLINE),
        _ => Connection::established(),
    };
    let answers_early = choice & 0x80 != 0;
    let cut = usize::from(switch(&mut data)).max(1);
    let whole = read_all(connection(), data, data.len().max(1), answers_early);
    assert_eq!(read_all(connection(), data, cut, answers_early), whole);
    whole.0.iter().for_each(survives);
}

fn read_all(
    mut connection: Connection,
    stream: &[u8],
    cut: usize,
    answers_early: bool,
) -> (Vec<Event>, Option<WireError>) {
    let (mut buf, mut said) = (BytesMut::new(), Vec::new());
    for part in stream.chunks(cut) {
        buf.extend_from_slice(part);
        loop {
            match connection.poll_event(&mut buf) {
                Ok(None) => break,
                Ok(Some(event)) => said.push(event),
                Err(error) => return (said, Some(error)),
            }
            if let Some(info_hash) = to_answer(said.last(), answers_early) {
                connection.answer(Handshake { info_hash, ..OURS });
            }
            let deadline = connection.poll_timeout();
            assert!(deadline.is_none_or(|(at, _)| at == DEADLINE));
        }
        assert!(
            connection.missing(&buf) > 0,
            "everything was read, so something must be lacking"
        );
    }
    (said, None)
}

fn to_answer(said: Option<&Event>, early: bool) -> Option<InfoHashV1> {
    match said? {
        Event::Wanted(info_hash) if early => Some(*info_hash),
        Event::Handshaken(theirs) => Some(theirs.info_hash),
        _ => None,
    }
}

fn survives(received: &Event) {
    let Event::Message(message) = received else {
        return;
    };
    let mut buf = BytesMut::new();
    let data = message.encode(&mut buf);
    buf.extend(data.into_iter().flatten());
    assert_eq!(buf.len() as u64, message.wire_len());
    assert_eq!(Message::decode(&mut buf), Ok(Some(message.clone())));
}

/// The decoded fields of an extended handshake are bounded, and are the same after encoding and
/// decoding.
pub(super) fn extended_handshake(data: &[u8]) {
    let Ok(handshake) = ExtendedHandshake::decode(data) else {
        return;
    };
    assert!(handshake.extensions.len() <= MAX_NAMES);
    let again = ExtendedHandshake::decode(&handshake.encode());
    if handshake
        .client
        .as_ref()
        .is_none_or(|client| client.is_ascii())
    {
        assert_eq!(again, Ok(handshake));
    } else {
        assert!(again.is_ok());
    }
}
