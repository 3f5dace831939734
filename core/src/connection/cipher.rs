//! The RC4 ciphers of encrypted connections.

use std::fmt;

use super::key_stream::KeyStream;

/// The number of key stream bytes that are discarded, since the start of an RC4 key stream reveals
/// information about the key.
const DISCARDED: usize = 1024;

/// The key stream of one direction.
pub(super) struct Cipher(Box<KeyStream>);

impl Cipher {
    pub(super) fn new(key: &[u8; 20]) -> Self {
        let mut cipher = Self(Box::new(KeyStream::new(key)));
        cipher.apply(&mut [0; DISCARDED]);
        cipher
    }

    /// Encrypts or decrypts in place.
    pub(super) fn apply(&mut self, bytes: &mut [u8]) {
        self.0.apply(bytes);
    }
}

impl fmt::Debug for Cipher {
    /// Omits the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher")
    }
}

/// The receiving direction: tracks how much of the buffer has been decrypted.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    cipher: Option<Cipher>,
    /// The number of bytes that remain encrypted; `None`: all.
    left: Option<usize>,
    /// The number of decrypted bytes at the front of the input.
    clear: usize,
}

impl Incoming {
    /// `left`: the number of encrypted bytes; `None`: all.
    pub(super) fn new(cipher: Cipher, left: Option<usize>) -> Self {
        Self {
            cipher: Some(cipher),
            left,
            clear: 0,
        }
    }

    /// Decrypts, in place, the bytes that were added to the input.
    pub(super) fn decipher(&mut self, input: &mut [u8]) {
        let Some(cipher) = &mut self.cipher else {
            return;
        };
        let fresh = input.get_mut(self.clear..).unwrap_or_default();
        let count = self.left.unwrap_or(fresh.len()).min(fresh.len());
        cipher.apply(fresh.get_mut(..count).unwrap_or_default());
        self.left = self.left.map(|left| left - count);
        if self.left == Some(0) {
            self.cipher = None;
        }
    }

    /// Records that this much of the input remains, all of it decrypted.
    pub(super) fn keep(&mut self, remaining: usize) {
        self.clear = remaining;
    }
}

/// The ciphers of a connection after its handshake, for drivers that pass its bytes on instead of
/// reading messages.
#[derive(Debug)]
pub struct Ciphers {
    incoming: Incoming,
    outgoing: Option<Cipher>,
}

impl Ciphers {
    /// `None` if neither direction is encrypted.
    pub(super) fn new(incoming: Incoming, outgoing: Option<Cipher>) -> Option<Self> {
        let is_encrypted = incoming.cipher.is_some() || outgoing.is_some();
        let incoming = Incoming {
            clear: 0,
            ..incoming
        };
        is_encrypted.then_some(Self { incoming, outgoing })
    }

    /// Decrypts received bytes in place. They must be passed in order, each once.
    pub fn decrypt(&mut self, received: &mut [u8]) {
        self.incoming.decipher(received);
    }

    /// Encrypts bytes to send in place. They must be passed in order, each once.
    pub fn encrypt(&mut self, bytes: &mut [u8]) {
        if let Some(cipher) = &mut self.outgoing {
            cipher.apply(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of which the first ten are enciphered, and the first four are deciphered already.
    fn partly_deciphered() -> (Incoming, [u8; 22]) {
        let key = [7; 20];
        let mut input = *b"enciphered, then clear";
        Cipher::new(&key).apply(&mut input[..10]);
        let mut incoming = Incoming::new(Cipher::new(&key), Some(10));
        incoming.decipher(&mut input[..4]);
        incoming.keep(4);
        (incoming, input)
    }

    #[test]
    fn a_cipher_begins_behind_the_bytes_that_are_discarded() {
        let key = [7; 20];
        let (mut all, mut rest) = ([0; DISCARDED + 16], [0; 16]);
        KeyStream::new(&key).apply(&mut all);
        Cipher::new(&key).apply(&mut rest);
        assert_eq!(rest, all[DISCARDED..]);
    }

    #[test]
    fn only_so_many_bytes_are_deciphered_as_the_cipher_is_for() {
        let (mut incoming, mut input) = partly_deciphered();
        incoming.decipher(&mut input);
        incoming.keep(input.len());
        incoming.decipher(&mut input);
        assert_eq!(&input, b"enciphered, then clear");
    }

    #[test]
    fn after_plaintext_was_chosen_only_the_rest_of_the_first_bytes_is_deciphered() {
        let (incoming, mut input) = partly_deciphered();
        let mut ciphers = Ciphers::new(incoming, None).unwrap();
        input[4..]
            .chunks_mut(5)
            .for_each(|part| ciphers.decrypt(part));
        assert_eq!(&input, b"enciphered, then clear");
        let mut sent = *b"clear";
        ciphers.encrypt(&mut sent);
        assert_eq!(&sent, b"clear");
        assert!(Ciphers::new(Incoming::default(), None).is_none());
    }
}
