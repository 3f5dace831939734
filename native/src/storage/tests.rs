//! Files on a disk that works, that stutters, and that fails at any call.
#![allow(clippy::cast_possible_truncation, reason = "test torrents are small")]

use std::fs;
use std::io::{self, IoSlice};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aqueduct_core::meta::{File, Info};
use aqueduct_core::resume::Record;
use aqueduct_core::types::{Bitfield, InfoHash, InfoHashV1, Lengths};
use aqueduct_core::{FileChange, Op, OpError, Resumed, Rope};
use bytes::Bytes;
use proptest::prelude::{any, prop, proptest};

use super::disk::Stat;
use super::state::RecordFiles;
use super::stored::Stored;
use super::{Access, Beneath, Disk, Handles, Room, Storage, StorageError, path_of, resume};

/// A folder whose calls fail, stutter or lie about the room.
#[derive(Debug)]
struct Faulty {
    inner: Beneath,
    calls: AtomicU64,
    /// Folders that were made durable.
    folders: AtomicU64,
    /// Times that everything was.
    whole: AtomicU64,
    /// The call that fails, counted from 0.
    fails_at: u64,
    /// The most that one read or write moves.
    stutter: usize,
    free: u64,
}

impl Faulty {
    fn new(root: &Path) -> Self {
        Self {
            inner: Beneath::open(root).unwrap(),
            calls: AtomicU64::new(0),
            folders: AtomicU64::new(0),
            whole: AtomicU64::new(0),
            fails_at: u64::MAX,
            stutter: usize::MAX,
            free: u64::MAX,
        }
    }

    fn call(&self) -> io::Result<&Beneath> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        if call == self.fails_at {
            Err(io::Error::other("injected"))
        } else {
            Ok(&self.inner)
        }
    }
}

impl Disk for Faulty {
    type File = fs::File;
    fn open(&self, path: &[String], access: Access) -> io::Result<fs::File> {
        self.call()?.open(path, access)
    }
    fn stat(&self, file: &fs::File) -> io::Result<Stat> {
        self.call()?.stat(file)
    }
    fn stat_at(&self, path: &[String]) -> io::Result<Stat> {
        self.call()?.stat_at(path)
    }
    fn has_data(&self, file: &fs::File) -> io::Result<bool> {
        self.call()?.has_data(file)
    }
    fn set_len(&self, file: &fs::File, size: u64) -> io::Result<()> {
        self.call()?.set_len(file, size)
    }
    fn set_modified(&self, file: &fs::File, modified: u64) -> io::Result<()> {
        self.call()?.set_modified(file, modified)
    }
    fn write(&self, file: &fs::File, slices: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
        let first = slices
            .iter()
            .find(|slice| !slice.is_empty())
            .map_or(&[][..], |slice| &slice[..]);
        match self.stutter {
            usize::MAX => self.call()?.write(file, slices, at),
            stutter => self.call()?.write(
                file,
                &[IoSlice::new(&first[..first.len().min(stutter)])],
                at,
            ),
        }
    }
    fn read(
        &self,
        file: &fs::File,
        into: &mut Vec<u8>,
        length: usize,
        at: u64,
    ) -> io::Result<usize> {
        self.call()?.read(file, into, length.min(self.stutter), at)
    }
    fn sync(&self, file: &fs::File) -> io::Result<()> {
        self.call()?.sync(file)
    }
    fn sync_folder(&self, path: &[String]) -> io::Result<()> {
        self.folders.fetch_add(1, Ordering::Relaxed);
        self.call()?.sync_folder(path)
    }
    fn sync_all(&self) -> io::Result<()> {
        self.whole.fetch_add(1, Ordering::Relaxed);
        self.call()?.sync_all()
    }
    fn device(&self) -> io::Result<u64> {
        self.call()?.device()
    }
    fn free(&self) -> io::Result<u64> {
        self.call()?;
        Ok(self.free)
    }
}

/// A torrent of files of these sizes; every third is a pad.
fn torrent(sizes: &[u64], piece_length: u64) -> Arc<Info> {
    let mut offset = 0;
    let mut file = |(n, &size): (usize, &u64)| {
        let file = File {
            path: vec!["t".into(), format!("d{}", n % 2), format!("f{n}")],
            offset,
            size,
            pad: n % 3 == 2,
        };
        offset += size;
        file
    };
    let files: Vec<_> = sizes.iter().enumerate().map(&mut file).collect();
    Arc::new(Info {
        info_hash: InfoHash::V1(InfoHashV1([1; 20])),
        raw: Bytes::from_static(b"de"),
        name: "t".into(),
        lengths: Lengths::new(offset, piece_length).unwrap(),
        pieces: Bytes::new(),
        files,
        multi: true,
        private: false,
        source: None,
    })
}

