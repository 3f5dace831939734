//! Whether the browser grants enough space for a torrent.
//!
//! The estimate that browsers give is deliberately wrong, so that pages learn nothing about the
//! disk. Instead, a file is made longer: that counts against what this page may store, and writes
//! nothing.

use super::error::FsError;
use super::opfs::{Folder, SyncFile};

/// The file that is made longer, in the origin's root.
const PROBE: &str = "room";
/// Steps of the binary search for how much is free: the result is off by at most a thousandth of
/// what is needed.
const STEPS: u32 = 10;

/// Bytes that must still fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    /// What the torrent that asks still wants.
    pub(crate) own: u64,
    /// What the torrents still want that asked earlier.
    pub(crate) others: u64,
}

/// Fails with [`FsError::TooLittle`] if the browser grants this page less than is needed.
pub(super) async fn check_space(home: &Folder, need: Need) -> Result<(), FsError> {
    let Need { own, others } = need;
    let all = own.saturating_add(others);
    let mut file = home.open(PROBE, true).await?;
    let fits = file.resize(all).is_ok();
    let free = if fits { all } else { free(&mut file, all) };
    drop(file);
    home.remove(PROBE).await?;
    if fits {
        Ok(())
    } else {
        Err(FsError::TooLittle { own, others, free })
    }
}

/// How far a file can grow that cannot grow to `needed` bytes.
fn free(file: &mut SyncFile, needed: u64) -> u64 {
    let (mut fits, mut fails) = (0, needed);
    for _ in 0..STEPS {
        let middle = fits + (fails - fits) / 2;
        *if file.resize(middle).is_ok() {
            &mut fits
        } else {
            &mut fails
        } = middle;
    }
    fits
}
