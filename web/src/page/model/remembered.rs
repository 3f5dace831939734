//! What the page remembers of its torrents apart from the storage that holds them, so that it
//! notices when the browser took that away.

use leptos::prelude::window;
use serde::{Deserialize, Serialize};

use crate::message::Torrent;

/// The key in the origin's local storage.
const KEY: &str = "aqueduct.torrents";

/// A torrent as the page remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The folder of its data.
    pub folder: String,
    /// As it was shown.
    pub name: String,
    /// Adds it again.
    pub magnet: String,
}

impl Kept {
    /// What to remember of a torrent; `None` while it is being made.
    #[must_use]
    pub fn of(torrent: &Torrent) -> Option<Self> {
        Some(Self {
            folder: torrent.folder.clone(),
            name: torrent.name.clone(),
            magnet: torrent.magnet.clone()?,
        })
    }
}

/// Those of an earlier visit that are not among the `present`.
pub(crate) fn missing(earlier: Vec<Kept>, present: &[Kept]) -> Vec<Kept> {
    let is_here = |kept: &Kept| present.iter().any(|here| here.folder == kept.folder);
    earlier.into_iter().filter(|kept| !is_here(kept)).collect()
}

/// What was remembered last; nothing where the browser keeps nothing for the page.
pub(crate) fn read() -> Vec<Kept> {
    let text = window()
        .local_storage()
        .ok()
        .flatten()
        .and_then(|storage| storage.get_item(KEY).ok().flatten());
    text.and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

/// Remembers these alone. A browser that keeps nothing for the page will not be noticed to take
/// anything away, which is no worse.
pub(crate) fn write(kept: &[Kept]) {
    if let (Ok(Some(storage)), Ok(text)) = (window().local_storage(), serde_json::to_string(kept)) {
        drop(storage.set_item(KEY, &text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(folder: &str) -> Kept {
        Kept {
            folder: folder.into(),
            name: format!("name of {folder}"),
            magnet: String::new(),
        }
    }

    #[test]
    fn what_was_there_and_is_not_any_more_is_missing_and_what_is_new_is_not() {
        assert_eq!(
            missing(vec![kept("a"), kept("b")], &[kept("b"), kept("c")]),
            [kept("a")]
        );
        assert_eq!(missing(Vec::new(), &[kept("c")]), []);
    }
}
