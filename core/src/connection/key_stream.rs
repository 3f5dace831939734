//! RC4, the cipher of encrypted connections, which encrypts and decrypts in the same way.
//!
//! Written here for its speed, since RC4 is most of what an encrypted connection costs: on the
//! machine of `docs/performance.md` the crate `rc4`, with which the tests compare it, takes almost
//! twice as long. Three things make the difference. The state is kept in words of 32 bits, which
//! need no widening. Eight bytes of the key stream are applied at once. And the next element of the
//! state is read before the two stores of a step: the processor would otherwise guess that the
//! stores do not concern it, and start over where they did.

/// The number of bytes that are applied at once.
const WORD: usize = 8;
/// Selects the part of a number that RC4 calculates with.
const BYTE: u32 = 0xff;

/// The state of one direction.
pub(super) struct KeyStream {
    /// A permutation of 0 to 255.
    state: [u32; 256],
    /// Both at most 255.
    i: u32,
    j: u32,
}

impl KeyStream {
    /// The key schedule. Keys have 1 to 256 bytes; of a longer one the rest is ignored.
    pub(super) fn new(key: &[u8]) -> Self {
        let mut state = [0; 256];
        (0..).zip(&mut state).for_each(|(n, element)| *element = n);
        let mut j = 0;
        for (i, byte) in (0..state.len()).zip(key.iter().cycle()) {
            j = (j + at(&state, i) + u32::from(*byte)) & BYTE;
            state.swap(i, j as usize);
        }
        Self { state, i: 0, j: 0 }
    }

    /// Applies the next bytes of the key stream.
    pub(super) fn apply(&mut self, bytes: &mut [u8]) {
        let Self { state, i, j } = self;
        // In registers, unlike the fields.
        let (mut at_i, mut at_j) = (*i, *j);
        let mut element = at(state, (at_i + 1) as usize);
        let mut next = || {
            at_i = (at_i + 1) & BYTE;
            at_j = (at_j + element) & BYTE;
            let following = (at_i + 1) & BYTE;
            let (other, early) = (at(state, at_j as usize), at(state, following as usize));
            state[(at_j & BYTE) as usize] = element;
            state[(at_i & BYTE) as usize] = other;
            let key = at(state, (element + other) as usize);
            element = if following == at_j { element } else { early };
            key
        };
        let (words, rest) = bytes.as_chunks_mut::<WORD>();
        for word in words {
            let keys = (0..WORD).fold(0, |keys, n| keys | u64::from(next()) << (8 * n));
            *word = (u64::from_le_bytes(*word) ^ keys).to_le_bytes();
        }
        for byte in rest {
            let [key, ..] = next().to_le_bytes();
            *byte ^= key;
        }
        (*i, *j) = (at_i, at_j);
    }
}

/// An element of the state, by an index modulo 256.
const fn at(state: &[u32; 256], index: usize) -> u32 {
    state[index & 0xff]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};
    use rc4::{KeyInit as _, Rc4, StreamCipher as _};

    use super::*;

    #[test]
    fn the_key_stream_is_that_of_rfc_6229() {
        let mut stream = [0; 1040];
        KeyStream::new(&[1, 2, 3, 4, 5]).apply(&mut stream);
        assert_eq!(stream[..4], [0xb2, 0x39, 0x63, 0x05]);
        assert_eq!(stream[1024..1028], [0x30, 0xab, 0xbc, 0xc7]);
    }

    proptest! {
        #[test]
        fn any_key_gives_the_stream_of_the_crate_however_the_bytes_are_cut(
            key in proptest::collection::vec(any::<u8>(), 1..=256),
            parts in proptest::collection::vec(0usize..700, 1..8),
        ) {
            let mut bytes: Vec<u8> = (0..=u8::MAX).cycle().take(parts.iter().sum()).collect();
            let mut expected = bytes.clone();
            Rc4::new_from_slice(&key).unwrap().apply_keystream(&mut expected);
            let (mut stream, mut rest) = (KeyStream::new(&key), &mut bytes[..]);
            for part in parts {
                let (now, later) = rest.split_at_mut(part);
                stream.apply(now);
                rest = later;
            }
            prop_assert_eq!(bytes, expected);
        }
    }
}
