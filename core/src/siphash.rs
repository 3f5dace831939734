//! SipHash (Aumasson and Bernstein, 2012): a keyed hash. Without the key nobody can construct
//! collisions or predict values.

/// A key for SipHash with `C` rounds per word and `D` final rounds: 2 and 4 for authentication, 1
/// and 3 for hash tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SipHash<const C: usize, const D: usize> {
    key: [u64; 2],
}

impl<const C: usize, const D: usize> SipHash<C, D> {
    pub(crate) const fn new(key: [u64; 2]) -> Self {
        Self { key }
    }

    pub(crate) fn hash(&self, bytes: &[u8]) -> u64 {
        let [k0, k1] = self.key;
        let mut state = [
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ];
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            absorb::<C>(&mut state, u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        absorb::<C>(
            &mut state,
            u64::from_le_bytes(last) | (bytes.len() as u64) << 56,
        );
        state[2] ^= 0xff;
        (0..D).for_each(|_| round(&mut state));
        state[0] ^ state[1] ^ state[2] ^ state[3]
    }
}

fn absorb<const C: usize>(state: &mut [u64; 4], word: u64) {
    state[3] ^= word;
    (0..C).for_each(|_| round(state));
    state[0] ^= word;
}

const fn round(state: &mut [u64; 4]) {
    let [mut a, mut b, mut c, mut d] = *state;
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    a = a.rotate_left(32);
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    *state = [a, b, c, d];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_the_value_of_its_authors_example() {
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let bytes: Vec<u8> = (0..15).collect();
        assert_eq!(
            SipHash::<2, 4>::new(key).hash(&bytes),
            0xa129_ca61_49be_45e5
        );
    }
}
