//! How the tab's storage is laid out, for the worker that writes it and the page that saves from
//! it.
//!
//! `torrents/INFO-HASH/INDEX`: a folder per info-hash, a file per index of the torrent; small files
//! of torrents with very many files are combined in `torrents/INFO-HASH/pack-INDEX`
//! ([`super::arrangement`]). A torrent's own names never reach the file system. A torrent that is
//! created here has no info-hash before all of it is stored: its folder has a random name.

use aqueduct_core::meta::Info;
use aqueduct_core::types::{Bitfield, Piece};

/// The folder of all torrents, in the root of the origin's private file system.
pub(crate) const ROOT: &str = "torrents";

/// Prefix of the folders of torrents that were created here.
const CREATED_HERE: &str = "made-";

/// The two slots of a torrent's resume record.
pub(crate) const RECORDS: [&str; 2] = ["record-a", "record-b"];

/// An empty file that marks a torrent as removed. A worker that finds it at its start deletes the
/// torrent's folder.
pub(crate) const REMOVED: &str = "removed";

/// The file that marks the folder of a torrent that is being created of the user's own files, and
/// contains the torrent's name. Without a record beside it, the copy was interrupted.
pub(crate) const CREATING: &str = "making";

/// The file, in the origin's root, with the token for the bridge.
pub(crate) const TOKEN: &str = "bridge-token";

/// The folder of a torrent that is created here.
pub(crate) fn created_folder(random: [u8; 8]) -> String {
    format!("{CREATED_HERE}{:016x}", u64::from_be_bytes(random))
}

/// Whether a folder is that of a torrent that was created here.
pub(crate) fn is_created_here(folder: &str) -> bool {
    folder.starts_with(CREATED_HERE)
}

/// For each file, its minimum length when these pieces are stored: the end of its last byte in one
/// of them. 0 for padding.
pub(crate) fn ends(info: &Info, have: &Bitfield) -> Vec<u64> {
    per_file(info, have, |end, span| *end = span.end.max(*end))
}

/// For each file, the number of its bytes in these pieces.
pub(crate) fn amounts(info: &Info, have: &Bitfield) -> Vec<u64> {
    if have.is_all() {
        return info.files.iter().map(|file| file.size).collect();
    }
    per_file(info, have, |bytes, span| *bytes += span.end - span.start)
}

/// The pieces that contain bytes of a file.
pub(crate) fn pieces_of(info: &Info, file: usize) -> impl Iterator<Item = Piece> + use<> {
    let (offset, size) = info
        .files
        .get(file)
        .map_or((0, 0), |file| (file.offset, file.size));
    info.lengths.pieces_of(offset, size)
}

/// Folds the ranges of each file in these pieces.
fn per_file(
    info: &Info,
    have: &Bitfield,
    mut fold: impl FnMut(&mut u64, std::ops::Range<u64>),
) -> Vec<u64> {
    let mut folded = vec![0; info.files.len()];
    for piece in have.ones().filter_map(|index| info.lengths.piece(index)) {
        for span in info.layout(info.lengths.offset(piece), info.lengths.size(piece).into()) {
            let pad = info.files.get(span.file).is_none_or(|file| file.pad);
            if let (Some(value), false) = (folded.get_mut(span.file), pad) {
                fold(
                    value,
                    span.at..span.at + (span.range.end - span.range.start),
                );
            }
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;
    use aqueduct_core::meta::Info;
    use bytes::Bytes;

    /// Files of 10, 5 and 25 bytes in pieces of 16.
    fn info() -> Info {
        let raw = format!(
            "d5:filesld6:lengthi10e4:pathl1:aeed6:lengthi5e4:pathl1:beed6:lengthi25e4:pathl1:ceee4:name1:t12:piece lengthi16e6:pieces60:{}e",
            "x".repeat(60)
        );
        Info::parse(Bytes::from(raw)).unwrap()
    }

    fn have(pieces: &[u32]) -> Bitfield {
        let mut have = Bitfield::none(3);
        for &piece in pieces {
            have.set(info().lengths.piece(piece).unwrap());
        }
        have
    }

    #[test]
    fn the_first_piece_needs_the_first_files_whole_and_the_third_begun() {
        assert_eq!(ends(&info(), &have(&[0])), [10, 5, 1]);
        assert_eq!(ends(&info(), &have(&[2])), [0, 0, 25]);
        assert_eq!(ends(&info(), &have(&[])), [0, 0, 0]);
    }

    #[test]
    fn amounts_count_bytes_and_not_ends() {
        assert_eq!(amounts(&info(), &have(&[2])), [0, 0, 8]);
        assert_eq!(amounts(&info(), &have(&[0, 1, 2])), [10, 5, 25]);
        assert_eq!(amounts(&info(), &have(&[1])), [0, 0, 16]);
    }
}
