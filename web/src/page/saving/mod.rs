//! How complete files get from the private file system to the user's downloads: streamed, without
//! passing through this page's memory.

mod archive;
mod crc32;
mod folder;
mod list;
mod names;
mod stored;
mod zip;

use std::time::Duration;

use aqueduct_core::types::visible;
use leptos::prelude::set_timeout;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, HtmlAnchorElement, Url};

pub(super) use self::archive::{Archived, archive};
pub(super) use self::folder::{Copied, can_choose_folder, choose_folder, save_into};
pub(super) use self::list::SaveList;
use self::stored::Folder;
use crate::browser::error::reason;
use crate::message::FileRow;
use crate::texts::saving as texts;

/// What the saving of all files of a torrent does at present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Saving {
    /// Nothing.
    #[default]
    Idle,
    /// The user has asked for it, or did before the torrent was complete.
    Requested,
    /// It waits for the list of files.
    Listing,
    /// The archive is being prepared. So many of all bytes are read.
    Preparing { read: u64, total: u64 },
    /// Files are written to the user's folder. So many of all bytes are.
    Copying { written: u64, total: u64 },
}

/// How long the browser may take to start reading before the URL of the data is revoked.
const URL_LIFETIME: Duration = Duration::from_secs(120);

/// The data of a complete file, which have not been read.
///
/// # Errors
/// One sentence for the user, if the data are missing or incomplete.
pub(super) async fn data(folder: &str, row: &FileRow) -> Result<Blob, String> {
    let read = async { Folder::open(folder).await?.data(row).await };
    present(row, read.await)
}

/// Checks that nothing is missing of a file's data.
fn present(row: &FileRow, data: Result<Blob, JsValue>) -> Result<Blob, String> {
    let data = data.map_err(|error| unreadable(row, &error))?;
    if data.size() == row.size as f64 {
        return Ok(data);
    }
    Err(texts::data_missing(visible(&row.name)))
}

fn unreadable(row: &FileRow, error: &JsValue) -> String {
    texts::unreadable(visible(&row.name), reason(error))
}

/// Saves a complete file under its own name, as far as the browser permits. Returns a message for
/// the user if it does not.
///
/// # Errors
/// As [`data`], and if the browser refuses.
pub(super) async fn save(folder: &str, row: &FileRow) -> Result<Option<String>, String> {
    let data = data(folder, row).await?;
    let name = visible(&row.name);
    download(&data, &row.name).map_err(|error| texts::not_saved(&name, reason(&error)))?;
    Ok(is_changed_by_browsers(&row.name).then(|| texts::name_may_change(&name)))
}

/// Whether browsers save files of this name under another one.
fn is_changed_by_browsers(name: &str) -> bool {
    name.starts_with(['.', '~', ' '])
        || name.ends_with(['.', ' '])
        || name.contains([':', '?', '"', '<', '>', '|', '*', '\\'])
}

/// A URL of the data with this media type, whatever their content. It must be revoked.
///
/// # Errors
/// The browser's error.
pub(super) fn object_url(data: &Blob, media_type: &str) -> Result<String, JsValue> {
    let typed = data.slice_with_f64_and_f64_and_content_type(0.0, data.size(), media_type)?;
    Url::create_object_url_with_blob(&typed)
}

/// Saves data through a link with a `download` attribute, which is never opened, so a stored HTML
/// file cannot run here. The data have no specific type, since browsers add an extension that
/// matches the type to a name without one.
fn download(data: &Blob, name: &str) -> Result<(), JsValue> {
    let document = web_sys::window()
        .and_then(|w| w.document())
        .ok_or(JsValue::NULL)?;
    let url = object_url(data, "application/octet-stream")?;
    let link: HtmlAnchorElement = document.create_element("a")?.dyn_into()?;
    link.set_href(&url);
    link.set_download(name);
    link.click();
    set_timeout(move || drop(Url::revoke_object_url(&url)), URL_LIFETIME);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_changed_by_browsers;

    #[test]
    fn names_that_browsers_change_are_told_apart_from_those_they_keep() {
        assert!(
            [
                ".gitignore",
                "a:b.txt",
                "why?",
                "x.",
                "end ",
                " begin",
                "~tmp",
                "a\\b"
            ]
            .into_iter()
            .all(is_changed_by_browsers)
        );
        assert!(
            !["README", "a.b.txt", "v1.0", "ünï.bin", "aux.c", "a b"]
                .into_iter()
                .any(is_changed_by_browsers)
        );
    }
}
