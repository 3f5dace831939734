//! How complete files get from the private file system to the user's downloads: streamed, without
//! passing through this page's memory.

use std::time::Duration;

use aqueduct_core::types::visible;
use js_sys::Array;
use leptos::prelude::set_timeout;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, File, FileSystemDirectoryHandle, FileSystemFileHandle, HtmlAnchorElement, Url,
};

use crate::browser::error::reason;
use crate::message::FileRow;
use crate::storage::arrangement::Slot;
use crate::storage::layout;

/// How long the browser may take to start reading before the URL of the data is revoked.
const URL_LIFETIME: Duration = Duration::from_secs(120);
/// The number of attempts to copy from a stored file that the worker is writing to. Each takes some
/// milliseconds, and pieces arrive tens of milliseconds apart.
const COPY_TRIES: u32 = 50;

/// The data of a complete file, which have not been read.
///
/// # Errors
/// One sentence for the user, if the data are missing or incomplete.
pub(super) async fn data(folder: &str, row: &FileRow) -> Result<Blob, String> {
    let data = if row.size == 0 {
        Blob::new()
    } else {
        stored(folder, row).await
    };
    let name = visible(&row.name);
    let data = data.map_err(|error| {
        format!(
            "{name} cannot be read from this browser's storage: {}.",
            reason(&error)
        )
    })?;
    if data.size() == row.size as f64 {
        return Ok(data);
    }
    Err(format!(
        "Part of {name} is missing from this browser's storage. Remove the torrent and add it again."
    ))
}

/// Saves a complete file under its own name, as far as the browser permits. Returns a message for
/// the user if it does not.
///
/// # Errors
/// As [`data`], and if the browser refuses.
pub(super) async fn save(folder: &str, row: &FileRow) -> Result<Option<String>, String> {
    let data = data(folder, row).await?;
    let name = visible(&row.name);
    download(&data, &row.name)
        .map_err(|error| format!("{name} cannot be saved: {}.", reason(&error)))?;
    Ok(is_changed_by_browsers(&row.name)
        .then(|| format!("Browsers do not save under every name: the torrent calls this file {name}. Rename your copy if it matters.")))
}

/// Whether browsers save files of this name under another one.
fn is_changed_by_browsers(name: &str) -> bool {
    name.starts_with(['.', '~', ' '])
        || name.ends_with(['.', ' '])
        || name.contains([':', '?', '"', '<', '>', '|', '*', '\\'])
}

async fn stored(folder: &str, row: &FileRow) -> Result<Blob, JsValue> {
    let window = web_sys::window().ok_or(JsValue::NULL)?;
    let root: FileSystemDirectoryHandle =
        JsFuture::from(window.navigator().storage().get_directory())
            .await?
            .dyn_into()?;
    let torrents: FileSystemDirectoryHandle =
        JsFuture::from(root.get_directory_handle(layout::ROOT))
            .await?
            .dyn_into()?;
    let own: FileSystemDirectoryHandle = JsFuture::from(torrents.get_directory_handle(folder))
        .await?
        .dyn_into()?;
    if let Some((first, at)) = row.container
        && let Ok(container) = handle(
            &own,
            Slot {
                first: first as usize,
                at,
                shared: true,
            },
        )
        .await
    {
        return copy(&container, at as f64, row.size as f64).await;
    }
    let slot = Slot {
        first: row.index as usize,
        at: 0,
        shared: false,
    };
    Ok(snapshot(&handle(&own, slot).await?).await?.into())
}

async fn handle(
    folder: &FileSystemDirectoryHandle,
    slot: Slot,
) -> Result<FileSystemFileHandle, JsValue> {
    JsFuture::from(folder.get_file_handle(&slot.name()))
        .await?
        .dyn_into()
}

async fn snapshot(handle: &FileSystemFileHandle) -> Result<File, JsValue> {
    JsFuture::from(handle.get_file()).await?.dyn_into()
}

/// Bytes of a container. The worker may be writing to it, and a browser's reference to a file
/// becomes invalid when the file changes, so the bytes are copied, and copied again if that failed.
async fn copy(handle: &FileSystemFileHandle, at: f64, size: f64) -> Result<Blob, JsValue> {
    let mut tries = COPY_TRIES;
    loop {
        let part = snapshot(handle)
            .await?
            .slice_with_f64_and_f64(at, at + size)?;
        match JsFuture::from(part.array_buffer()).await {
            Ok(bytes) => return Blob::new_with_buffer_source_sequence(&Array::of1(&bytes)),
            Err(error) if tries == 0 => return Err(error),
            Err(_) => tries -= 1,
        }
    }
}

/// Saves data through a link with a `download` attribute, which is never opened, so a stored HTML
/// file cannot run here. The data have no specific type, since browsers add an extension that
/// matches the type to a name without one.
fn download(data: &Blob, name: &str) -> Result<(), JsValue> {
    let document = web_sys::window()
        .and_then(|w| w.document())
        .ok_or(JsValue::NULL)?;
    let untyped =
        data.slice_with_f64_and_f64_and_content_type(0.0, data.size(), "application/octet-stream")?;
    let url = Url::create_object_url_with_blob(&untyped)?;
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
