//! The torrents whose files are saved by themselves when they are complete.

use leptos::prelude::window;

/// The key in the origin's local storage.
const KEY: &str = "aqueduct.save-when-finished";

/// The folders of these torrents. In a browser that stores nothing for the page, the choice ends
/// with the page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::page) struct SaveList(Vec<String>);

impl SaveList {
    /// The list as it was written last.
    pub(in crate::page) fn read() -> Self {
        let text = window()
            .local_storage()
            .ok()
            .flatten()
            .and_then(|storage| storage.get_item(KEY).ok().flatten());
        Self(
            text.and_then(|text| serde_json::from_str(&text).ok())
                .unwrap_or_default(),
        )
    }

    /// Whether this torrent is saved when it is complete.
    pub(in crate::page) fn contains(&self, folder: &str) -> bool {
        self.0.iter().any(|listed| listed == folder)
    }

    /// Adds or removes a torrent.
    pub(in crate::page) fn set(&mut self, folder: &str, listed: bool) {
        self.0.retain(|other| other != folder);
        if listed {
            self.0.push(folder.to_owned());
        }
        if let (Ok(Some(storage)), Ok(text)) =
            (window().local_storage(), serde_json::to_string(&self.0))
        {
            drop(storage.set_item(KEY, &text));
        }
    }
}
