//! A file system that takes fewer names than Linux's own.
#![allow(clippy::cast_possible_truncation, reason = "test torrents are small")]

use std::fs;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use aqueduct_core::meta::{Content, Details, Draft, Info, NewFile};
use aqueduct_core::resume::Record;
use aqueduct_core::types::Bitfield;
use aqueduct_core::{Op, Rope};
use bytes::Bytes;
use rustix::io::Errno;

use super::Renamed;
use crate::hash::Buffers;
use crate::storage::disk::Stat;
use crate::storage::records::RecordFiles;
use crate::storage::stored::Stored;
use crate::storage::{Access, Disk, FolderDisk, Handles, Storage, StorageError};

/// FAT as Linux mounts it: some characters and a space at the end are invalid, dots at the end are
/// dropped, case does not count, files have a largest size.
#[derive(Debug)]
struct Fat {
    inner: FolderDisk,
    longest: usize,
    largest: u64,
    /// Whether each spelling has an inode of its own, as with FUSE.
    numbers_names: bool,
}

impl Fat {
    fn new(root: &Path) -> Self {
        Self {
            inner: FolderDisk::open(root).unwrap(),
            longest: 255,
            largest: u64::MAX,
            numbers_names: false,
        }
    }

    fn name(&self, name: &str, access: Access) -> io::Result<String> {
        let kept = name.trim_end_matches('.').to_lowercase();
        let is_invalid = name.contains(['?', '*', '<', '>', '|', '"', ':']) || name.ends_with(' ');
        match access {
            _ if name.len() > self.longest => Err(Errno::NAMETOOLONG.into()),
            Access::Write if is_invalid => Err(Errno::INVAL.into()),
            _ if is_invalid || kept.is_empty() => Err(Errno::NOENT.into()),
            _ => Ok(kept),
        }
    }
}

impl Disk for Fat {
    type File = (fs::File, u64);
    fn open(&self, path: &[String], access: Access) -> io::Result<Self::File> {
        let spelling = path
            .iter()
            .flat_map(|name| name.bytes())
            .fold(7, |hash: u64, byte| hash.wrapping_mul(31) ^ u64::from(byte));
        let path: Vec<String> = path
            .iter()
            .map(|name| self.name(name, access))
            .collect::<Result<_, _>>()?;
        Ok((self.inner.open(&path, access)?, spelling))
    }
    fn stat(&self, (file, spelling): &Self::File) -> io::Result<Stat> {
        let stat = self.inner.stat(file)?;
        Ok(if self.numbers_names {
            Stat {
                inode: *spelling,
                ..stat
            }
        } else {
            stat
        })
    }
    fn stat_at(&self, path: &[String]) -> io::Result<Stat> {
        self.stat(&self.open(path, Access::Read)?)
    }
    fn has_data(&self, file: &Self::File) -> io::Result<bool> {
        self.inner.has_data(&file.0)
    }
    fn set_len(&self, file: &Self::File, size: u64) -> io::Result<()> {
        if size > self.largest {
            Err(Errno::FBIG.into())
        } else {
            self.inner.set_len(&file.0, size)
        }
    }
    fn set_modified(&self, file: &Self::File, modified: u64) -> io::Result<()> {
        self.inner.set_modified(&file.0, modified)
    }
    fn write(&self, file: &Self::File, slices: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
        self.inner.write(&file.0, slices, at)
    }
    fn read(
        &self,
        file: &Self::File,
        into: &mut Vec<u8>,
        length: usize,
        at: u64,
    ) -> io::Result<usize> {
        self.inner.read(&file.0, into, length, at)
    }
    fn sync(&self, file: &Self::File) -> io::Result<()> {
        self.inner.sync(&file.0)
    }
    fn sync_folder(&self, path: &[String]) -> io::Result<()> {
        let path: Vec<String> = path
            .iter()
            .map(|name| self.name(name, Access::Read))
            .collect::<Result<_, _>>()?;
        self.inner.sync_folder(&path)
    }
    fn sync_all(&self) -> io::Result<()> {
        self.inner.sync_all()
    }
    fn device(&self) -> io::Result<u64> {
        self.inner.device()
    }
    fn is_in_place(&self) -> io::Result<bool> {
        self.inner.is_in_place()
    }
    fn free(&self) -> io::Result<u64> {
        self.inner.free()
    }
}

