//! What a resume record states is found again.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use aqueduct_core::meta::Info;
use aqueduct_core::resume::{FileStamp, Record};
use aqueduct_core::types::{Bitfield, InfoHash, InfoHashV1};
use aqueduct_core::{Op, Resumed};

use super::{Faulty, open, ropes, torrent, write_all};
use crate::hash::Buffers;
use crate::storage::records::{OtherRecords, RecordFiles};
use crate::storage::stored::Stored;
use crate::storage::{Storage, StorageError, resume};

fn stored(root: &Path, state: &Path, info: &Arc<Info>) -> (Stored<Faulty>, Option<Record>) {
    let (records, found) = RecordFiles::open(state, &info.info_hash, root).unwrap();
    let template = Record::new(info.info_hash);
    (
        Stored::new(
            open(root, Faulty::new(root), info).unwrap(),
            records,
            template,
        ),
        found,
    )
}

#[test]
fn a_saved_record_is_found_again_and_only_changed_files_are_checked() {
    let (root, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let info = torrent(&[400, 300], 16);
    {
        let (stored, found) = stored(root.path(), state.path(), &info);
        assert_eq!(found, None);
        write_all(&stored.storage, &info).unwrap();
        for _ in 0..3 {
            let save = Op::Save {
                have: Bitfield::all(info.lengths.pieces()),
                uploaded: 1,
                downloaded: 2,
            };
            stored.perform(save, &mut Buffers::default()).unwrap();
        }
        assert!(matches!(
            RecordFiles::open(state.path(), &info.info_hash, root.path()),
            Err(StorageError::Busy { .. })
        ));
    }
    let judged = |found| {
        resume::judge(
            &info,
            &open(root.path(), Faulty::new(root.path()), &info)
                .unwrap()
                .stamps(),
            found,
            0,
        )
    };
    let again = || stored(root.path(), state.path(), &info).1;
    let Resumed::Record {
        have,
        check,
        sample,
        uploaded: 1,
        downloaded: 2,
    } = judged(again())
    else {
        panic!("no record")
    };
    assert!(
        have.is_all() && check.is_empty() && sample.len() == resume::SAMPLE,
        "{check:?} {sample:?}"
    );
    fs::write(root.path().join("t/d1/f1"), [1; 300]).unwrap();
    let Resumed::Record { check, .. } = judged(again()) else {
        panic!("no record")
    };
    assert_eq!(check, (25..44).collect::<Vec<_>>());
    assert!(matches!(judged(None), Resumed::Check));
}

#[test]
fn a_damaged_record_falls_back_to_the_one_before() {
    let (root, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let info = torrent(&[400], 16);
    {
        let (stored, _) = stored(root.path(), state.path(), &info);
        for uploaded in 1..=2 {
            stored
                .perform(
                    Op::Save {
                        have: Bitfield::none(25),
                        uploaded,
                        downloaded: 0,
                    },
                    &mut Buffers::default(),
                )
                .unwrap();
        }
    }
    let newest = fs::read_dir(state.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().unwrap() == "0")
        .unwrap();
    let mut bytes = fs::read(&newest).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&newest, bytes).unwrap();
    assert_eq!(
        stored(root.path(), state.path(), &info).1.unwrap().uploaded,
        1
    );
}

/// Saves a record that states `have`.
fn save(stored: &Stored<Faulty>, have: Bitfield) {
    let save = Op::Save {
        have,
        uploaded: 0,
        downloaded: 0,
    };
    stored.perform(save, &mut Buffers::default()).unwrap();
}

/// The files as the next start finds them, with what the record states of them.
fn next_start(root: &Path, state: &Path, info: &Arc<Info>) -> Storage<Faulty> {
    let (_, found) = RecordFiles::open(state, &info.info_hash, root).unwrap();
    let storage = open(root, Faulty::new(root), info).unwrap();
    storage.apply_record(&found.unwrap());
    storage
}

#[test]
fn a_file_put_where_the_record_states_another_is_not_written_to() {
    let diaries: [&[u8]; 3] = [b"my own diary", &[7; 400], &[7; 500]];
    for diary in diaries {
        let (root, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let info = torrent(&[400, 300], 1 << 10);
        let (stored, _) = stored(root.path(), state.path(), &info);
        write_all(&stored.storage, &info).unwrap();
        save(&stored, Bitfield::all(1));
        drop(stored);
        let path = root.path().join("t/d0/f0");
        fs::write(&path, diary).unwrap();
        let storage = next_start(root.path(), state.path(), &info);
        let (none, written) = (Bitfield::none(1), write_all(&storage, &info));
        for refused in [storage.admit_missing(&none), written] {
            assert!(matches!(refused, Err(StorageError::InTheWay { .. })));
        }
        assert_eq!(fs::read(&path).unwrap(), diary);
    }
}

#[test]
fn a_file_that_was_made_and_holds_no_whole_piece_yet_is_written_to_at_the_next_start() {
    for (size, is_ours) in [(400, true), (399, false)] {
        let (root, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let info = torrent(&[400], 16);
        let (stored, _) = stored(root.path(), state.path(), &info);
        let (offset, rope) = ropes(&info).remove(3);
        stored.storage.write(offset, &rope).unwrap();
        save(&stored, Bitfield::none(25));
        drop(stored);
        // As an interrupted write leaves it: with some bytes that match nothing.
        fs::write(root.path().join("t/d0/f0"), vec![9; size]).unwrap();
        let storage = next_start(root.path(), state.path(), &info);
        assert_eq!(storage.write(offset, &rope).is_ok(), is_ours, "{size}");
    }
}

#[test]
fn the_records_of_other_torrents_are_read_once_however_many_files_are_asked_about() {
    let (root, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let info = torrent(&[400, 300], 16);
    let (stored, _) = stored(root.path(), state.path(), &info);
    write_all(&stored.storage, &info).unwrap();
    save(&stored, Bitfield::all(info.lengths.pieces()));
    let own = InfoHash::V1(InfoHashV1([2; 20]));
    let others = OtherRecords::new(state.path(), &own, root.path()).unwrap();
    let stamps = stored.storage.stamps();
    assert_eq!(others.holder(stamps[0]), Some(info.info_hash));
    fs::remove_dir_all(state.path()).unwrap();
    assert_eq!(others.holder(stamps[1]), Some(info.info_hash));
    let unknown = FileStamp {
        modified: 1,
        ..stamps[0]
    };
    assert_eq!(others.holder(unknown), None);
}
