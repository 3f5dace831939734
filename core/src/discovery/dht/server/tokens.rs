//! Tokens (BEP 5): an announcing node must recently have queried us from the same address. Tokens
//! are keyed hashes, so no state is stored per query.

use std::net::IpAddr;
use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use sha1::{Digest, Sha1};

use crate::types::Instant;

/// How long a secret is used; its tokens are accepted for twice as long (BEP 5: five and ten
/// minutes).
const ROTATION: Duration = Duration::from_secs(5 * 60);

/// The length of a token in bytes.
const LENGTH: usize = 8;

type Secret = [u8; 32];

/// The secrets of the tokens.
#[derive(Debug)]
pub(super) struct Tokens {
    current: Secret,
    previous: Secret,
    rotated: Instant,
}

impl Tokens {
    pub(super) fn new(now: Instant, rng: &mut ChaCha8Rng) -> Self {
        Self {
            current: secret(rng),
            previous: secret(rng),
            rotated: now,
        }
    }

    /// Changes the secret if it is due. Call it before the other methods.
    pub(super) fn rotate(&mut self, now: Instant, rng: &mut ChaCha8Rng) {
        let age = now.since(self.rotated);
        if age < ROTATION {
            return;
        }
        self.previous = if age < ROTATION * 2 {
            self.current
        } else {
            secret(rng)
        };
        self.current = secret(rng);
        self.rotated = now;
    }

    pub(super) fn give(&self, ip: IpAddr) -> [u8; LENGTH] {
        token(&self.current, ip)
    }

    pub(super) fn accepts(&self, ip: IpAddr, shown: &[u8]) -> bool {
        [&self.current, &self.previous]
            .into_iter()
            .any(|secret| token(secret, ip) == shown)
    }
}

fn secret(rng: &mut ChaCha8Rng) -> Secret {
    let mut secret = Secret::default();
    rng.fill_bytes(&mut secret);
    secret
}

fn token(secret: &Secret, ip: IpAddr) -> [u8; LENGTH] {
    let mut hash = Sha1::new().chain_update(secret);
    match ip {
        IpAddr::V4(v4) => hash.update(v4.octets()),
        IpAddr::V6(v6) => hash.update(v6.octets()),
    }
    let digest: [u8; 20] = hash.finalize().into();
    std::array::from_fn(|i| digest[i])
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000)
    }

    #[test]
    fn a_token_is_good_for_its_address_for_five_to_ten_minutes() {
        let mut rng = ChaCha8Rng::from_seed([1; 32]);
        let mut tokens = Tokens::new(at(0), &mut rng);
        let (ours, other): (IpAddr, IpAddr) =
            ("1.2.3.4".parse().unwrap(), "1.2.3.5".parse().unwrap());
        let token = tokens.give(ours);
        assert!(
            tokens.accepts(ours, &token)
                && !tokens.accepts(other, &token)
                && !tokens.accepts(ours, &token[..7])
        );
        tokens.rotate(at(301), &mut rng);
        assert!(tokens.accepts(ours, &token) && tokens.give(ours) != token);
        tokens.rotate(at(602), &mut rng);
        assert!(!tokens.accepts(ours, &token));
    }

    #[test]
    fn after_a_long_silence_no_old_secret_is_left() {
        let mut rng = ChaCha8Rng::from_seed([1; 32]);
        let mut tokens = Tokens::new(at(0), &mut rng);
        let ip = "1.2.3.4".parse().unwrap();
        let token = tokens.give(ip);
        tokens.rotate(at(3600), &mut rng);
        assert!(!tokens.accepts(ip, &token));
    }
}
