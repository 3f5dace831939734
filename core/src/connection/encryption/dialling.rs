//! The dialling side of the exchange.

use bytes::{Buf as _, BufMut as _, BytesMut};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::key::{KEY, MAX_PADDING, PrivateKey, Secret};
use super::protocol::{
    Encrypted, Encryption, PLAINTEXT, RC4, Step, VERIFICATION, cipher_of_accepting,
    cipher_of_dialling, hide, mark, obfuscated, padding_length, put_padding, skip_past, take,
};
use crate::connection::cipher::{Cipher, Incoming};
use crate::connection::outgoing::Outgoing;
use crate::wire::{EncryptionError, Handshake, WireError};

/// The length of the handshake, which is sent with the offer.
const HANDSHAKE_BYTES: u16 = 68;

/// The exchange on a connection that we dialled.
#[derive(Debug)]
pub(in crate::connection) struct Dialling {
    ours: Handshake,
    encryption: Encryption,
    private: PrivateKey,
    rng: ChaCha8Rng,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    /// Waits for the remote side's public key.
    Key,
    /// Waits for the end of its padding.
    Padding {
        mark: [u8; 8],
        cipher: Cipher,
    },
    /// Waits for the chosen cipher.
    Choice(Cipher),
    /// Waits for the padding after the choice.
    MorePadding {
        chosen: u32,
        length: usize,
        cipher: Cipher,
    },
    Over,
}

impl Dialling {
    /// Starts the exchange by sending our public key.
    pub(in crate::connection) fn new(
        ours: Handshake,
        encryption: Encryption,
        seed: [u8; 32],
        outgoing: &mut Outgoing,
    ) -> Self {
        let mut rng = ChaCha8Rng::from_seed(seed);
        let private = PrivateKey::random(&mut rng);
        private.push(&mut rng, outgoing);
        Self {
            ours,
            encryption,
            private,
            rng,
            progress: Progress::Key,
        }
    }

    pub(super) fn poll(
        &mut self,
        input: &mut BytesMut,
        outgoing: &mut Outgoing,
    ) -> Result<Step, WireError> {
        loop {
            match std::mem::replace(&mut self.progress, Progress::Over) {
                Progress::Key => {
                    let Some(key) = input.first_chunk::<KEY>() else {
                        return Ok(self.wait(Progress::Key));
                    };
                    let secret = self.private.secret(key)?;
                    input.advance(KEY);
                    self.progress = self.introduce(&secret, outgoing);
                }
                Progress::Padding { mark, cipher } => {
                    if !skip_past(input, &mark)? {
                        return Ok(self.wait(Progress::Padding { mark, cipher }));
                    }
                    self.progress = Progress::Choice(cipher);
                }
                Progress::Choice(mut cipher) => {
                    let Some(mut bytes) = take(input, 6, &mut cipher) else {
                        return Ok(self.wait(Progress::Choice(cipher)));
                    };
                    let chosen = self.check(bytes.get_u32())?;
                    let length = padding_length(&mut bytes)?;
                    self.progress = Progress::MorePadding {
                        chosen,
                        length,
                        cipher,
                    };
                }
                Progress::MorePadding {
                    chosen,
                    length,
                    mut cipher,
                } => {
                    if take(input, length, &mut cipher).is_none() {
                        return Ok(self.wait(Progress::MorePadding {
                            chosen,
                            length,
                            cipher,
                        }));
                    }
                    return Ok(follow(chosen, cipher, outgoing));
                }
                Progress::Over => return Ok(Step::Wait),
            }
        }
    }

    fn wait(&mut self, progress: Progress) -> Step {
        self.progress = progress;
        Step::Wait
    }

    /// Sends the obfuscated info-hash, the offered ciphers, and our handshake.
    fn introduce(&mut self, secret: &Secret, outgoing: &mut Outgoing) -> Progress {
        let info_hash = self.ours.info_hash;
        outgoing.push_bytes(&mark(secret));
        outgoing.push_bytes(&hide(obfuscated(info_hash), secret));
        outgoing.encipher(Some(cipher_of_dialling(secret, info_hash)));
        let mut head = BytesMut::with_capacity(16 + MAX_PADDING);
        head.extend_from_slice(&VERIFICATION);
        head.put_u32(self.encryption.ciphers());
        put_padding(&mut self.rng, &mut head);
        let ours = self.ours.encode();
        head.put_u16(HANDSHAKE_BYTES);
        head.extend_from_slice(&ours);
        outgoing.push_bytes(&head);
        let (mut cipher, mut mark) = (cipher_of_accepting(secret, info_hash), VERIFICATION);
        cipher.apply(&mut mark);
        Progress::Padding { mark, cipher }
    }

    fn check(&self, chosen: u32) -> Result<u32, EncryptionError> {
        let acceptable = self.encryption.ciphers();
        match chosen {
            PLAINTEXT | RC4 if chosen & acceptable != 0 => Ok(chosen),
            received => Err(EncryptionError::Ciphers {
                acceptable,
                received,
            }),
        }
    }
}

/// Applies the chosen cipher to both directions.
fn follow(chosen: u32, cipher: Cipher, outgoing: &mut Outgoing) -> Step {
    if chosen == RC4 {
        return Step::Done(Incoming::new(cipher, None), Encrypted::Everything);
    }
    outgoing.encipher(None);
    Step::Done(Incoming::default(), Encrypted::Handshake)
}
