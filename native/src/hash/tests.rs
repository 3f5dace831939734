//! Digests beside those of the `sha1` crate.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

/// Some bytes, which begin at any alignment.
fn slice() -> impl Strategy<Value = Bytes> {
    (0..300_usize, 0..64_usize, any::<u8>()).prop_map(|(length, skip, seed)| {
        let byte = |n: usize| seed.wrapping_add((n * n % 251).to_le_bytes()[0]);
        Bytes::from_iter((0..skip + length).map(byte)).slice(skip..)
    })
}

fn rope() -> impl Strategy<Value = Rope> {
    prop::collection::vec(slice(), 0..8).prop_map(Rope)
}

fn expected(data: &Rope) -> Sha1Digest {
    Sha1::digest(data.0.concat()).into()
}

#[test]
fn slices_have_the_digest_of_the_bytes_that_they_make() {
    let rope = Rope(vec![Bytes::from_static(b"a"), Bytes::from_static(b"bc")]);
    assert_eq!(of_rope(&rope), of_bytes(b"abc"));
    assert_eq!(of_bytes(b"abc")[..4], [0xa9, 0x99, 0x3e, 0x36]);
}

#[test]
fn a_message_of_any_length_around_that_of_a_block_is_padded_as_it_must_be() {
    for length in 0..200 {
        let rope = Rope(vec![Bytes::from(vec![0x5a; length])]);
        let other = Rope(vec![Bytes::from(vec![0xa5; 200 - length])]);
        assert_eq!(of_rope(&rope), expected(&rope), "{length} bytes");
        let pair = digest_pair(&rope, &other);
        assert_eq!(pair, [expected(&rope), expected(&other)], "{length} bytes");
    }
}

#[test]
fn two_pieces_in_blocks_have_their_own_digests() {
    let piece = |seed: u8| {
        let block = |n: u8| Bytes::from(vec![seed ^ n; 16 * 1024]);
        Rope((0..16).map(block).collect())
    };
    let pair = digest_pair(&piece(1), &piece(2));
    assert_eq!(pair, [expected(&piece(1)), expected(&piece(2))]);
}

proptest! {
    #[test]
    fn two_messages_have_the_digests_that_each_has_alone(a in rope(), b in rope()) {
        prop_assert_eq!(of_rope(&a), expected(&a));
        prop_assert_eq!(digest_pair(&a, &b), [expected(&a), expected(&b)]);
    }

    #[test]
    fn chunks_may_be_added_to_one_message_and_to_two_in_turn(
        a in prop::collection::vec((slice(), any::<bool>()), 0..8),
        b in prop::collection::vec(slice(), 8),
    ) {
        let (mut alone, mut other) = (Hasher::default(), Hasher::default());
        let mut others = Vec::new();
        for ((bytes, together), second) in a.iter().zip(b) {
            if *together {
                Hasher::update_pair([&mut alone, &mut other], [bytes, &second]);
                others.push(second);
            } else {
                alone.update(bytes);
            }
        }
        let all = Rope(a.into_iter().map(|(bytes, _)| bytes).collect());
        prop_assert_eq!(alone.finish(), expected(&all));
        prop_assert_eq!(other.finish(), expected(&Rope(others)));
    }
}