/// Bytes of the first file; the others have one less each.
const SIZE: u64 = 40;

/// A folder of these files.
fn torrent(name: &str, files: &[&str]) -> Arc<Info> {
    let new = |(index, path): (u64, &&str)| NewFile {
        path: path.split('/').map(str::to_owned).collect(),
        size: SIZE - index,
    };
    let content = Content::Folder((0..).zip(files).map(new).collect());
    Draft::new(name, content, None)
        .unwrap()
        .finish(&[[0; 20]], Details::default())
        .unwrap()
        .info
}

/// A file's bytes: its number plus one.
fn content(info: &Info, index: usize) -> Vec<u8> {
    vec![index as u8 + 1; info.files[index].size as usize]
}

fn open<D: Disk>(root: &Path, disk: D, info: &Arc<Info>) -> Storage<D> {
    Storage::new(root, disk, Arc::clone(info), Handles::new(1))
        .unwrap()
        .protecting(true, None)
}

/// Writes the files in this order and reads all of them back.
fn fill<D: Disk>(storage: &Storage<D>, order: impl IntoIterator<Item = usize>) {
    let info = Arc::clone(storage.info());
    for index in order {
        storage
            .write(
                info.files[index].offset,
                &Rope(vec![Bytes::from(content(&info, index))]),
            )
            .unwrap();
    }
    storage.flush().unwrap();
    for (index, file) in info.files.iter().enumerate() {
        assert_eq!(
            storage.read(file.offset, file.size as u32).unwrap(),
            content(&info, index),
            "{:?}",
            file.path
        );
    }
}

fn renamed(own: &str, written: &str) -> Renamed {
    let split = |path: &str| path.split('/').map(str::to_owned).collect();
    Renamed {
        own: split(own),
        written: split(written),
    }
}

#[test]
fn linux_takes_every_name_as_it_is_and_finds_the_data_of_others() {
    let long = "x".repeat(255);
    let names = [
        "Ep 1: Pilot.mkv",
        "What happened...",
        "\u{1f468}\u{200d}\u{1f469}",
        "aux.c",
        "Makefile",
        "makefile",
        "what? *<>|\"",
        "a ",
        &long,
    ];
    let (root, info) = (tempfile::tempdir().unwrap(), torrent("C: ", &names));
    let storage = open(root.path(), FolderDisk::open(root.path()).unwrap(), &info);
    fill(&storage, 0..names.len());
    assert!(storage.take_renamed().is_empty());
    for (index, name) in names.iter().enumerate() {
        assert_eq!(
            fs::read(root.path().join("C: ").join(name)).unwrap(),
            content(&info, index),
            "{name}"
        );
    }
    let again = open(root.path(), FolderDisk::open(root.path()).unwrap(), &info);
    assert!(
        again
            .stamps()
            .iter()
            .zip(&info.files)
            .all(|(stamp, file)| stamp.size == file.size)
    );
}

