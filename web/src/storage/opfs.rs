//! The origin private file system, with its promises and options wrapped.

use js_sys::{IteratorNext, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    File, FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetDirectoryOptions,
    FileSystemGetFileOptions, FileSystemReadWriteOptions, FileSystemRemoveOptions,
    FileSystemSyncAccessHandle,
};

use super::error::FsError;
use crate::browser::global::scope;

/// Whether the browser has a private file system to which workers can write. Not all have one, or
/// it is switched off.
pub(crate) fn is_supported() -> bool {
    let has_function = |path: &[&str]| {
        let step = |object: JsValue, name: &&str| Reflect::get(&object, &(*name).into());
        path.iter()
            .try_fold(JsValue::from(scope()), step)
            .is_ok_and(|found| found.is_function())
    };
    has_function(&["navigator", "storage", "getDirectory"])
        && has_function(&[
            "FileSystemFileHandle",
            "prototype",
            "createSyncAccessHandle",
        ])
}

/// A handle to a folder.
#[derive(Clone)]
pub(crate) struct Folder(FileSystemDirectoryHandle);

impl Folder {
    /// The root of the origin's private file system.
    pub(crate) async fn root() -> Result<Self, FsError> {
        let root = JsFuture::from(scope().navigator().storage().get_directory()).await?;
        Ok(Self(root.dyn_into()?))
    }

    /// A folder in this one, created if it is missing.
    pub(crate) async fn folder(&self, name: &str) -> Result<Self, FsError> {
        let options = FileSystemGetDirectoryOptions::new();
        options.set_create(true);
        let folder =
            JsFuture::from(self.0.get_directory_handle_with_options(name, &options)).await?;
        Ok(Self(folder.dyn_into()?))
    }

    /// A folder in this one; [`FsError::Missing`] if there is none.
    pub(crate) async fn existing(&self, name: &str) -> Result<Self, FsError> {
        let folder = JsFuture::from(self.0.get_directory_handle(name)).await?;
        Ok(Self(folder.dyn_into()?))
    }

    /// Names of the files and folders in it.
    pub(crate) async fn names(&self) -> Result<Vec<String>, FsError> {
        let keys = self.0.keys();
        let mut names = Vec::new();
        loop {
            let next: IteratorNext = JsFuture::from(keys.next()?).await?.unchecked_into();
            if next.done() {
                return Ok(names);
            }
            names.extend(next.value().as_string());
        }
    }

    /// Removes a file, or a folder with its contents.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), FsError> {
        let options = FileSystemRemoveOptions::new();
        options.set_recursive(true);
        JsFuture::from(self.0.remove_entry_with_options(name, &options)).await?;
        Ok(())
    }

    /// Creates an empty file, unless one of this name exists.
    pub(crate) async fn touch(&self, name: &str) -> Result<(), FsError> {
        self.file(name, true).await.map(drop)
    }

    /// The size of a file in bytes.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a file's size is a whole number below 2^53"
    )]
    pub(crate) async fn size_of(&self, name: &str) -> Result<u64, FsError> {
        Ok(self.snapshot(name).await?.size() as u64)
    }

    /// All bytes of a small file.
    pub(crate) async fn read(&self, name: &str) -> Result<Vec<u8>, FsError> {
        let buffer = JsFuture::from(self.snapshot(name).await?.array_buffer()).await?;
        Ok(Uint8Array::new(&buffer).to_vec())
    }

    /// All bytes of a small file; empty if the file is missing.
    pub(crate) async fn read_if_there(&self, name: &str) -> Result<Vec<u8>, FsError> {
        match self.read(name).await {
            Err(FsError::Missing) => Ok(Vec::new()),
            read => read,
        }
    }

    /// Opens a file for reading and writing. A file can have one open handle at a time.
    pub(crate) async fn open(&self, name: &str, create: bool) -> Result<SyncFile, FsError> {
        let file = self.file(name, create).await?;
        let handle: FileSystemSyncAccessHandle = JsFuture::from(file.create_sync_access_handle())
            .await?
            .dyn_into()?;
        Ok(SyncFile {
            handle,
            dirty: false,
        })
    }

    async fn file(&self, name: &str, create: bool) -> Result<FileSystemFileHandle, FsError> {
        let options = FileSystemGetFileOptions::new();
        options.set_create(create);
        let file = JsFuture::from(self.0.get_file_handle_with_options(name, &options)).await?;
        Ok(file.dyn_into()?)
    }

    async fn snapshot(&self, name: &str) -> Result<File, FsError> {
        let file = JsFuture::from(self.file(name, false).await?.get_file()).await?;
        Ok(file.dyn_into()?)
    }
}

/// An open file with synchronous reads and writes, which browsers allow in workers only. Closed
/// when dropped.
pub(crate) struct SyncFile {
    handle: FileSystemSyncAccessHandle,
    dirty: bool,
}

impl SyncFile {
    /// Writes all of `bytes` at offset `at`. A short write is continued; a write of 0 bytes means
    /// that no space is left.
    pub(crate) fn write_all(&mut self, at: u64, bytes: &Uint8Array) -> Result<(), FsError> {
        let (length, mut written) = (bytes.length(), 0);
        while written < length {
            self.dirty = true;
            let rest = bytes.subarray(written, length);
            match whole(
                self.handle
                    .write_with_js_u8_array_and_options(&rest, &options(at, written))?,
            ) {
                0 => return Err(FsError::Full),
                n => written += n,
            }
        }
        Ok(())
    }

    /// Fills `bytes` from offset `at` of the file.
    pub(crate) fn read_exact(&self, at: u64, bytes: &Uint8Array) -> Result<(), FsError> {
        let (expected, mut received) = (bytes.length(), 0);
        while received < expected {
            let rest = bytes.subarray(received, expected);
            match whole(
                self.handle
                    .read_with_js_u8_array_and_options(&rest, &options(at, received))?,
            ) {
                0 => return Err(FsError::Short { expected, received }),
                n => received += n,
            }
        }
        Ok(())
    }

    /// Sets the length. Added bytes are zeros, which the browser need not store yet.
    pub(crate) fn resize(&mut self, bytes: u64) -> Result<(), FsError> {
        self.dirty = true;
        Ok(self.handle.truncate_with_f64(bytes as f64)?)
    }

    /// Replaces the contents. The old bytes are overwritten rather than truncated first, which also
    /// succeeds if no space is left.
    pub(crate) fn replace(&mut self, bytes: &[u8]) -> Result<(), FsError> {
        self.write_all(0, &Uint8Array::from(bytes))?;
        self.resize(bytes.len() as u64)?;
        self.flush()
    }

    /// Makes the written bytes durable.
    pub(crate) fn flush(&mut self) -> Result<(), FsError> {
        if std::mem::take(&mut self.dirty) {
            self.handle.flush()?;
        }
        Ok(())
    }
}

impl Drop for SyncFile {
    fn drop(&mut self) {
        self.handle.close();
    }
}

fn options(at: u64, done: u32) -> FileSystemReadWriteOptions {
    let options = FileSystemReadWriteOptions::new();
    options.set_at(at as f64 + f64::from(done));
    options
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never more than the length of the view that was given"
)]
fn whole(count: f64) -> u32 {
    count as u32
}
