//! Whether the browser grants enough space for a torrent.
//!
//! The estimate that browsers give is deliberately wrong, so that pages learn nothing about the
//! disk. Instead, a file is extended, which counts against the page's quota and writes nothing.

use super::error::FsError;
use super::opfs::{Folder, SyncFile};
use crate::codec::Encoded;

/// The file that is extended, in the origin's root.
const PROBE: &str = "room";
/// The number of steps of the binary search for the free space: the error is at most a thousandth
/// of the needed space.
const STEPS: u32 = 10;

/// The space that is still needed, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encoded)]
pub(crate) struct Need {
    /// Needed by this torrent.
    pub(crate) own: u64,
    /// Needed by torrents that checked earlier.
    pub(crate) others: u64,
}

/// Fails with [`FsError::TooLittle`] if the browser grants this page less than needed.
pub(super) async fn check_space(root: &Folder, need: Need) -> Result<(), FsError> {
    let Need { own, others } = need;
    let all = own.saturating_add(others);
    let mut file = root.open(PROBE, true).await?;
    let fits = file.resize(all).is_ok();
    let free = if fits { all } else { free(&mut file, all) };
    drop(file);
    root.remove(PROBE).await?;
    if fits {
        Ok(())
    } else {
        Err(FsError::TooLittle { own, others, free })
    }
}

/// The size to which a file can be extended that cannot be extended to `needed` bytes.
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
