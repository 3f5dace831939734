//! All files of a torrent as one archive, composed of references to the stored files: neither the
//! page's memory nor the browser's storage contains a second copy.
//!
//! The checksums stand before the data, so everything is read once before the browser begins to
//! save. A stored file that changes while it is saved makes the browser's download fail.

use js_sys::{Array, Date, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

use super::crc32::Crc32;
use super::stored::Folder;
use super::zip::{Entry, Modified, Zip};
use super::{download, present, unreadable};
use crate::browser::error::reason;
use crate::message::FileRow;
use crate::texts::saving as texts;

/// The number of bytes that are read at a time. Their checksum takes a few milliseconds, in which
/// the page cannot draw.
const CHUNK: u64 = 2 << 20;

/// What became of a request for an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::page) enum Archived {
    /// The browser saves it.
    Saving,
    /// The user cancelled it.
    Cancelled,
}

/// Saves files of a torrent as `NAME.zip`, below one folder of that name. Calls `proceed` with the
/// number of bytes read so far, and stops when it returns `false`.
///
/// # Errors
/// One sentence for the user: data are missing or incomplete, or the browser refuses.
pub(in crate::page) async fn archive(
    name: &str,
    folder: &str,
    rows: &[FileRow],
    proceed: impl Fn(u64) -> bool,
) -> Result<Archived, String> {
    let refused = |error: JsValue| texts::not_saved(name, reason(&error));
    let stored = Folder::open(folder).await.map_err(refused)?;
    let top = name.replace(['/', '\\'], "_");
    let mut composed = Composed::new();
    let mut read = 0;
    for row in rows {
        let data = present(row, stored.reference(row).await)?;
        let sum = checksum(&data, row.size, |part| proceed(read + part)).await;
        let Some(crc) = sum.map_err(|error| unreadable(row, &error))? else {
            return Ok(Archived::Cancelled);
        };
        read += row.size;
        composed.add(
            &Entry {
                path: format!("{top}/{}", row.path),
                size: row.size,
                crc,
            },
            &data,
        )?;
    }
    let archive = composed.finish().map_err(refused)?;
    download(&archive, &format!("{top}.zip")).map_err(refused)?;
    Ok(Archived::Saving)
}

/// CRC-32 of data. `None` if `proceed` returned `false`.
async fn checksum(
    data: &Blob,
    size: u64,
    proceed: impl Fn(u64) -> bool,
) -> Result<Option<u32>, JsValue> {
    let mut sum = Crc32::new();
    let mut at = 0;
    while at < size {
        let end = size.min(at + CHUNK);
        let part = data.slice_with_f64_and_f64(at as f64, end as f64)?;
        let bytes = JsFuture::from(part.array_buffer()).await?;
        sum.update(&Uint8Array::new(&bytes).to_vec());
        at = end;
        if !proceed(at) {
            return Ok(None);
        }
    }
    Ok(Some(sum.value()))
}

/// The parts of an archive.
struct Composed {
    parts: Array,
    zip: Zip,
}

impl Composed {
    fn new() -> Self {
        Self {
            parts: Array::new(),
            zip: Zip::new(now()),
        }
    }

    fn add(&mut self, file: &Entry, data: &Blob) -> Result<(), String> {
        let header = self
            .zip
            .header(file)
            .ok_or_else(|| texts::path_not_in_zip(&file.path))?;
        self.parts.push(&Uint8Array::from(&header[..]));
        self.parts.push(data);
        Ok(())
    }

    fn finish(self) -> Result<Blob, JsValue> {
        self.parts.push(&Uint8Array::from(&self.zip.end()[..]));
        Blob::new_with_blob_sequence(&self.parts)
    }
}

/// The local time.
fn now() -> Modified {
    let now = Date::new_0();
    let field = |value: u32| u16::try_from(value).unwrap_or(0);
    Modified::new(
        [now.get_full_year(), now.get_month() + 1, now.get_date()].map(field),
        [now.get_hours(), now.get_minutes(), now.get_seconds()].map(field),
    )
}
