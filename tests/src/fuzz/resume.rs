//! Resume records.

use aqueduct_core::resume::{Record, newest};
use sha1::{Digest as _, Sha1};

/// The bytes as they are, which rarely have a valid checksum, and as the content of a record that
/// has one.
pub(super) fn resume(data: &[u8]) {
    let sealed = sealed(data);
    for bytes in [data, &sealed] {
        if let Ok((generation, record)) = Record::decode(bytes) {
            assert_eq!(
                Record::decode(&record.encode(generation)),
                Ok((generation, record.clone()))
            );
            assert_eq!(
                newest(&record.encode(generation), &[]),
                Some((generation, record))
            );
        }
    }
    assert_eq!(
        newest(data, &sealed).is_some(),
        Record::decode(data).is_ok() || Record::decode(&sealed).is_ok()
    );
}

fn sealed(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_be_bytes();
    let mut bytes = [&b"AQRESUME\0\x01\0\0\0\0\0\0\0\x05"[..], &length, content].concat();
    bytes.extend_from_slice(&Sha1::digest(&bytes)[..8]);
    bytes
}
