//! Scripted remote sides that send what Aqueduct itself never sends.

use bytes::BytesMut;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::key::{MAX_PADDING, PrivateKey, Secret};
use super::protocol::{
    Encryption, PLAINTEXT, RC4, VERIFICATION, cipher_of_accepting, cipher_of_dialling, hide, mark,
    obfuscated,
};
use crate::connection::cipher::Cipher;
use crate::connection::{Connection, Event};
use crate::types::{InfoHashV1, Instant, PeerId};
use crate::wire::{EncryptionError, Handshake, Message, Reserved, WireError};

const SWARM: InfoHashV1 = InfoHashV1([7; 20]);
const UNCHOKE: [u8; 5] = [0, 0, 0, 1, 1];

fn handshake(id: u8) -> Handshake {
    Handshake {
        reserved: Reserved::OURS,
        info_hash: SWARM,
        peer_id: PeerId([id; 20]),
    }
}

fn sent(connection: &mut Connection) -> Vec<u8> {
    let parts = std::iter::from_fn(|| connection.poll_part());
    parts.collect::<Vec<_>>().concat()
}

/// The ciphers of a script.
struct Ciphers {
    dialling: Cipher,
    accepting: Cipher,
}

/// Exchanges keys with a connection. Returns the secret and the script's ciphers.
fn exchange(connection: &mut Connection, input: &mut BytesMut) -> (Secret, Ciphers) {
    exchange_hashing(connection, input, |secret| secret)
}

/// The same. `hashed` is what the script hashes of the secret.
fn exchange_hashing(
    connection: &mut Connection,
    input: &mut BytesMut,
    hashed: impl Fn(Secret) -> Secret,
) -> (Secret, Ciphers) {
    let script = PrivateKey::random(&mut ChaCha8Rng::from_seed([8; 32]));
    input.extend_from_slice(&script.public());
    assert_eq!(connection.poll_event(input), Ok(None));
    let theirs = sent(connection);
    let secret = hashed(script.secret(theirs.first_chunk().unwrap()).unwrap());
    let ciphers = Ciphers {
        dialling: cipher_of_dialling(&secret, SWARM),
        accepting: cipher_of_accepting(&secret, SWARM),
    };
    (secret, ciphers)
}

#[test]
fn a_remote_that_leaves_out_leading_zeros_of_the_secret_is_understood() {
    let accept = |seed: u8, hashed: fn(Secret) -> Secret| {
        let seed = [seed; 32];
        let mut connection = Connection::accept_encrypted(Encryption::Require, seed, Instant::ZERO);
        let mut input = BytesMut::new();
        let (secret, _) = exchange_hashing(&mut connection, &mut input, hashed);
        input.extend_from_slice(&[0xaa; 9]);
        input.extend_from_slice(&mark(&secret));
        input.extend_from_slice(&hide(obfuscated(SWARM), &secret));
        let sought = connection.poll_event(&mut input);
        assert_eq!(sought, Ok(Some(Event::Sought(obfuscated(SWARM)))));
        secret
    };
    let whole = |seed: &u8| accept(*seed, |secret| secret);
    let shorter = |seed: &u8| whole(seed).without_leading_zeros() != whole(seed);
    let seed = (0..=255)
        .find(shorter)
        .expect("one secret in 256 begins with a zero");
    let shortened = accept(seed, Secret::without_leading_zeros);
    assert!(shortened.as_bytes().len() < whole(&seed).as_bytes().len());
}

/// A script that dials and sends `offer`: the verification constant, ciphers, padding length,
/// padding, payload length, and the payload. `rest` follows as plaintext.
fn dialled(offer: &[&[u8]], rest: &[u8]) -> (Connection, BytesMut, Ciphers) {
    let mut connection = Connection::accept_encrypted(Encryption::Allow, [1; 32], Instant::ZERO);
    let mut input = BytesMut::new();
    let (secret, mut ciphers) = exchange(&mut connection, &mut input);
    input.extend_from_slice(&[0xaa; MAX_PADDING]);
    input.extend_from_slice(&mark(&secret));
    input.extend_from_slice(&hide(obfuscated(SWARM), &secret));
    let mut offer = offer.concat();
    ciphers.dialling.apply(&mut offer);
    input.extend_from_slice(&offer);
    input.extend_from_slice(rest);
    let sought = connection.poll_event(&mut input);
    assert_eq!(sought, Ok(Some(Event::Sought(obfuscated(SWARM)))));
    connection.reveal(SWARM);
    (connection, input, ciphers)
}

fn refused(offer: &[&[u8]]) -> WireError {
    let (mut connection, mut input, _) = dialled(offer, &[]);
    let error = connection.poll_event(&mut input).unwrap_err();
    assert_eq!(
        connection.poll_event(&mut input),
        Err(error.clone()),
        "it stays"
    );
    error
}

