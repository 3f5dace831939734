//! Whether the browser has room for a torrent. What it estimates is made up, to tell pages nothing about the disk, so it is tried: making a
//! file longer counts against what this page may store, and writes nothing.

use super::opfs::{Folder, FsError, SyncFile};

/// The file that is made longer, in the origin's root.
const PROBE: &str = "room";
/// Halvings in the search for how much is free: enough for a thousandth of what is needed.
const STEPS: u32 = 10;

/// How far the storage has been found to have room for all of a torrent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Room {
    /// Nothing is known: the next write asks.
    #[default]
    Unknown,
    /// Asked, and not answered yet. Torrents that ask later count it in.
    Asked,
    /// There was enough for all that was wanted then.
    Granted,
}

/// Bytes that must still fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Need {
    /// What the torrent that asks still wants.
    pub(super) own: u64,
    /// What the others still want that asked before.
    pub(super) others: u64,
}

/// Fails if the browser grants this page less than what is needed, and tells how much it does.
pub(super) async fn check_room(home: &Folder, need: Need) -> Result<(), FsError> {
    let all = need.own.saturating_add(need.others);
    let mut file = home.open(PROBE, true).await?;
    let fits = file.resize(all).is_ok();
    let free = if fits { all } else { free(&mut file, all) };
    drop(file);
    home.remove(PROBE).await?;
    if fits { Ok(()) } else { Err(FsError::TooLittle { need, free }) }
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
