//! The origin private file system, with its promises and options wrapped.

use js_sys::IteratorNext;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    DomException, File, FileSystemDirectoryHandle, FileSystemFileHandle,
    FileSystemGetDirectoryOptions, FileSystemGetFileOptions, FileSystemReadWriteOptions,
    FileSystemRemoveOptions, FileSystemSyncAccessHandle,
};

use crate::browser::clock::scope;
use crate::engine::errors::reason;
use crate::storage::space::Need;

/// What the file system refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FsError {
    /// No such file or folder.
    #[error("it is not there")]
    Missing,
    /// The origin's quota is used up, or the disk is full.
    #[error("no space is left")]
    Full,
    /// The browser grants less than a torrent still needs.
    #[error("{} bytes are needed, and {} for other torrents; {free} are free", need.own, need.others)]
    TooLittle {
        /// Bytes needed.
        need: Need,
        /// Bytes that the browser still grants.
        free: u64,
    },
    /// The user has cleared the site's data.
    #[error("it was cleared")]
    Cleared,
    /// Fewer bytes are there than were asked for.
    #[error("{expected} bytes were to be read, {received} are there")]
    Short {
        /// Bytes asked for.
        expected: usize,
        /// Bytes there.
        received: usize,
    },
    /// Anything else, in the browser's words.
    #[error("{0}")]
    Other(String),
}

impl From<JsValue> for FsError {
    fn from(error: JsValue) -> Self {
        match error
            .dyn_ref::<DomException>()
            .map(DomException::name)
            .as_deref()
        {
            Some("NotFoundError") => Self::Missing,
            Some("QuotaExceededError") => Self::Full,
            _ => Self::Other(reason(&error)),
        }
    }
}

/// A folder.
#[derive(Clone)]
pub(crate) struct Folder(FileSystemDirectoryHandle);

impl Folder {
    /// The root of the origin's private file system.
    pub(crate) async fn root() -> Result<Self, FsError> {
        let root = JsFuture::from(scope().navigator().storage().get_directory()).await?;
        Ok(Self(root.dyn_into()?))
    }

    /// A folder in this one, made if need be.
    pub(crate) async fn folder(&self, name: &str) -> Result<Self, FsError> {
        let options = FileSystemGetDirectoryOptions::new();
        options.set_create(true);
        let folder =
            JsFuture::from(self.0.get_directory_handle_with_options(name, &options)).await?;
        Ok(Self(folder.dyn_into()?))
    }

    /// A folder in this one that is there.
    pub(crate) async fn existing(&self, name: &str) -> Result<Self, FsError> {
        let folder = JsFuture::from(self.0.get_directory_handle(name)).await?;
        Ok(Self(folder.dyn_into()?))
    }

    /// Names of what is in it.
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

    /// Removes a file, or a folder with all that is in it.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), FsError> {
        let options = FileSystemRemoveOptions::new();
        options.set_recursive(true);
        JsFuture::from(self.0.remove_entry_with_options(name, &options)).await?;
        Ok(())
    }

    /// Makes an empty file, unless there is one of this name.
    pub(crate) async fn touch(&self, name: &str) -> Result<(), FsError> {
        self.file(name, true).await.map(drop)
    }

    /// Bytes in a file.
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
        Ok(js_sys::Uint8Array::new(&buffer).to_vec())
    }

    /// All bytes of a small file; none if it is not there.
    pub(crate) async fn read_if_there(&self, name: &str) -> Result<Vec<u8>, FsError> {
        match self.read(name).await {
            Err(FsError::Missing) => Ok(Vec::new()),
            read => read,
        }
    }

    /// Opens a file for reading and writing; one handle a file may be open at a time.
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

/// An open file. Reading and writing are synchronous, which only workers may do. Closed when
/// dropped.
pub(crate) struct SyncFile {
    handle: FileSystemSyncAccessHandle,
    dirty: bool,
}

impl SyncFile {
    /// Writes all of `bytes` from byte `at` on; a short write is continued, one of nothing means
    /// that no space is left.
    pub(crate) fn write_all(&mut self, at: u64, bytes: &[u8]) -> Result<(), FsError> {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            self.dirty = true;
            match whole(
                self.handle
                    .write_with_u8_array_and_options(rest, &options(at, written))?,
            ) {
                0 => return Err(FsError::Full),
                n => written += n,
            }
        }
        Ok(())
    }

    /// Fills all of `bytes` from byte `at` on.
    pub(crate) fn read_exact(&self, at: u64, bytes: &mut [u8]) -> Result<(), FsError> {
        let expected = bytes.len();
        let mut received = 0;
        while let Some(rest) = bytes.get_mut(received..).filter(|rest| !rest.is_empty()) {
            match whole(
                self.handle
                    .read_with_u8_array_and_options(rest, &options(at, received))?,
            ) {
                0 => return Err(FsError::Short { expected, received }),
                n => received += n,
            }
        }
        Ok(())
    }

    /// Makes it so long; what is added is zeros, and need not be stored anywhere yet.
    pub(crate) fn resize(&mut self, bytes: u64) -> Result<(), FsError> {
        self.dirty = true;
        Ok(self.handle.truncate_with_f64(bytes as f64)?)
    }

    /// Replaces all that is in it. What is there is written over and not cut first: where no space
    /// is left, that still succeeds.
    pub(crate) fn replace(&mut self, bytes: &[u8]) -> Result<(), FsError> {
        self.write_all(0, bytes)?;
        self.resize(bytes.len() as u64)?;
        self.flush()
    }

    /// Makes what was written durable.
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

fn options(at: u64, further: usize) -> FileSystemReadWriteOptions {
    let options = FileSystemReadWriteOptions::new();
    options.set_at(at as f64 + further as f64);
    options
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never more than the length of the slice that was given"
)]
fn whole(count: f64) -> usize {
    count as usize
}