#[test]
fn a_remote_that_offers_plaintext_alone_goes_on_in_the_clear_behind_its_first_bytes() {
    let (ciphers, none) = (PLAINTEXT.to_be_bytes(), 0_u16.to_be_bytes());
    // The first half of the handshake is encrypted, the second half is not.
    let theirs = handshake(2).encode();
    let (initial, rest) = theirs.split_at(30);
    let length = 30_u16.to_be_bytes();
    let offer: [&[u8]; 5] = [&VERIFICATION, &ciphers, &none, &length, initial];
    let (mut connection, mut input, mut keys) = dialled(&offer, &[rest, &UNCHOKE].concat());
    let mut next = || {
        let event = connection.poll_event(&mut input).unwrap();
        if let Some(Event::Wanted(_)) = event {
            connection.answer(handshake(1));
        }
        event
    };
    assert_eq!(next(), Some(Event::Wanted(SWARM)));
    assert_eq!(next(), Some(Event::Handshaken(handshake(2))));
    assert_eq!(next(), Some(Event::Message(Message::Unchoke)));
    let mut answer = sent(&mut connection);
    let clear = answer.split_off(answer.len() - 68);
    assert_eq!(clear, handshake(1).encode());
    keys.accepting.apply(&mut answer);
    assert_eq!(answer[..8], VERIFICATION);
    assert_eq!(answer[8..12], PLAINTEXT.to_be_bytes());
}

#[test]
fn offers_that_break_the_rules_are_refused_with_their_reason() {
    let (both, none) = ((PLAINTEXT | RC4).to_be_bytes(), [0, 0]);
    let wrong = refused(&[&[1; 8], &both, &none, &none]);
    assert_eq!(wrong, EncryptionError::Verification.into());
    let wrong = refused(&[&VERIFICATION, &[0, 0, 0, 4], &none, &none]);
    let expected = EncryptionError::Ciphers {
        acceptable: 3,
        received: 4,
    };
    assert_eq!(wrong, expected.into());
    let wrong = refused(&[&VERIFICATION, &both, &513_u16.to_be_bytes(), &none]);
    let expected = EncryptionError::Padding {
        limit: 512,
        received: 513,
    };
    assert_eq!(wrong, expected.into());
}

#[test]
fn a_handshake_for_another_swarm_than_the_one_sought_is_refused() {
    let (both, none) = ((PLAINTEXT | RC4).to_be_bytes(), [0, 0]);
    let inside = Handshake {
        info_hash: InfoHashV1([9; 20]),
        ..handshake(2)
    }
    .encode();
    let offer: [&[u8]; 5] = [&VERIFICATION, &both, &none, &68_u16.to_be_bytes(), &inside];
    let expected = WireError::InfoHash {
        expected: SWARM,
        received: InfoHashV1([9; 20]),
    };
    assert_eq!(refused(&offer), expected);
}

/// A script that is dialled and chooses `chosen`, with this declared padding length.
fn dialling(encryption: Encryption, chosen: u32, padding: u16) -> Result<Vec<Event>, WireError> {
    let ours = handshake(1);
    let mut connection = Connection::dial_encrypted(ours, encryption, [1; 32], Instant::ZERO);
    let (mut input, mut events) = (BytesMut::new(), Vec::new());
    let key = sent(&mut connection);
    let script = PrivateKey::random(&mut ChaCha8Rng::from_seed([8; 32]));
    let secret = script.secret(key.first_chunk().unwrap()).unwrap();
    let mut cipher = cipher_of_accepting(&secret, SWARM);
    let mut choice = [
        &VERIFICATION[..],
        &chosen.to_be_bytes(),
        &padding.to_be_bytes(),
        &vec![0; padding.into()],
    ]
    .concat();
    cipher.apply(&mut choice);
    let mut stream = [&handshake(2).encode()[..], &UNCHOKE].concat();
    if chosen == RC4 {
        cipher.apply(&mut stream);
    }
    for part in [&script.public()[..], &[0x55; 100], &choice, &stream] {
        input.extend_from_slice(part);
    }
    while let Some(event) = connection.poll_event(&mut input)? {
        events.push(event);
    }
    Ok(events)
}

#[test]
fn the_remote_chooses_among_what_was_offered() {
    let expected = vec![
        Event::Handshaken(handshake(2)),
        Event::Message(Message::Unchoke),
    ];
    for (encryption, chosen) in [
        (Encryption::Allow, PLAINTEXT),
        (Encryption::Allow, RC4),
        (Encryption::Require, RC4),
    ] {
        assert_eq!(dialling(encryption, chosen, 512), Ok(expected.clone()));
    }
    let refused = |acceptable, received| {
        let error = EncryptionError::Ciphers {
            acceptable,
            received,
        };
        Err(WireError::from(error))
    };
    assert_eq!(dialling(Encryption::Require, PLAINTEXT, 0), refused(2, 1));
    assert_eq!(dialling(Encryption::Allow, 3, 0), refused(3, 3));
    assert_eq!(dialling(Encryption::Allow, 0, 0), refused(3, 0));
}
