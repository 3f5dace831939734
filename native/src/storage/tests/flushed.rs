//! What is flushed, and how often.

use std::path::Path;
use std::sync::Arc;

use super::{Faulty, open, torrent, write_all};

#[test]
fn a_folder_is_made_durable_once_however_many_files_it_holds() {
    let root = tempfile::tempdir().unwrap();
    let info = torrent(&[16; 12], 16);
    let disk = Faulty::new(root.path());
    let counts = Arc::clone(&disk.counts);
    let storage = open(root.path(), disk, &info).unwrap();
    write_all(&storage, &info).unwrap();
    // The download folder, the torrent's own, and two in it.
    assert_eq!(counts.folders(), 4);
    storage.flush().unwrap();
    assert_eq!(counts.folders(), 4);
}

#[test]
fn very_many_files_are_flushed_at_once() {
    let roots = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let opened = |root: &Path, files: &[u64]| {
        let disk = Faulty::new(root);
        let counts = Arc::clone(&disk.counts);
        (open(root, disk, &torrent(files, 16)).unwrap(), counts)
    };
    let (storage, counts) = opened(roots[0].path(), &[10; 90]);
    write_all(&storage, storage.info()).unwrap();
    assert_eq!(counts.whole(), 0);
    let (storage, counts) = opened(roots[1].path(), &[10; 300]);
    write_all(&storage, storage.info()).unwrap();
    assert_eq!((counts.whole(), counts.folders()), (1, 0));
}
