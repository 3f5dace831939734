//! The tab's storage: files in the origin private file system, digests, resume records.

pub(crate) mod arrangement;
pub(crate) mod digest;
pub(crate) mod error;
pub(crate) mod layout;
mod leftovers;
mod open_files;
mod opfs;
mod queue;
pub(crate) mod records;
pub(crate) mod restore;
mod scratch;
pub(crate) mod space;
pub(crate) mod store;

pub(crate) use self::opfs::is_supported;
