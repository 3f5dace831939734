//! What other programs do to files is noticed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use aqueduct_core::types::Bitfield;
use aqueduct_core::{FileChange, Rope};
use bytes::Bytes;

use super::{Faulty, open, torrent, write_all};
use crate::storage::{Handles, Storage, StorageError};

#[test]
fn writing_leaves_a_files_time_as_its_stamp_says() {
    let root = tempfile::tempdir().unwrap();
    let info = torrent(&[40, 30], 16);
    let handles = Handles::new(2);
    let storage = Storage::new(
        root.path(),
        Faulty::new(root.path()),
        Arc::clone(&info),
        Arc::clone(&handles),
    )
    .unwrap();
    let write = |offset| {
        storage
            .write(offset, &Rope(vec![Bytes::from_static(&[7; 16])]))
            .unwrap()
    };
    write(0);
    let stamps = storage.stamps();
    write(16);
    // Closes the files of the first torrent that got handles.
    handles.forget(1);
    write(32);
    assert_eq!(storage.stamps()[0], stamps[0]);
    assert_eq!(
        open(root.path(), Faulty::new(root.path()), &info)
            .unwrap()
            .stamps()[0],
        stamps[0]
    );
    fs::write(root.path().join("t/d0/f0"), [1; 40]).unwrap();
    assert_ne!(
        open(root.path(), Faulty::new(root.path()), &info)
            .unwrap()
            .stamps()[0],
        stamps[0]
    );
}

#[test]
fn an_edit_is_noticed_by_whatever_is_done_next_even_if_the_time_was_put_back() {
    let root = tempfile::tempdir().unwrap();
    let info = torrent(&[400, 300], 16);
    let storage = open(root.path(), Faulty::new(root.path()), &info).unwrap();
    write_all(&storage, &info).unwrap();
    let path = root.path().join("t/d0/f0");
    let edit = || {
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"other", 200).unwrap();
        file.set_modified(time).unwrap();
    };
    let piece = |index| info.lengths.piece(index).unwrap();
    let rope = || Rope(vec![Bytes::from_static(&[7; 16])]);
    let uses: [&dyn Fn(); 4] = [
        &|| {
            assert!(matches!(
                storage.read(0, 16),
                Err(StorageError::Changed { .. })
            ))
        },
        &|| {
            assert!(matches!(
                storage.digest(0, 16, &mut Vec::new()),
                Err(StorageError::Changed { .. })
            ))
        },
        &|| storage.write(0, &rope()).unwrap(),
        &|| storage.look_around().unwrap(),
    ];
    for next in uses {
        edit();
        next();
        // Without regard to the interval since the last one.
        storage.report_all_changes();
        assert_eq!(storage.take_changes(), [(0, FileChange::Written)]);
        assert!(storage.read(208, 8).is_err(), "it is not served");
        assert_eq!(
            storage.verified_stamps(&Bitfield::all(25))[0].size,
            u64::MAX,
            "no record states it"
        );
        storage.read(416, 16).unwrap();
        info.lengths
            .pieces_of(0, 400)
            .for_each(|piece| storage.verified(piece, storage.noticed()));
        storage.read(208, 8).unwrap();
    }
    let noticed = storage.noticed();
    storage.verified(piece(0), noticed - 1);
    assert_eq!(storage.take_changes(), []);
}

#[test]
fn a_time_that_moves_again_and_again_without_cause_is_believed_at_last() {
    let root = tempfile::tempdir().unwrap();
    let info = torrent(&[40], 16);
    let storage = open(root.path(), Faulty::new(root.path()), &info).unwrap();
    write_all(&storage, &info).unwrap();
    for mode in (0..20).map(|n| 0o600 + n % 2) {
        fs::set_permissions(
            root.path().join("t/d0/f0"),
            fs::Permissions::from_mode(mode),
        )
        .unwrap();
        storage.look_at_all().unwrap();
    }
    assert_eq!(storage.noticed(), 8);
}

#[test]
fn a_file_that_is_edited_again_is_doubted_at_once_but_reported_later() {
    let root = tempfile::tempdir().unwrap();
    let info = torrent(&[400], 16);
    let storage = open(root.path(), Faulty::new(root.path()), &info).unwrap();
    write_all(&storage, &info).unwrap();
    let edit = |byte| fs::write(root.path().join("t/d0/f0"), [byte; 400]).unwrap();
    edit(1);
    storage.look_around().unwrap();
    assert_eq!(storage.take_changes(), [(0, FileChange::Written)]);
    edit(2);
    storage.look_around().unwrap();
    assert!(storage.read(0, 16).is_err());
    assert_eq!(storage.take_changes(), []);
    storage.report_all_changes();
    assert_eq!(storage.take_changes(), [(0, FileChange::Written)]);
}
