//! SHA-1 of two messages at a time.

use aqueduct_core::Rope;
use aqueduct_core::types::Sha1Digest;
use aqueduct_native::hash::{self, Hasher};
use bytes::Bytes;
use sha1::{Digest as _, Sha1};

use super::switch;

/// Two messages, cut into slices that begin at any alignment, have the digests that the `sha1` crate
/// computes, both as pieces and when they are added bit by bit.
pub(super) fn digests(mut data: &[u8]) {
    let share = usize::from(switch(&mut data));
    let cuts = [(); 2].map(|()| 1 + usize::from(switch(&mut data)));
    let data = Bytes::copy_from_slice(data);
    let middle = data.len() * share / usize::from(u8::MAX);
    let messages = [data.slice(..middle), data.slice(middle..)];
    let expected = messages
        .each_ref()
        .map(|message| Sha1Digest::from(Sha1::digest(message)));

    let [a, b] = [0, 1].map(|n| slices(&messages[n], cuts[n]));
    assert_eq!(hash::digest_pair(&a, &b), expected);
    assert_eq!([hash::of_rope(&a), hash::of_rope(&b)], expected);
    assert_eq!(step_by_step(&a, &b), expected);
}

fn slices(message: &Bytes, cut: usize) -> Rope {
    let slices = message.chunks(cut).map(|slice| message.slice_ref(slice));
    Rope(slices.collect())
}

/// As chunks of files come: one of each message, of different lengths.
fn step_by_step(a: &Rope, b: &Rope) -> [Sha1Digest; 2] {
    let mut hashers = [Hasher::default(), Hasher::default()];
    for n in 0..a.0.len().max(b.0.len()) {
        let [a_bytes, b_bytes] = [a, b].map(|rope| rope.0.get(n).map_or(&[][..], |bytes| bytes));
        Hasher::update_pair(hashers.each_mut(), [a_bytes, b_bytes]);
    }
    hashers.map(Hasher::finish)
}
