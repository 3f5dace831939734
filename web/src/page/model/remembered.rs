//! What the page stores about its torrents outside the storage that contains them, so that it can
//! detect that the browser has deleted that.

use serde::{Deserialize, Serialize};

use crate::message::Torrent;
use crate::page::local_storage;

/// The key in the origin's local storage.
const KEY: &str = "aqueduct.torrents";

/// A remembered torrent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    /// The folder of its data.
    pub(crate) folder: String,
    /// Its name as displayed.
    pub(crate) name: String,
    /// Its link, which adds it again.
    pub(crate) magnet: String,
}

impl Remembered {
    /// The entry for a torrent; `None` while it is being created.
    pub(super) fn of(torrent: &Torrent) -> Option<Self> {
        Some(Self {
            folder: torrent.folder.clone(),
            name: torrent.name.clone(),
            magnet: torrent.magnet.clone()?,
        })
    }
}

/// Torrents of an earlier visit that are not among the `present` ones.
pub(super) fn missing(earlier: Vec<Remembered>, present: &[Remembered]) -> Vec<Remembered> {
    let is_present = |earlier: &Remembered| present.iter().any(|one| one.folder == earlier.folder);
    earlier.into_iter().filter(|one| !is_present(one)).collect()
}

/// The remembered torrents; none if the browser stores nothing for the page.
pub(super) fn read() -> Vec<Remembered> {
    local_storage::read(KEY)
}

/// Remembers exactly these torrents. In a browser that stores nothing for the page, lost torrents
/// are not detected later.
pub(super) fn write(torrents: &[Remembered]) {
    local_storage::write(KEY, &torrents);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn torrent(folder: &str) -> Remembered {
        Remembered {
            folder: folder.into(),
            name: format!("name of {folder}"),
            magnet: String::new(),
        }
    }

    #[test]
    fn a_torrent_that_is_gone_is_missing_and_a_new_one_is_not() {
        assert_eq!(
            missing(
                vec![torrent("a"), torrent("b")],
                &[torrent("b"), torrent("c")]
            ),
            [torrent("a")]
        );
        assert_eq!(missing(Vec::new(), &[torrent("c")]), []);
    }
}
