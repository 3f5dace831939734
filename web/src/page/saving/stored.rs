//! The stored files of a torrent, as the page reads them: by reference, without loading them.

use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, File, FileSystemDirectoryHandle, FileSystemFileHandle};

use crate::message::FileRow;
use crate::storage::arrangement::Slot;
use crate::storage::layout;

/// The number of attempts to copy from a stored file that the worker is writing to. Each takes some
/// milliseconds, and pieces arrive tens of milliseconds apart.
const COPY_TRIES: u32 = 50;

/// The folder that contains a torrent's data.
pub(super) struct Folder(FileSystemDirectoryHandle);

impl Folder {
    /// Opens the folder of this name.
    ///
    /// # Errors
    /// The browser's error, for instance if it has deleted the folder.
    pub(super) async fn open(name: &str) -> Result<Self, JsValue> {
        let window = web_sys::window().ok_or(JsValue::NULL)?;
        let root: FileSystemDirectoryHandle =
            JsFuture::from(window.navigator().storage().get_directory())
                .await?
                .dyn_into()?;
        let torrents: FileSystemDirectoryHandle =
            JsFuture::from(root.get_directory_handle(layout::ROOT))
                .await?
                .dyn_into()?;
        let own = JsFuture::from(torrents.get_directory_handle(name)).await?;
        Ok(Self(own.dyn_into()?))
    }

    /// The data of a file, also while the worker writes to others of the torrent. The bytes of a
    /// small one in a container are copied; all others are read when they are used.
    ///
    /// # Errors
    /// The browser's error.
    pub(super) async fn data(&self, row: &FileRow) -> Result<Blob, JsValue> {
        let (range, mut tries) = (row.size as f64, COPY_TRIES);
        let Some((container, at)) = self.container(row).await else {
            return self.reference(row).await;
        };
        // The worker may be writing to it, and a browser's reference to a file becomes invalid when
        // the file changes, so the bytes are copied, and copied again if that failed.
        loop {
            let part = snapshot(&container)
                .await?
                .slice_with_f64_and_f64(at, at + range)?;
            match JsFuture::from(part.array_buffer()).await {
                Ok(bytes) => return Blob::new_with_buffer_source_sequence(&Array::of1(&bytes)),
                Err(error) if tries == 0 => return Err(error),
                Err(_) => tries -= 1,
            }
        }
    }

    /// The data of a file, which are read when they are used. That fails if something was written
    /// to the stored file by then.
    ///
    /// # Errors
    /// The browser's error.
    pub(super) async fn reference(&self, row: &FileRow) -> Result<Blob, JsValue> {
        if row.size == 0 {
            return Blob::new();
        }
        if let Some((container, at)) = self.container(row).await {
            return snapshot(&container)
                .await?
                .slice_with_f64_and_f64(at, at + row.size as f64);
        }
        let own = Slot {
            first: row.index as usize,
            at: 0,
            shared: false,
        };
        Ok(snapshot(&self.file(own).await?).await?.into())
    }

    /// The stored file that contains this one among others, and the offset in it.
    async fn container(&self, row: &FileRow) -> Option<(FileSystemFileHandle, f64)> {
        let (first, at) = row.container.filter(|_| row.size > 0)?;
        let slot = Slot {
            first: first as usize,
            at,
            shared: true,
        };
        let container = self.file(slot).await.ok()?;
        Some((container, at as f64))
    }

    async fn file(&self, slot: Slot) -> Result<FileSystemFileHandle, JsValue> {
        JsFuture::from(self.0.get_file_handle(&slot.name()))
            .await?
            .dyn_into()
    }
}

async fn snapshot(handle: &FileSystemFileHandle) -> Result<File, JsValue> {
    JsFuture::from(handle.get_file()).await?.dyn_into()
}