#[test]
fn names_that_are_refused_are_replaced_told_and_remembered() {
    let info = torrent(
        "Season 1: B",
        &["Why?.mkv", "plain", "extra: x/a", "extra: x/b ", "Why_.mkv"],
    );
    let (root, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    {
        let (records, _) = RecordFiles::open(state.path(), &info.info_hash, root.path()).unwrap();
        let stored = Stored::new(
            open(root.path(), Fat::new(root.path()), &info),
            records,
            Record::new(info.info_hash),
        );
        fill(&stored.storage, 0..5);
        let told = [
            ("Season 1: B/Why?.mkv", "Season 1_ B/Why_ (1).mkv"),
            ("Season 1: B/extra: x/b ", "Season 1_ B/extra_ x/b"),
        ];
        let news = stored.storage.take_renamed();
        assert!(
            told.iter()
                .all(|(own, written)| news.contains(&renamed(own, written))),
            "{news:?}"
        );
        assert!(stored.storage.take_renamed().is_empty(), "told once");
        assert_eq!(stored.storage.top(), root.path().join("Season 1_ B"));
        let save = Op::Save {
            have: Bitfield::all(info.lengths.pieces()),
            uploaded: 0,
            downloaded: 0,
        };
        stored.perform(save, &mut Buffers::default()).unwrap();
    }
    let mut there: Vec<_> = fs::read_dir(root.path().join("season 1_ b"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    there.sort();
    assert_eq!(there, ["extra_ x", "plain", "why_ (1).mkv", "why_.mkv"]);
    let (_, found) = RecordFiles::open(state.path(), &info.info_hash, root.path()).unwrap();
    let record = found.unwrap();
    let again = open(root.path(), Fat::new(root.path()), &info);
    again.apply_names(&record.names).unwrap();
    assert_eq!(again.stamps(), record.stamps);
    fill(&again, []);
    assert!(
        record.names.iter().any(|(index, _)| *index == 0),
        "{:?}",
        record.names
    );
}

#[test]
fn folders_that_become_one_keep_their_files_apart() {
    let info = torrent("t", &["a:b/x", "a_b/x", "a:b/y"]);
    for order in [[0, 1, 2], [2, 1, 0]] {
        let root = tempfile::tempdir().unwrap();
        fill(&open(root.path(), Fat::new(root.path()), &info), order);
        assert_eq!(fs::read_dir(root.path().join("t/a_b")).unwrap().count(), 3);
    }
}

#[test]
fn without_a_record_data_are_found_under_safe_names_by_their_size() {
    let info = torrent("t", &["Ep 1: Pilot.mkv", "b: x", "c: x"]);
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("t")).unwrap();
    fs::write(root.path().join("t/Ep 1_ Pilot.mkv"), content(&info, 0)).unwrap();
    fs::write(root.path().join("t/b: x"), content(&info, 1)).unwrap();
    fs::write(root.path().join("t/b_ x"), content(&info, 1)).unwrap();
    fs::write(root.path().join("t/c_ x"), "another size").unwrap();
    let storage = open(root.path(), FolderDisk::open(root.path()).unwrap(), &info);
    assert_eq!(
        storage.take_renamed(),
        [renamed("t/Ep 1: Pilot.mkv", "t/Ep 1_ Pilot.mkv")]
    );
    assert_eq!(
        storage
            .stamps()
            .iter()
            .map(|stamp| stamp.size)
            .collect::<Vec<_>>(),
        [40, 39, 0]
    );
    fill(&storage, 0..3);
    assert_eq!(
        fs::read(root.path().join("t/c_ x")).unwrap(),
        b"another size"
    );
}

#[test]
fn of_two_names_that_are_one_on_this_file_system_the_second_gets_a_number() {
    let info = torrent("t", &["Makefile", "makefile", "src/A.c", "SRC/a.c"]);
    for (order, numbers_names) in [
        ([0, 1, 2, 3], false),
        ([3, 2, 1, 0], false),
        ([0, 1, 2, 3], true),
        ([3, 2, 1, 0], true),
    ] {
        let root = tempfile::tempdir().unwrap();
        let fat = || Fat {
            numbers_names,
            ..Fat::new(root.path())
        };
        let storage = open(root.path(), fat(), &info);
        fill(&storage, order);
        let news = storage.take_renamed();
        let seconds = if order[0] == 0 {
            ["t/makefile", "t/SRC/a.c"]
        } else {
            ["t/src/A.c", "t/Makefile"]
        };
        assert_eq!(
            news.iter()
                .map(|news| news.own.join("/"))
                .collect::<Vec<_>>(),
            seconds,
            "{news:?}"
        );
        let again = open(root.path(), fat(), &info);
        again.apply_names(&storage.renamed_files()).unwrap();
        fill(&again, [1, 3]);
        assert!(
            again.take_renamed().is_empty(),
            "what is remembered is no news"
        );
        fill(&open(root.path(), fat(), &info), []);
    }
}

#[test]
fn a_hard_link_is_read_as_a_copy_and_parts_when_it_is_written_to() {
    let file = |name: &str| NewFile {
        path: vec![name.to_owned()],
        size: 40,
    };
    let draft = Draft::new(
        "t",
        Content::Folder(vec![file("Makefile"), file("makefile")]),
        None,
    )
    .unwrap();
    let info = draft.finish(&[[0; 20]], Details::default()).unwrap().info;
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("t")).unwrap();
    fs::write(root.path().join("t/Makefile"), [7; 40]).unwrap();
    fs::hard_link(
        root.path().join("t/Makefile"),
        root.path().join("t/makefile"),
    )
    .unwrap();
    let storage = open(root.path(), FolderDisk::open(root.path()).unwrap(), &info);
    assert_eq!(storage.read(0, 80).unwrap(), [7; 80][..]);
    fill(&storage, [1, 0]);
}

#[test]
fn a_file_and_a_folder_of_one_name_part_ways_here() {
    let info = torrent("t", &["a", "A/b", "A/c"]);
    for order in [[0, 1, 2], [2, 1, 0]] {
        let root = tempfile::tempdir().unwrap();
        let storage = open(root.path(), Fat::new(root.path()), &info);
        fill(&storage, order);
        let again = open(root.path(), Fat::new(root.path()), &info);
        again.apply_names(&storage.renamed_files()).unwrap();
        fill(&again, order);
    }
}

#[test]
fn what_stands_in_the_way_and_is_nobodys_rival_is_told() {
    let info = torrent("t", &["A/b"]);
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("t")).unwrap();
    fs::write(root.path().join("t/a"), "a letter").unwrap();
    let error =
        Storage::new(root.path(), Fat::new(root.path()), info, Handles::new(1)).unwrap_err();
    assert!(error.to_string().contains("move it away"), "{error}");
}

