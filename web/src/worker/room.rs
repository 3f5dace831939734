//! Whether the browser has room for a torrent. What it estimates is made up, to tell pages nothing about the disk, so it is tried: making a
//! file longer counts against what this page may store, and writes nothing.

use super::opfs::{Folder, FsError, SyncFile};

/// The file that is made longer, in the origin's root.
const PROBE: &str = "room";
/// Halvings in the search for how much is free: enough for a thousandth of what is needed.
const STEPS: u32 = 10;

/// Fails if the browser grants this page less than `needed` bytes more, and tells how much it does.
pub(super) async fn check_room(home: &Folder, needed: u64) -> Result<(), FsError> {
    let mut file = home.open(PROBE, true).await?;
    let fits = file.resize(needed).is_ok();
    let free = if fits { needed } else { free(&mut file, needed) };
    drop(file);
    home.remove(PROBE).await?;
    if fits { Ok(()) } else { Err(FsError::TooLittle { needed, free }) }
}

/// How far a file can grow that does not grow to `needed` bytes.
fn free(file: &mut SyncFile, needed: u64) -> u64 {
    let (mut fits, mut fails) = (0, needed);
    for _ in 0..STEPS {
        let middle = fits + (fails - fits) / 2;
        *if file.resize(middle).is_ok() { &mut fits } else { &mut fails } = middle;
    }
    fits
}
