//! Both ends of encrypted connections, and remote sides that violate the protocol.

use bytes::BytesMut;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::Config;

use super::super::{Connection, Encryption, Event, Reason, obfuscated};
use super::{DEADLINE, OURS, THEIRS};
use crate::types::InfoHashV1;
use crate::wire::testing::message;
use crate::wire::{EncryptionError, Handshake, Message, WireError};

fn dial(encryption: Encryption) -> Connection {
    Connection::dial_encrypted(OURS, encryption, [1; 32], DEADLINE)
}

fn accept(encryption: Encryption) -> Connection {
    Connection::accept_encrypted(encryption, [2; 32], DEADLINE)
}

/// One end of a connection in memory.
struct End {
    connection: Connection,
    input: BytesMut,
    events: Vec<Event>,
    handshake: Handshake,
}

impl End {
    fn new(connection: Connection, handshake: Handshake) -> Self {
        Self {
            connection,
            input: BytesMut::new(),
            events: Vec::new(),
            handshake,
        }
    }

    /// Everything that it has to send.
    fn sent(&mut self) -> Vec<u8> {
        let parts = std::iter::from_fn(|| self.connection.poll_part());
        parts.collect::<Vec<_>>().concat()
    }

    fn hear(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.input.extend_from_slice(bytes);
        while let Some(event) = self.connection.poll_event(&mut self.input)? {
            match event {
                Event::Sought(swarm) => {
                    assert_eq!(swarm, obfuscated(self.handshake.info_hash));
                    self.connection.reveal(self.handshake.info_hash);
                }
                Event::Wanted(_) => self.connection.answer(self.handshake),
                _ => {}
            }
            self.events.push(event);
        }
        Ok(())
    }
}

/// Transfers bytes in both directions, in chunks of these sizes, until both ends are idle. Returns
/// all bytes that each sent.
fn talk(ends: &mut [End; 2], sizes: &[usize]) -> Result<[Vec<u8>; 2], WireError> {
    let (mut sizes, mut wire) = (sizes.iter().cycle(), [Vec::new(), Vec::new()]);
    let mut silent = 0;
    for from in [0, 1].into_iter().cycle() {
        let bytes = ends[from].sent();
        silent = if bytes.is_empty() { silent + 1 } else { 0 };
        wire[from].extend_from_slice(&bytes);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            ends[1 - from].hear(now)?;
            rest = later;
        }
        if silent == 2 {
            break;
        }
    }
    Ok(wire)
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    proptest::collection::vec(message(), 0..6)
}

/// The messages in plaintext.
fn encoded(messages: &[Message]) -> Vec<u8> {
    let mut end = End::new(Connection::established(), OURS);
    messages
        .iter()
        .for_each(|message| end.connection.send(message));
    end.sent()
}

fn policy() -> impl Strategy<Value = Encryption> {
    proptest::prop_oneof![Just(Encryption::Allow), Just(Encryption::Require)]
}

fn occurs(needle: &[u8], hay: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}

