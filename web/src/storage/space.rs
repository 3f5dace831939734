//! Whether the browser has room for a torrent. What it estimates is made up, to tell pages nothing
//! about the disk, so it is tried: making a file longer counts against what this page may store,
//! and writes nothing.

use crate::storage::opfs::{Folder, FsError, SyncFile};

/// The file that is made longer, in the origin's root.
const PROBE: &str = "room";
/// Halvings in the search for how much is free: enough for a thousandth of what is needed.
const STEPS: u32 = 10;

/// How far the storage has been found to have room for all of a torrent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Room {
    /// Nothing is known: the next write asks.
    #[default]
    Unknown,
    /// Asked in this turn, and not answered yet. Torrents that ask later count it in; it does not
    /// count them, or both would be refused.
    Asked(u64),
    /// There was enough for all that was wanted then.
    Granted,
}

impl Room {
    /// Whether whoever asks in this turn counts in what this torrent still wants.
    pub(crate) const fn comes_before(self, turn: u64) -> bool {
        match self {
            Self::Unknown => false,
            Self::Asked(earlier) => earlier < turn,
            Self::Granted => true,
        }
    }
}

/// Bytes that must still fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    /// What the torrent that asks still wants.
    pub(crate) own: u64,
    /// What the others still want that asked before.
    pub(crate) others: u64,
}

/// Fails if the browser grants this page less than what is needed, and tells how much it does.
pub(crate) async fn check_room(home: &Folder, need: Need) -> Result<(), FsError> {
    let all = need.own.saturating_add(need.others);
    let mut file = home.open(PROBE, true).await?;
    let fits = file.resize(all).is_ok();
    let free = if fits { all } else { free(&mut file, all) };
    drop(file);
    home.remove(PROBE).await?;
    if fits {
        Ok(())
    } else {
        Err(FsError::TooLittle { need, free })
    }
}

/// How far a file can grow that does not grow to `needed` bytes.
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

#[cfg(test)]
mod tests {
    use super::Room;

    #[test]
    fn of_two_that_ask_together_only_the_later_counts_the_other_in() {
        let (first, second) = (Room::Asked(1), Room::Asked(2));
        assert!(first.comes_before(2) && !second.comes_before(1));
        assert!(!first.comes_before(1), "asking again is no later turn");
        assert!(Room::Granted.comes_before(1) && !Room::Unknown.comes_before(2));
    }
}
