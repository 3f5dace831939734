//! DHT messages, and the state that a node saves.

use aqueduct_core::Instant;
use aqueduct_core::discovery::Key;
use aqueduct_core::discovery::dht::krpc::{Body, MAX_CONTACTS, MAX_PEERS, Message};
use aqueduct_core::discovery::dht::{Config, Dht, Input, State};
use aqueduct_core::types::{InfoHashV1, is_hidden};
use bytes::Bytes;

/// One datagram (BEP 5): decoded fields are within their bounds, encoding restores the message, and
/// a node handles it without failing.
pub(super) fn krpc(data: &[u8]) {
    if let Ok(message) = Message::parse(data) {
        match &message.body {
            Body::Query(_) => is_read_back(&message),
            Body::Answer(answer) => {
                assert!(
                    answer.contacts.len() <= 2 * MAX_CONTACTS && answer.peers.len() <= MAX_PEERS
                );
                is_read_back(&message);
            }
            Body::Error { text, .. } => assert!(!text.contains(is_hidden)),
            Body::BadQuery(_) => {}
        }
    }
    is_survived(data);
}

fn is_read_back(message: &Message<'_>) {
    let bytes = message.encode();
    assert_eq!(Message::parse(&bytes).as_ref(), Ok(message));
}

/// A datagram provokes at most one answer and one ping.
fn is_survived(data: &[u8]) {
    let now = Instant::ZERO;
    let mut dht = Dht::new(Config::default(), State::default(), [1; 32], now);
    dht.add(
        Key {
            info_hash: InfoHashV1([1; 20]),
            owner: 0,
        },
        1,
    );
    dht.handle(now, Input::Timeout);
    while dht.poll_output().is_some() {}
    dht.handle(
        now,
        Input::Packet {
            from: ([11, 0, 0, 1], 6881).into(),
            bytes: Bytes::copy_from_slice(data),
        },
    );
    assert!(std::iter::from_fn(|| dht.poll_output()).count() <= 2);
}

/// The saved state of the DHT.
pub(super) fn state(data: &[u8]) {
    let Ok(state) = State::parse(data) else {
        return;
    };
    assert_eq!(State::parse(&state.encode()), Ok(state.clone()));
    Dht::new(Config::default(), state, [1; 32], Instant::ZERO)
        .handle(Instant::ZERO, Input::Timeout);
}
