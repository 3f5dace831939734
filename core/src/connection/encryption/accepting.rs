//! The accepting side of the exchange. It detects whether the remote side encrypts at all.

use bytes::{Buf as _, BufMut as _, BytesMut};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::key::{KEY, MAX_PADDING, PrivateKey, Secret};
use super::protocol::{
    Encrypted, Encryption, RC4, Step, VERIFICATION, cipher_of_accepting, cipher_of_dialling, hide,
    mark, padding_length, put_padding, skip_past, take,
};
use crate::connection::cipher::{Cipher, Incoming};
use crate::connection::outgoing::Outgoing;
use crate::types::InfoHashV1;
use crate::wire::{EncryptionError, Handshake, RESERVED_AT, WireError};

/// The exchange on a connection that the remote side dialled.
#[derive(Debug)]
pub(in crate::connection) struct Accepting {
    encryption: Encryption,
    rng: ChaCha8Rng,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    /// It is not known yet whether the remote side encrypts.
    Unknown,
    /// Waits for the public key.
    Key,
    /// Waits for the end of the padding.
    Padding {
        secret: Secret,
    },
    /// Waits for the obfuscated info-hash.
    Swarm {
        secret: Secret,
    },
    /// Waits for the driver to look up the info-hash.
    Sought {
        secret: Secret,
    },
    /// Waits for the offered ciphers.
    Offer(Ciphers),
    /// Waits for the padding after the offer, and for the length of the initial payload, which is
    /// always encrypted.
    MorePadding {
        offered: u32,
        length: usize,
        ciphers: Ciphers,
    },
    Over,
}

#[derive(Debug)]
struct Ciphers {
    theirs: Cipher,
    ours: Cipher,
}

impl Accepting {
    pub(in crate::connection) fn new(encryption: Encryption, seed: [u8; 32]) -> Self {
        Self {
            encryption,
            rng: ChaCha8Rng::from_seed(seed),
            progress: Progress::Unknown,
        }
    }

    /// Provides the info-hash that the remote side seeks.
    pub(in crate::connection) fn reveal(&mut self, info_hash: InfoHashV1) {
        if let Progress::Sought { secret } = &self.progress {
            self.progress = Progress::Offer(Ciphers {
                theirs: cipher_of_dialling(secret, info_hash),
                ours: cipher_of_accepting(secret, info_hash),
            });
        }
    }

    pub(super) fn poll(
        &mut self,
        input: &mut BytesMut,
        outgoing: &mut Outgoing,
    ) -> Result<Step, WireError> {
        loop {
            match std::mem::replace(&mut self.progress, Progress::Over) {
                Progress::Unknown => match Handshake::decode_info_hash(input) {
                    Ok(_) if input.len() < RESERVED_AT => return Ok(self.wait(Progress::Unknown)),
                    Ok(_) if self.encryption == Encryption::Require => {
                        return Err(EncryptionError::Required.into());
                    }
                    Ok(_) => return Ok(Step::Done(Incoming::default(), Encrypted::Nothing)),
                    Err(_) => self.progress = Progress::Key,
                },
                Progress::Key => {
                    let Some(key) = input.first_chunk::<KEY>() else {
                        return Ok(self.wait(Progress::Key));
                    };
                    let private = PrivateKey::random(&mut self.rng);
                    let secret = private.secret(key)?;
                    input.advance(KEY);
                    private.push(&mut self.rng, outgoing);
                    self.progress = Progress::Padding { secret };
                }
                Progress::Padding { secret } => {
                    let Some(secret) = skip_padding(input, secret)? else {
                        return Ok(self.wait(Progress::Padding { secret }));
                    };
                    self.progress = Progress::Swarm { secret };
                }
                Progress::Swarm { secret } => {
                    let Some(hidden) = input.first_chunk::<20>().copied() else {
                        return Ok(self.wait(Progress::Swarm { secret }));
                    };
                    input.advance(20);
                    self.progress = Progress::Sought { secret };
                    return Ok(Step::Sought(hide(hidden, &secret)));
                }
                Progress::Offer(mut ciphers) => {
                    let Some(mut bytes) = take(input, 14, &mut ciphers.theirs) else {
                        return Ok(self.wait(Progress::Offer(ciphers)));
                    };
                    if bytes.split_to(8) != VERIFICATION[..] {
                        return Err(EncryptionError::Verification.into());
                    }
                    let offered = bytes.get_u32();
                    let length = padding_length(&mut bytes)?;
                    self.progress = Progress::MorePadding {
                        offered,
                        length,
                        ciphers,
                    };
                }
                Progress::MorePadding {
                    offered,
                    length,
                    mut ciphers,
                } => {
                    // The padding is followed by the length of the initial payload, which is
                    // encrypted whatever is chosen.
                    let Some(bytes) = take(input, length + 2, &mut ciphers.theirs) else {
                        return Ok(self.wait(Progress::MorePadding {
                            offered,
                            length,
                            ciphers,
                        }));
                    };
                    let initial = bytes
                        .last_chunk()
                        .map_or(0, |last| u16::from_be_bytes(*last));
                    return Ok(self.choose(offered, initial.into(), ciphers, outgoing)?);
                }
                waiting @ (Progress::Sought { .. } | Progress::Over) => {
                    return Ok(self.wait(waiting));
                }
            }
        }
    }

    fn wait(&mut self, progress: Progress) -> Step {
        self.progress = progress;
        Step::Wait
    }

    /// Chooses RC4 if it is offered, since a remote side that encrypts wants the stream hidden.
    fn choose(
        &mut self,
        received: u32,
        initial: usize,
        ciphers: Ciphers,
        outgoing: &mut Outgoing,
    ) -> Result<Step, EncryptionError> {
        let acceptable = self.encryption.ciphers();
        let common = received & acceptable;
        if common == 0 {
            return Err(EncryptionError::Ciphers {
                acceptable,
                received,
            });
        }
        let is_rc4 = common & RC4 != 0;
        let mut head = BytesMut::with_capacity(14 + MAX_PADDING);
        head.extend_from_slice(&VERIFICATION);
        head.put_u32(if is_rc4 { RC4 } else { common });
        put_padding(&mut self.rng, &mut head);
        outgoing.encipher(Some(ciphers.ours));
        outgoing.push_bytes(&head);
        if is_rc4 {
            let incoming = Incoming::new(ciphers.theirs, None);
            return Ok(Step::Done(incoming, Encrypted::Everything));
        }
        outgoing.encipher(None);
        let incoming = Incoming::new(ciphers.theirs, Some(initial));
        Ok(Step::Done(incoming, Encrypted::Handshake))
    }
}

/// Removes the padding and the mark after it. Returns the secret as the remote side hashes it, or
/// `None` if the mark has not arrived yet.
fn skip_padding(input: &mut BytesMut, secret: Secret) -> Result<Option<Secret>, EncryptionError> {
    let shortened = secret.without_leading_zeros();
    if shortened != secret && skip_past(input, &mark(&shortened)) == Ok(true) {
        return Ok(Some(shortened));
    }
    let found = skip_past(input, &mark(&secret))?;
    Ok(found.then_some(secret))
}
