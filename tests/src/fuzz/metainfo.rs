//! Bencode and .torrent files.

use std::collections::BTreeSet;

use aqueduct_core::bencode::{Encoded, Encoder, Limits, Value, scan};
use aqueduct_core::meta::{Info, Magnet, Metainfo};
use aqueduct_core::types::is_reordering;
use sha1::{Digest as _, Sha1};

/// What a scan accepts can be traversed to its last value, and is the same after encoding, except
/// for the order of keys.
pub(super) fn bencode(data: &[u8]) {
    let Ok(value) = scan(data, Limits::MESSAGE) else {
        return;
    };
    assert_eq!(value.raw(), data);
    let canonical = rewritten(value).into_bytes();
    assert_eq!(canonical.len(), data.len());
    assert!(scan(&canonical, Limits::MESSAGE.canonical()).is_ok());
    if scan(data, Limits::MESSAGE.canonical()).is_ok() {
        assert_eq!(canonical, data);
    }
}

/// The scan bounds the depth, and thereby the recursion.
fn rewritten(value: Value<'_>) -> Encoded {
    let (int, bytes, list, dict) = (
        value.as_int(),
        value.as_bytes(),
        value.as_list(),
        value.as_dict(),
    );
    match (int, bytes, list, dict) {
        (Some(number), None, None, None) => Encoded::int(number),
        (None, Some(bytes), None, None) => Encoded::bytes(bytes),
        (None, None, Some(list), None) => Encoded::list(list.map(rewritten)),
        (None, None, None, Some(dict)) => {
            let mut out = Encoder::new();
            for (key, value) in dict {
                out.put(key, rewritten(value));
            }
            (&out).into()
        }
        shapes => panic!("{value:?} has the shapes {shapes:?}"),
    }
}

/// An accepted torrent is consistent: it has valid hashes and sizes, its paths stay within the
/// folder, it is the same after encoding, and its magnet link names it.
pub(super) fn metainfo(data: &[u8]) {
    let Ok(metainfo) = Metainfo::parse(data) else {
        return;
    };
    let info = &metainfo.info;
    if let Some(hash) = info.info_hash.v1() {
        assert_eq!(hash.0[..], Sha1::digest(&info.raw)[..]);
        assert_eq!(info.pieces.len(), info.lengths.pieces() as usize * 20);
        assert_eq!(
            info.files.iter().map(|f| f.size).sum::<u64>(),
            info.lengths.total()
        );
    }
    paths_stay_inside(info);
    let again = Metainfo::parse(&metainfo.to_bytes()).map(|m| m.info);
    assert_eq!(again.as_ref(), Ok(info));
    let link = metainfo.magnet().to_string();
    if link.len() <= 64 * 1024 {
        assert_eq!(
            Magnet::parse(&link).map(|m| m.info_hash),
            Ok(info.info_hash)
        );
    }
}

fn paths_stay_inside(info: &Info) {
    let mut seen = BTreeSet::new();
    for file in info.files.iter().filter(|f| !f.pad) {
        assert!(!file.path.is_empty());
        for part in &file.path {
            let escapes =
                ["", ".", ".."].contains(&part.as_str()) || part.contains(['/', '\\', '\0']);
            assert!(
                !escapes
                    && part.len() <= 255
                    && !part.contains(|c: char| c.is_control() || is_reordering(c)),
                "{part:?}"
            );
        }
        assert!(seen.insert(file.path.join("/")), "{:?} twice", file.path);
    }
}
