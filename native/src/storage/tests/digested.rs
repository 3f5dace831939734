//! Pieces on disk, digested alone and two at a time.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use aqueduct_core::meta::Info;
use aqueduct_core::resume::Record;
use aqueduct_core::types::{Piece, PieceDigest, Sha1Digest};
use aqueduct_core::{CheckRange, Op, OpResult};

use super::{Faulty, content, open, torrent, write_all};
use crate::hash::{self, Buffers, CHUNK};
use crate::storage::records::RecordFiles;
use crate::storage::stored::{self, Stored};
use crate::storage::{Storage, StorageError};

/// A piece of more than one chunk.
const LONG: u64 = CHUNK as u64 + 1000;

fn range(info: &Info, piece: Piece) -> (u64, u32) {
    (info.lengths.offset(piece), info.lengths.size(piece))
}

fn expected(info: &Info, piece: Piece) -> Sha1Digest {
    let (offset, length) = range(info, piece);
    hash::of_bytes(&content(info)[offset as usize..][..length as usize])
}

fn digest_pair(storage: &Storage<Faulty>, pieces: [Piece; 2]) -> [Option<Sha1Digest>; 2] {
    let ranges = pieces.map(|piece| range(storage.info(), piece));
    Storage::digest_pair([storage, storage], ranges, &mut Buffers::default()).map(Result::unwrap)
}

#[test]
fn two_pieces_of_any_files_and_lengths_have_the_digests_of_their_bytes() {
    let root = tempfile::tempdir().unwrap();
    // Files end within pieces and within chunks; one is a pad; the last piece is short.
    let info = torrent(&[LONG + 77, 5, 3 * LONG, 900, LONG], LONG);
    let disk = Faulty {
        stutter: 50_000,
        ..Faulty::new(root.path())
    };
    let storage = open(root.path(), disk, &info).unwrap();
    write_all(&storage, &info).unwrap();
    for first in info.lengths.iter() {
        for second in info.lengths.iter() {
            let digests = digest_pair(&storage, [first, second]);
            let expected = [first, second].map(|piece| Some(expected(&info, piece)));
            assert_eq!(digests, expected, "{first:?} and {second:?}");
        }
    }
}

#[test]
fn every_piece_of_a_torrent_is_digested() {
    let root = tempfile::tempdir().unwrap();
    let info = torrent(&[LONG + 77, 900, 16, 3 * LONG], LONG / 8);
    let storage = open(root.path(), Faulty::new(root.path()), &info).unwrap();
    write_all(&storage, &info).unwrap();
    let right = std::sync::Mutex::new(0);
    storage
        .digest_all(&|piece, digest| {
            assert_eq!(digest?, Some(expected(&info, piece)));
            *right.lock().unwrap() += 1;
            Ok(true)
        })
        .unwrap();
    assert_eq!(right.into_inner().unwrap(), info.lengths.pieces());
}

#[test]
fn of_two_pieces_one_that_is_missing_or_unreadable_leaves_the_other_its_digest() {
    let root = tempfile::tempdir().unwrap();
    let info = torrent(&[2 * LONG, LONG], LONG);
    let storage = open(root.path(), Faulty::new(root.path()), &info).unwrap();
    write_all(&storage, &info).unwrap();
    let pieces: Vec<_> = info.lengths.iter().collect();
    let good = Some(expected(&info, pieces[0]));
    fs::write(root.path().join("t/d1/f1"), vec![1; LONG as usize]).unwrap();
    let ranges = [pieces[0], pieces[2]].map(|piece| range(&info, piece));
    let digests = Storage::digest_pair([&storage, &storage], ranges, &mut Buffers::default());
    assert!(matches!(
        digests,
        [Ok(digest), Err(StorageError::Changed { .. })] if digest == good
    ));
    fs::remove_file(root.path().join("t/d1/f1")).unwrap();
    let storage = open(root.path(), Faulty::new(root.path()), &info).unwrap();
    assert_eq!(digest_pair(&storage, [pieces[0], pieces[2]]), [good, None]);
    assert_eq!(digest_pair(&storage, [pieces[2], pieces[0]]), [None, good]);
}

fn stored(root: &Path, state: &Path, info: &Arc<Info>) -> Stored<Faulty> {
    let (records, _) = RecordFiles::open(state, &info.info_hash, root).unwrap();
    let storage = open(root, Faulty::new(root), info).unwrap();
    Stored::new(storage, records, Record::new(info.info_hash))
}

#[test]
fn of_two_checks_one_whose_file_has_just_changed_is_read_again() {
    let (root, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let info = torrent(&[2 * LONG, LONG], LONG);
    let stored = stored(root.path(), state.path(), &info);
    write_all(&stored.storage, &info).unwrap();
    let check = |piece: u32| {
        let piece = info.lengths.piece(piece).unwrap();
        let (offset, length) = range(&info, piece);
        let range = CheckRange {
            piece,
            offset,
            length,
        };
        (Some(&stored), Op::Check(range))
    };
    let both = || stored::perform_pair([check(0), check(2)], &mut Buffers::default());
    let digest = |digest| Ok(OpResult::Digest(PieceDigest::V1(digest)));
    let first = digest(expected(&info, info.lengths.piece(0).unwrap()));
    let second = digest(expected(&info, info.lengths.piece(2).unwrap()));
    assert_eq!(both(), [first.clone(), second]);
    fs::write(root.path().join("t/d1/f1"), vec![7; LONG as usize]).unwrap();
    let changed = digest(hash::of_bytes(&vec![7; LONG as usize]));
    assert_eq!(both(), [first.clone(), changed]);
    fs::remove_file(root.path().join("t/d1/f1")).unwrap();
    assert_eq!(both(), [first, Ok(OpResult::Missing)]);
}
