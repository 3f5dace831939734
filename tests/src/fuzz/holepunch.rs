//! Holepunching.

use aqueduct_core::extensions::Holepunch;

/// A decoded message (BEP 55) is the same after encoding and decoding, whether or not other bytes
/// follow.
pub(super) fn message(data: &[u8]) {
    let Some(message) = Holepunch::decode(data) else {
        return;
    };
    let encoded = message.encode();
    assert!(encoded.len() == 12 || encoded.len() == 24);
    assert_eq!(Holepunch::decode(&encoded), Some(message));
    let longer = [&encoded[..], b"more"].concat();
    assert_eq!(Holepunch::decode(&longer), Some(message));
}
