//! Complete files in the private file system, and how they get to the browser's own downloads: streamed, never through this page's memory.

use std::time::Duration;

use leptos::prelude::set_timeout;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, File, FileSystemDirectoryHandle, FileSystemFileHandle, HtmlAnchorElement, Url};

use crate::message::FileRow;
use crate::worker::layout;

/// How long the browser may take to start reading before the address of the data is withdrawn.
const ADDRESS_LIVES: Duration = Duration::from_secs(120);

/// The data of a complete file, wherever the browser keeps them: nothing is read yet.
///
/// # Errors
/// One sentence for the user, when the data are not there or are not complete.
pub async fn data(folder: &str, row: &FileRow) -> Result<Blob, String> {
    let data = if row.size == 0 { Blob::new() } else { stored(folder, row.index).await.map(Into::into) };
    let data = data.map_err(|_| format!("{} is no longer in the browser's storage. Remove the torrent and add it again.", row.name))?;
    if data.size() == row.size as f64 {
        return Ok(data);
    }
    Err(format!("{} is not complete: {} of {} bytes are here.", row.name, data.size(), row.size))
}

/// Saves a complete file under its sanitised name.
///
/// # Errors
/// As [`data`], and when the browser refuses.
pub async fn save(folder: &str, row: &FileRow) -> Result<(), String> {
    let data = data(folder, row).await?;
    offer(&data, &row.name).map_err(|_| format!("The browser refused to save {}.", row.name))
}

async fn stored(folder: &str, index: u32) -> Result<File, JsValue> {
    let window = web_sys::window().ok_or(JsValue::NULL)?;
    let root: FileSystemDirectoryHandle = JsFuture::from(window.navigator().storage().get_directory()).await?.dyn_into()?;
    let torrents: FileSystemDirectoryHandle = JsFuture::from(root.get_directory_handle(layout::ROOT)).await?.dyn_into()?;
    let own: FileSystemDirectoryHandle = JsFuture::from(torrents.get_directory_handle(folder)).await?.dyn_into()?;
    let file: FileSystemFileHandle = JsFuture::from(own.get_file_handle(&layout::file_name(index as usize))).await?.dyn_into()?;
    JsFuture::from(file.get_file()).await?.dyn_into()
}

/// A link with a `download` attribute is always saved, never opened, so a stored HTML file cannot run here.
fn offer(data: &Blob, name: &str) -> Result<(), JsValue> {
    let document = web_sys::window().and_then(|w| w.document()).ok_or(JsValue::NULL)?;
    let address = Url::create_object_url_with_blob(data)?;
    let link: HtmlAnchorElement = document.create_element("a")?.dyn_into()?;
    link.set_href(&address);
    link.set_download(name);
    link.click();
    set_timeout(move || drop(Url::revoke_object_url(&address)), ADDRESS_LIVES);
    Ok(())
}
