//! The folders that exist in every storage.

use super::error::FsError;
use super::layout::ROOT;
use super::opfs::Folder;

/// The origin's root, and in it the folder of all torrents.
#[derive(Clone)]
pub(crate) struct Folders {
    pub(crate) root: Folder,
    pub(crate) torrents: Folder,
}

impl Folders {
    /// Opens both; the folder of all torrents is created if it is missing.
    pub(crate) async fn open() -> Result<Self, FsError> {
        let root = Folder::root().await?;
        let torrents = root.folder(ROOT).await?;
        Ok(Self { root, torrents })
    }
}

/// Whether the folder of all torrents exists. It does not after the user has cleared the site's
/// data. Asks the browser again, since an older handle may answer for a folder that is gone. If the
/// browser does not answer, the folder is assumed to exist.
pub(crate) async fn is_present() -> bool {
    let found = async { Folder::root().await?.existing(ROOT).await };
    !matches!(found.await, Err(FsError::Missing))
}
