//! The tab's storage: files in the origin private file system, digests, resume records.

pub mod arrangement;
pub(crate) mod digest;
pub mod layout;
pub(crate) mod leftovers;
pub(crate) mod opfs;
pub(crate) mod records;
pub(crate) mod restore;
mod scratch;
pub(crate) mod space;
pub(crate) mod store;
