//! The tab's storage: files in the origin private file system, digests, resume records.
//!
//! A worker of its own ([`worker`]) digests pieces and owns all open files; the engine's worker uses
//! it through [`client::Storage`]. At the start the engine's worker reads the records itself
//! ([`restore`]), which opens no file for writing.

pub(crate) mod arrangement;
mod buffers;
pub(crate) mod client;
pub(crate) mod error;
pub(crate) mod folders;
pub(crate) mod layout;
mod message;
mod opfs;
mod records;
pub(crate) mod restore;
pub(crate) mod space;
pub(crate) mod worker;

pub(crate) use self::opfs::is_supported;
