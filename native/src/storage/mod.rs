//! A torrent's data in files: written, read, digested, flushed. Plain blocking calls, for the
//! threads of a [`pool`].
//!
//! - Files open beneath the download folder without following symbolic links ([`disk`]); at most
//!   [`handles::MAX_OPEN`] at a time.
//! - A file is made (sparse, with its full length) by its first byte. A piece that reaches into a
//!   file that is not wanted makes that file, too.
//! - Pad files (BEP 47) are zeros when read and are never written.
//! - While a file is written its modification time stays the one that the torrent's resume record
//!   states, so that the record fits after a crash at any moment, and a write by any other program
//!   shows. A file that the record does not state gets a new time, so that no other torrent's
//!   record takes it for its own.
//! - What another program does to a file is noticed when it is opened, read, written, flushed,
//!   before a download is called finished, and at intervals; its pieces are then checked again
//!   before any peer gets them or any record states them.
//! - A file that is not this torrent's is not written to unless the user allowed it. One that
//!   differs from the resume record is the torrent's only if a piece of it matches.
//!
//! [`Storage`] turns pieces into spans of files. Below it, each part owns its fields: `watched`
//! (files that other programs may change) compares what `files` (open files and their names) finds
//! with what `watch` (how each file was left), `stamps` (what records state) and `ownership` (whose
//! a file is) know; `unflushed` remembers what a power loss would take, `demand` how much room is
//! still needed.

mod changes;
mod demand;
pub mod disk;
mod error;
mod files;
pub mod handles;
mod jobs;
mod names;
mod ownership;
mod piece_reader;
pub mod pool;
pub mod records;
pub mod resume;
pub mod space;
mod stamps;
mod state_folder;
pub mod stored;
#[cfg(test)]
mod tests;
mod torrent;
mod unflushed;
mod watch;
mod watched;

pub use self::disk::{Access, Disk, FolderDisk};
pub use self::error::{StorageError, shown_path};
pub use self::handles::Handles;
pub use self::names::Renamed;
pub use self::space::DiskSpace;
pub use self::state_folder::StateFolder;
pub use self::torrent::{Storage, path_of};
