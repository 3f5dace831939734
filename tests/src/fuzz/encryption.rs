//! Encrypted connections.

use aqueduct_core::connection::{Connection, Encryption, Event, obfuscated};
use aqueduct_core::types::{InfoHashV1, Instant, PeerId};
use aqueduct_core::wire::{Handshake, Message, Reserved, WireError};
use bytes::{Bytes, BytesMut};

use super::switch;

const DEADLINE: Instant = Instant::from_micros(10_000_000);

const OURS: Handshake = Handshake {
    reserved: Reserved::OURS,
    info_hash: InfoHashV1(*b"the swarm's infohash"),
    peer_id: PeerId(*b"-AQ0100-twelve bytes"),
};

/// One end of a connection in memory.
struct End {
    connection: Connection,
    input: BytesMut,
    handshaken: bool,
    heard: Vec<Message>,
}

impl End {
    fn new(connection: Connection) -> Self {
        Self {
            connection,
            input: BytesMut::new(),
            handshaken: false,
            heard: Vec::new(),
        }
    }

    fn hear(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.input.extend_from_slice(bytes);
        while let Some(event) = self.connection.poll_event(&mut self.input)? {
            match event {
                Event::Sought(swarm) if swarm == obfuscated(OURS.info_hash) => {
                    self.connection.reveal(OURS.info_hash);
                }
                Event::Sought(_) => {}
                Event::Wanted(_) => self.connection.answer(OURS),
                Event::Handshaken(_) => self.handshaken = true,
                Event::Message(message) => self.heard.push(message),
            }
        }
        let deadline = self.connection.poll_timeout();
        assert!(deadline.is_none_or(|(at, _)| at == DEADLINE));
        Ok(())
    }
}

/// Two ends talk over a line that cuts their bytes and may change one of them. Nothing panics,
/// errors stay, and what was not changed is understood.
pub(super) fn talk(mut data: &[u8]) {
    let choice = switch(&mut data);
    let [dialling, accepting] = [choice & 1 != 0, choice & 2 != 0].map(|require| {
        if require {
            Encryption::Require
        } else {
            Encryption::Allow
        }
    });
    let cut = usize::from(switch(&mut data)).max(1);
    let changed = [
        usize::from(choice >> 2) & 1,
        switch(&mut data).into(),
        switch(&mut data).into(),
    ];
    let mask = switch(&mut data);
    let change = |side: usize, at: usize| match changed {
        [which, high, low] if which == side && high * 256 + low == at => mask,
        _ => 0,
    };
    let mut ends = [
        End::new(Connection::dial_encrypted(
            OURS, dialling, [1; 32], DEADLINE,
        )),
        End::new(Connection::accept_encrypted(accepting, [2; 32], DEADLINE)),
    ];
    let said = Message::Extended {
        id: 3,
        payload: Bytes::copy_from_slice(data),
    };
    let (mut sent, mut silent, mut spoken) = ([0; 2], 0, false);
    for from in [0, 1].into_iter().cycle() {
        let parts = std::iter::from_fn(|| ends[from].connection.poll_part());
        let mut bytes = parts.collect::<Vec<_>>().concat();
        silent = if bytes.is_empty() { silent + 1 } else { 0 };
        for byte in &mut bytes {
            *byte ^= change(from, sent[from]);
            sent[from] += 1;
        }
        for part in bytes.chunks(cut) {
            let end = &mut ends[1 - from];
            if let Err(error) = end.hear(part) {
                assert_eq!(end.hear(&[]), Err(error));
                assert_ne!(mask, 0, "bytes that nothing changed are understood");
                return;
            }
        }
        if silent >= 2 && spoken {
            break;
        }
        if silent >= 2 {
            (spoken, silent) = (true, 0);
            let able = ends.iter_mut().filter(|end| end.handshaken);
            able.for_each(|end| end.connection.send(&said));
        }
    }
    if mask == 0 {
        assert!(
            ends.iter()
                .all(|end| end.handshaken && end.heard == [said.clone()])
        );
    }
}

/// Whatever a remote sends in place of an exchange, every cut of it says the same.
pub(super) fn bytes(mut data: &[u8]) {
    let choice = switch(&mut data);
    let cut = usize::from(switch(&mut data)).max(1);
    let read = |cut: usize| {
        let mut end = End::new(if choice & 1 == 0 {
            Connection::dial_encrypted(OURS, Encryption::Allow, [1; 32], DEADLINE)
        } else {
            Connection::accept_encrypted(Encryption::Allow, [2; 32], DEADLINE)
        });
        let failed = data.chunks(cut).find_map(|part| end.hear(part).err());
        (failed, end.handshaken, end.heard)
    };
    assert_eq!(read(cut), read(data.len().max(1)));
}
