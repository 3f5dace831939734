//! The peer wire.

use aqueduct_core::connection::{Connection, Event};
use aqueduct_core::extensions::{ExtendedHandshake, MAX_NAMES};
use aqueduct_core::types::{InfoHashV1, PeerId};
use aqueduct_core::wire::{HANDSHAKE_LEN, Handshake, Message, Reserved, WireError};
use bytes::BytesMut;

use super::switch;

/// The swarm of a dialling connection.
const OURS: Handshake = Handshake {
    reserved: Reserved::OURS,
    info_hash: InfoHashV1(*b"the swarm's infohash"),
    peer_id: PeerId(*b"-AQ0100-twelve bytes"),
};

/// A handshake is read as its 68 bytes say, and told apart from anything else by its first twenty.
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

/// However the stream is cut, a connection says the same; and what it says is written as it was read.
pub(super) fn connection(mut data: &[u8]) {
    let link = match switch(&mut data) % 3 {
        0 => Connection::dialling(OURS),
        1 => Connection::accepting(),
        _ => Connection::established(),
    };
    let cut = usize::from(switch(&mut data)).max(1);
    let whole = read_all(link.clone(), data, data.len().max(1));
    assert_eq!(read_all(link, data, cut), whole);
    whole.0.iter().for_each(survives);
}

fn read_all(mut link: Connection, stream: &[u8], cut: usize) -> (Vec<Event>, Option<WireError>) {
    let (mut buf, mut said) = (BytesMut::new(), Vec::new());
    for part in stream.chunks(cut) {
        buf.extend_from_slice(part);
        loop {
            match link.read(&mut buf) {
                Ok(None) => break,
                Ok(Some(received)) => said.push(received),
                Err(error) => return (said, Some(error)),
            }
            if let Some(Event::Handshake(theirs)) = said.last() {
                let _sent = link.answer(Handshake {
                    info_hash: theirs.info_hash,
                    ..OURS
                });
            }
        }
        assert!(
            link.wanted(&buf) > 0,
            "everything was read, so something must be lacking"
        );
    }
    (said, None)
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

/// What is kept of an extended handshake is bounded, and is the same when written and read again.
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
