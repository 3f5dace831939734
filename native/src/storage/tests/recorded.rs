//! What a resume record states is found again.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use aqueduct_core::meta::Info;
use aqueduct_core::resume::Record;
use aqueduct_core::types::Bitfield;
use aqueduct_core::{Op, Resumed};

use super::{Faulty, open, torrent, write_all};
use crate::hash::Buffers;
use crate::storage::records::RecordFiles;
use crate::storage::stored::Stored;
use crate::storage::{StorageError, resume};

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
