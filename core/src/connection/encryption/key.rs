//! The Diffie-Hellman key exchange, with a 768-bit prime and the generator 2.

use crypto_bigint::modular::ConstMontyForm;
use crypto_bigint::{U192, U768, const_monty_params};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use crate::connection::outgoing::Outgoing;
use crate::wire::EncryptionError;

/// The length of a public key and of the shared secret in bytes.
pub(super) const KEY: usize = 96;
/// The maximum padding in bytes that each side may send, after its key and in one later place.
pub(super) const MAX_PADDING: usize = 512;
/// The length of a private key in bits, according to the specification.
const PRIVATE_BITS: u32 = 160;
const PRIVATE: usize = 20;

const_monty_params!(
    Prime,
    U768,
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A63A36210000000000090563",
    "What all numbers of the exchange are taken modulo of."
);

type Number = ConstMontyForm<Prime, { U768::LIMBS }>;

/// The shared secret, as it is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Secret {
    bytes: [u8; KEY],
    /// The number of leading bytes that are left out.
    left_out: usize,
}

impl Secret {
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.left_out..).unwrap_or_default()
    }

    /// The secret as rtorrent 0.9.8 hashes it: without its leading zeros, which one in 256 has. The
    /// specification hashes all bytes.
    pub(super) fn without_leading_zeros(self) -> Self {
        let left_out = self.bytes.iter().take_while(|byte| **byte == 0).count();
        Self { left_out, ..self }
    }
}

/// The private key of one exchange. Each is used for one connection only.
#[derive(Debug)]
pub(super) struct PrivateKey(U192);

impl PrivateKey {
    pub(super) fn random(rng: &mut ChaCha8Rng) -> Self {
        let mut bytes = [0; U192::BYTES];
        let (_, private) = bytes.split_at_mut(U192::BYTES - PRIVATE);
        private.fill_with(|| rng.random());
        Self(U192::from_be_slice(&bytes))
    }

    /// The public key.
    pub(super) fn public(&self) -> [u8; KEY] {
        self.raise(&U768::from(2_u8))
    }

    /// Sends the public key with padding of random length.
    pub(super) fn push(&self, rng: &mut ChaCha8Rng, outgoing: &mut Outgoing) {
        outgoing.push_bytes(&self.public());
        let mut padding = [0; MAX_PADDING];
        let length = rng.random_range(0..=MAX_PADDING);
        padding.fill_with(|| rng.random());
        outgoing.push_bytes(padding.get(..length).unwrap_or_default());
    }

    /// The shared secret, with all its bytes.
    pub(super) fn secret(&self, theirs: &[u8; KEY]) -> Result<Secret, EncryptionError> {
        let theirs = U768::from_be_slice(theirs);
        let largest = Number::MODULUS.get().wrapping_sub(&U768::ONE);
        if theirs <= U768::ONE || theirs >= largest {
            return Err(EncryptionError::PublicKey);
        }
        Ok(Secret {
            bytes: self.raise(&theirs),
            left_out: 0,
        })
    }

    fn raise(&self, base: &U768) -> [u8; KEY] {
        let power = Number::new(base)
            .pow_bounded_exp(&self.0, PRIVATE_BITS)
            .retrieve();
        let mut bytes = [0; KEY];
        bytes.copy_from_slice(power.to_be_bytes().as_ref());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn both_sides_find_the_same_secret() {
        let mut rng = ChaCha8Rng::from_seed([3; 32]);
        let (ours, theirs) = (PrivateKey::random(&mut rng), PrivateKey::random(&mut rng));
        let secret = ours.secret(&theirs.public()).unwrap();
        assert_eq!(theirs.secret(&ours.public()).unwrap(), secret);
        assert_ne!(
            PrivateKey::random(&mut rng).secret(&ours.public()),
            Ok(secret)
        );
    }

    #[test]
    fn small_powers_of_the_generator_are_as_one_computes_them() {
        let public = |private: u8| PrivateKey(U192::from(private)).public();
        let mut expected = [0; KEY];
        expected[KEY - 2] = 2;
        assert_eq!(public(9), expected);
        // 2^768 mod p is 2^768 - p, since p has 768 bits.
        let expected = U768::ZERO.wrapping_sub(Number::MODULUS.as_ref());
        let half = PrivateKey(U192::from(2_u8));
        let power = PrivateKey(U192::from(384_u16)).public();
        assert_eq!(
            half.secret(&power).unwrap().as_bytes(),
            expected.to_be_bytes().as_ref()
        );
    }

    #[test]
    fn public_keys_without_a_secret_are_refused() {
        let ours = PrivateKey(U192::from(12345_u32));
        let mut one = [0; KEY];
        one[KEY - 1] = 1;
        let mut largest = [0; KEY];
        largest.copy_from_slice(Number::MODULUS.to_be_bytes().as_ref());
        largest[KEY - 1] -= 1;
        for key in [[0; KEY], one, largest, [0xff; KEY]] {
            assert_eq!(ours.secret(&key), Err(EncryptionError::PublicKey));
        }
    }
}