proptest! {
    #![proptest_config(Config { cases: 48, ..Config::default() })]

    #[test]
    fn two_ends_that_encrypt_understand_each_other_however_the_stream_is_cut(
        (ours, theirs) in (messages(), messages()),
        (dialling, accepting) in (policy(), policy()),
        sizes in proptest::collection::vec(1_usize..300, 1..8),
    ) {
        let mut ends = [End::new(dial(dialling), OURS), End::new(accept(accepting), THEIRS)];
        let wire = talk(&mut ends, &sizes).unwrap();
        prop_assert_eq!(&ends[0].events, &[Event::Handshaken(THEIRS)]);
        let expected = [
            Event::Sought(obfuscated(OURS.info_hash)),
            Event::Wanted(OURS.info_hash),
            Event::Handshaken(OURS),
        ];
        prop_assert_eq!(&ends[1].events, &expected);
        prop_assert!(!occurs(&OURS.info_hash.0, &wire.concat()));
        ours.iter().for_each(|message| ends[0].connection.send(message));
        theirs.iter().for_each(|message| ends[1].connection.send(message));
        ends.iter_mut().for_each(|end| end.events.clear());
        talk(&mut ends, &sizes).unwrap();
        let said = |messages: Vec<Message>| messages.into_iter().map(Event::Message).collect();
        let [theirs, ours]: [Vec<Event>; 2] = [said(theirs), said(ours)];
        prop_assert_eq!(&ends[0].events, &theirs);
        prop_assert_eq!(&ends[1].events, &ours);
    }

    #[test]
    fn a_driver_that_passes_bytes_on_has_the_same_ciphers(
        (ours, theirs) in (messages(), messages()),
        (dialling, accepting) in (policy(), policy()),
        sizes in proptest::collection::vec(1_usize..300, 1..8),
    ) {
        let mut ends = [End::new(dial(dialling), OURS), End::new(accept(accepting), THEIRS)];
        talk(&mut ends, &sizes).unwrap();
        let [dialled, mut accepted] = ends;
        let mut ciphers = dialled.connection.into_ciphers().unwrap();

        theirs.iter().for_each(|message| accepted.connection.send(message));
        let mut received = accepted.sent();
        received.chunks_mut(sizes[0]).for_each(|part| ciphers.decrypt(part));
        prop_assert_eq!(received, encoded(&theirs));

        let mut sent = encoded(&ours);
        sent.chunks_mut(sizes[0]).for_each(|part| ciphers.encrypt(part));
        accepted.events.clear();
        accepted.hear(&sent).unwrap();
        let heard: Vec<Event> = ours.into_iter().map(Event::Message).collect();
        prop_assert_eq!(accepted.events, heard);
    }

    #[test]
    fn a_remote_that_speaks_in_the_clear_is_understood_unless_encryption_is_required(
        sizes in proptest::collection::vec(1_usize..80, 1..8),
    ) {
        let plain = || End::new(Connection::dial(OURS, DEADLINE), OURS);
        let mut ends = [plain(), End::new(accept(Encryption::Allow), THEIRS)];
        talk(&mut ends, &sizes).unwrap();
        prop_assert_eq!(&ends[0].events, &[Event::Handshaken(THEIRS)]);
        let mut ends = [plain(), End::new(accept(Encryption::Require), THEIRS)];
        prop_assert_eq!(talk(&mut ends, &sizes), Err(EncryptionError::Required.into()));
    }

    #[test]
    fn arbitrary_bytes_end_in_the_same_error_however_they_are_cut(
        bytes in proptest::collection::vec(any::<u8>(), 0..2000),
        sizes in proptest::collection::vec(1_usize..300, 1..8),
        dialling in any::<bool>(),
    ) {
        let outcome = |sizes: &[usize]| {
            let connection = if dialling { dial } else { accept };
            let mut end = End::new(connection(Encryption::Allow), OURS);
            let mut sizes = sizes.iter().cycle();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (now, later) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
                if let Err(error) = end.hear(now) {
                    assert_eq!(end.hear(&[]), Err(error.clone()), "an error stays");
                    return (Some(error), end.sent());
                }
                assert_eq!(end.connection.poll_timeout(), Some((DEADLINE, Reason::Encryption)));
                rest = later;
            }
            (None, end.sent())
        };
        let whole = outcome(&[usize::MAX]);
        prop_assert_eq!(&outcome(&sizes), &whole);
        if bytes.len() >= 96 + 512 + 20 {
            let error = EncryptionError::Unsynchronised { limit: 512 };
            prop_assert_eq!(whole.0, Some(error.into()));
        }
    }
}

#[test]
fn a_remote_that_enciphers_for_another_torrent_is_told_apart() {
    let other = InfoHashV1([9; 20]);
    let mut ends = [
        End::new(dial(Encryption::Allow), OURS),
        End::new(accept(Encryption::Allow), THEIRS),
    ];
    let first = ends[0].sent();
    ends[1].hear(&first).unwrap();
    let answer = ends[1].sent();
    ends[0].hear(&answer).unwrap();
    let named = ends[0].sent();
    let (accepting, input) = (&mut ends[1].connection, &mut ends[1].input);
    input.extend_from_slice(&named);
    let sought = accepting.poll_event(input).unwrap();
    assert_eq!(sought, Some(Event::Sought(obfuscated(OURS.info_hash))));
    assert_eq!(accepting.poll_event(input), Ok(None), "nobody revealed it");
    accepting.reveal(other);
    let error = accepting.poll_event(input);
    assert_eq!(error, Err(EncryptionError::Verification.into()));
}

#[test]
fn a_side_that_requires_encryption_stays_enciphered_with_one_that_allows_it() {
    for (dialling, accepting) in [
        (Encryption::Require, Encryption::Allow),
        (Encryption::Allow, Encryption::Require),
    ] {
        let mut ends = [
            End::new(dial(dialling), OURS),
            End::new(accept(accepting), THEIRS),
        ];
        talk(&mut ends, &[usize::MAX]).unwrap();
        ends[0].connection.send(&Message::Have(77));
        assert_ne!(ends[0].sent(), [0, 0, 0, 5, 4, 0, 0, 0, 77]);
    }
}

#[test]
fn an_end_that_does_not_encrypt_takes_an_exchange_for_another_protocol() {
    let mut ends = [
        End::new(dial(Encryption::Require), OURS),
        End::new(accept(Encryption::Off), THEIRS),
    ];
    let refused = talk(&mut ends, &[usize::MAX]);
    assert_eq!(refused, Err(WireError::Protocol));
}

#[test]
fn the_keys_are_other_ones_for_each_seed() {
    let key = |seed| {
        let mut dialling = Connection::dial_encrypted(OURS, Encryption::Allow, seed, DEADLINE);
        dialling.poll_part().unwrap().split_to(96)
    };
    assert_ne!(key([1; 32]), key([2; 32]));
}