/// The torrent's bytes: pads are zeros.
fn content(info: &Info) -> Vec<u8> {
    let byte = |file: &File, n: u64| {
        if file.pad {
            0
        } else {
            (file.offset + n) as u8 | 1
        }
    };
    info.files
        .iter()
        .flat_map(|file| (0..file.size).map(move |n| byte(file, n)))
        .collect()
}

fn open(root: &Path, disk: Faulty, info: &Arc<Info>) -> Result<Storage<Faulty>, StorageError> {
    Storage::new(root, disk, Arc::clone(info), Handles::new(2))
}

fn ropes(info: &Info) -> Vec<(u64, Rope)> {
    let content = Bytes::from(content(info));
    let piece = |piece| {
        let (offset, size) = (info.lengths.offset(piece), info.lengths.size(piece));
        let bytes = content.slice(offset as usize..offset as usize + size as usize);
        let (a, b) = (
            bytes.slice(..bytes.len() / 3),
            bytes.slice(bytes.len() / 3..),
        );
        (offset, Rope(vec![a, b]))
    };
    info.lengths.iter().map(piece).collect()
}

fn write_all(storage: &Storage<Faulty>, info: &Info) -> Result<(), StorageError> {
    ropes(info)
        .into_iter()
        .try_for_each(|(offset, rope)| storage.write(offset, &rope))?;
    storage.flush()
}

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
        if let Ok(storage) = open(root.path(), disk, &info) {
            let first = life(&storage, &info);
            if calls == u64::MAX {
                first.unwrap();
                calls = storage.disk.calls.load(Ordering::Relaxed);
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
fn a_folder_is_made_durable_once_however_many_files_it_holds() {
    let root = tempfile::tempdir().unwrap();
    let info = torrent(&[16; 12], 16);
    let storage = open(root.path(), Faulty::new(root.path()), &info).unwrap();
    write_all(&storage, &info).unwrap();
    // The download folder, the torrent's own, and two in it.
    assert_eq!(storage.disk.folders.load(Ordering::Relaxed), 4);
    storage.flush().unwrap();
    assert_eq!(storage.disk.folders.load(Ordering::Relaxed), 4);
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
fn writing_leaves_a_files_time_as_its_stamp_says() {
    let root = tempfile::tempdir().unwrap();
    let info = torrent(&[40, 30], 16);
    let storage = open(root.path(), Faulty::new(root.path()), &info).unwrap();
    let write = |offset| {
        storage
            .write(offset, &Rope(vec![Bytes::from_static(&[7; 16])]))
            .unwrap()
    };
    write(0);
    let stamps = storage.stamps();
    write(16);
    storage.handles.forget(storage.owner);
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
        assert_eq!(storage.take_changes(), [(0, FileChange::Written)]);
        assert!(storage.read(208, 8).is_err(), "nobody gets it");
        assert_eq!(
            storage.vouched_stamps()[0].size,
            u64::MAX,
            "no record vouches for it"
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
            stored.perform(save, &mut Vec::new()).unwrap();
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
fn a_torn_record_falls_back_to_the_one_before() {
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
                    &mut Vec::new(),
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

#[test]
fn torrents_that_do_not_fit_together_are_told_before_the_second_is_written() {
    let (info, room) = (torrent(&[400], 16), Arc::new(Room::default()));
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
        .sharing(Arc::clone(&room))
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
                promised: 384,
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
fn very_many_files_are_flushed_at_once() {
    let roots = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let opened =
        |root: &Path, files: &[u64]| open(root, Faulty::new(root), &torrent(files, 16)).unwrap();
    let storage = opened(roots[0].path(), &[10; 90]);
    write_all(&storage, storage.info()).unwrap();
    assert_eq!(storage.disk.whole.load(Ordering::Relaxed), 0);
    let storage = opened(roots[1].path(), &[10; 300]);
    write_all(&storage, storage.info()).unwrap();
    assert_eq!(
        (
            storage.disk.whole.load(Ordering::Relaxed),
            storage.disk.folders.load(Ordering::Relaxed)
        ),
        (1, 0)
    );
}
