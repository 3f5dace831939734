//! What is written is read back, or the error says why not.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use aqueduct_core::meta::Info;
use aqueduct_core::types::Bitfield;
use aqueduct_core::{OpError, Rope};
use bytes::Bytes;
use proptest::prelude::{any, prop, proptest};

use super::{Faulty, content, open, ropes, torrent, write_all};
use crate::storage::{DiskSpace, Storage, StorageError, path_of};

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_written_in_pieces_is_read_back_and_lies_in_the_right_files(
        sizes in prop::collection::vec(0u64..80, 1..9),
        piece_length in 1u64..50,
        stutter in 1usize..20,
        at in any::<u64>(),
    ) {
        let root = tempfile::tempdir().unwrap();
        let info = torrent(&sizes, piece_length);
        let all = content(&info);
        let storage = open(root.path(), Faulty { stutter, ..Faulty::new(root.path()) }, &info).unwrap();
        storage.make_empty_files().unwrap();
        write_all(&storage, &info).unwrap();
        for file in &info.files {
            let path = path_of(root.path(), file);
            assert_eq!(path.exists(), !file.pad);
            if !file.pad {
                assert_eq!(fs::read(path).unwrap(), &all[file.offset as usize..][..file.size as usize]);
            }
        }
        let from = (at % (all.len() as u64 + 1)) as usize;
        assert_eq!(storage.read(from as u64, (all.len() - from) as u32).unwrap(), &all[from..]);
    }
}

fn life(storage: &Storage<Faulty>, info: &Info) -> Result<(), StorageError> {
    storage.make_empty_files()?;
    write_all(storage, info)?;
    storage.digest(0, 16, &mut Vec::new()).map(drop)
}

#[test]
fn whichever_call_fails_nothing_panics_and_trying_again_succeeds() {
    let info = torrent(&[40, 0, 5, 30, 1], 16);
    let mut calls = u64::MAX;
    let mut fails_at = 0;
    while fails_at < calls {
        let root = tempfile::tempdir().unwrap();
        // The first round counts the calls, all others fail one of them.
        let disk = Faulty {
            fails_at: if calls == u64::MAX { calls } else { fails_at },
            ..Faulty::new(root.path())
        };
        let counts = Arc::clone(&disk.counts);
        if let Ok(storage) = open(root.path(), disk, &info) {
            let first = life(&storage, &info);
            if calls == u64::MAX {
                first.unwrap();
                calls = counts.calls();
                continue;
            }
            life(&storage, &info).unwrap();
            assert_eq!(storage.read(0, 76).unwrap(), content(&info));
        }
        fails_at += 1;
    }
    assert!(calls > 30, "{calls}");
}

#[test]
fn without_room_no_file_is_made() {
    let root = tempfile::tempdir().unwrap();
    let info = torrent(&[40, 30], 16);
    let storage = open(
        root.path(),
        Faulty {
            free: 69,
            ..Faulty::new(root.path())
        },
        &info,
    )
    .unwrap();
    let error = storage
        .write(0, &Rope(vec![Bytes::from_static(&[1; 16])]))
        .unwrap_err();
    assert!(error.is_full(), "{error}");
    assert!(
        matches!(OpError::from(error), OpError::Storage { full: true, message } if message.contains("70 bytes") && message.contains("69"))
    );
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    storage.want(vec![false, true]);
    storage
        .write(48, &Rope(vec![Bytes::from_static(&[1; 16])]))
        .unwrap();
}

#[test]
fn missing_and_short_files_are_told_from_errors() {
    let root = tempfile::tempdir().unwrap();
    let info = torrent(&[40, 30], 16);
    let storage = open(root.path(), Faulty::new(root.path()), &info).unwrap();
    assert_eq!(storage.digest(0, 16, &mut Vec::new()).unwrap(), None);
    fs::create_dir_all(root.path().join("t/d0")).unwrap();
    fs::write(root.path().join("t/d0/f0"), [1; 20]).unwrap();
    assert!(storage.digest(0, 16, &mut Vec::new()).unwrap().is_some());
    assert_eq!(storage.digest(16, 16, &mut Vec::new()).unwrap(), None);
    assert!(storage.read(16, 16).unwrap_err().is_missing());
}

#[test]
fn torrents_that_do_not_fit_together_are_told_before_the_second_is_written() {
    let (info, space) = (torrent(&[400], 16), Arc::new(DiskSpace::default()));
    let roots = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let sharing = |root: &Path| {
        open(
            root,
            Faulty {
                free: 700,
                ..Faulty::new(root)
            },
            &info,
        )
        .unwrap()
        .sharing(Arc::clone(&space))
    };
    let (first, second) = (sharing(roots[0].path()), sharing(roots[1].path()));
    let (at, piece) = ropes(&info).swap_remove(0);
    first.write(at, &piece).unwrap();
    let error = second.write(at, &piece).unwrap_err();
    assert!(
        matches!(
            error,
            StorageError::Space {
                needed: 400,
                free: 700,
                reserved: 384,
                ..
            }
        ),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("384 of them for other downloads"),
        "{error}"
    );
    drop(first);
    second.write(at, &piece).unwrap();
}

#[test]
fn each_file_that_a_download_will_write_to_is_looked_at_once() {
    // Many files in one piece, then many pieces in one file.
    for (files, size, piece_length) in [(300, 10, 1 << 14), (1, 16 * 300, 16)] {
        let root = tempfile::tempdir().unwrap();
        let info = torrent(&vec![size; files], piece_length);
        for file in info.files.iter().filter(|file| !file.pad) {
            let path = root.path().join(file.path.join("/"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            File::create(path).unwrap().set_len(size).unwrap();
        }
        let disk = Faulty::new(root.path());
        let counts = Arc::clone(&disk.counts);
        let storage = open(root.path(), disk, &info).unwrap();
        let before = counts.calls();
        let none = Bitfield::none(info.lengths.pieces());
        storage.admit_missing(&none).unwrap();
        let calls = counts.calls() - before;
        assert!(calls <= 5 * files as u64, "{calls} calls for {files} files");
    }
}