#[test]
fn a_safe_name_that_something_else_has_is_left_alone() {
    let info = torrent("t", &["a?"]);
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("t")).unwrap();
    fs::write(root.path().join("t/a_"), "a letter").unwrap();
    let storage = open(root.path(), Fat::new(root.path()), &info);
    fill(&storage, [0]);
    assert_eq!(storage.take_renamed(), [renamed("t/a?", "t/a_ (1)")]);
    assert_eq!(fs::read(root.path().join("t/a_")).unwrap(), b"a letter");
}

#[test]
fn names_that_are_too_long_here_are_cut_and_keep_their_extension() {
    let long = format!("{}.mkv", "é".repeat(120));
    let info = torrent("t", &[&long]);
    let root = tempfile::tempdir().unwrap();
    let storage = open(
        root.path(),
        Fat {
            longest: 143,
            ..Fat::new(root.path())
        },
        &info,
    );
    fill(&storage, [0]);
    let [Renamed { written, .. }] = &storage.take_renamed()[..] else {
        panic!("it was told")
    };
    assert!(
        written[1].len() <= 143 && written[1].ends_with(".mkv"),
        "{written:?}"
    );
}

#[test]
fn a_file_that_is_too_large_for_its_file_system_is_told_as_that() {
    let info = torrent("t", &["a"]);
    let root = tempfile::tempdir().unwrap();
    let storage = open(
        root.path(),
        Fat {
            largest: 39,
            ..Fat::new(root.path())
        },
        &info,
    );
    let error = storage
        .write(0, &Rope(vec![Bytes::from_static(b"x")]))
        .unwrap_err();
    assert!(
        matches!(error, StorageError::TooLarge { size: 40, .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("t/a has 40 bytes, which is more than one file may have there")
            && !error.is_full(),
        "{error}"
    );
}

#[test]
fn a_record_that_was_tampered_with_leads_nowhere_else() {
    let info = torrent("t", &["a"]);
    let root = tempfile::tempdir().unwrap();
    let storage = open(root.path(), FolderDisk::open(root.path()).unwrap(), &info);
    let path = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    let given = [
        (0, path(&["t", ".."])),
        (0, path(&["..", "a"])),
        (0, path(&["t", "x/y"])),
        (0, path(&["t"])),
        (9, path(&["t", "a"])),
    ];
    storage.apply_names(&given).unwrap();
    assert!(storage.renamed_files().is_empty());
}
