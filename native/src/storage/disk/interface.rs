//! What storage asks of a file system.

use std::io::{self, IoSlice};

use aqueduct_core::resume::FileStamp;

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Reading; it must be there.
    Read,
    /// Reading and writing; it and its folders are made if they are not there.
    Write,
}

/// What the file system says of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since 1970 of the last modification.
    pub modified: u64,
    /// Bytes allocated on the disk (sparse files have less than their size).
    pub allocated: u64,
    /// The system's number of the file system that it lies on.
    pub device: u64,
    /// Its number in its file system.
    pub inode: u64,
    /// Nanoseconds since 1970 of the last change to content, names or owner.
    pub changed: u64,
    /// Whether it has a name; not once it was removed.
    pub is_linked: bool,
}

impl Stat {
    /// What a resume record states of the file.
    #[must_use]
    pub const fn stamp(&self) -> FileStamp {
        FileStamp {
            size: self.size,
            modified: self.modified,
        }
    }
}

/// What storage asks of a file system. [`FolderDisk`](super::FolderDisk) is the real one; in tests there is one whose
/// calls fail.
///
/// A path is a list of components below the root: none is empty, `.` or `..`, none holds a
/// separator.
pub trait Disk: std::fmt::Debug + Send + Sync + 'static {
    /// An open file.
    type File: std::fmt::Debug + Send + Sync;

    /// Opens the regular file at `path`.
    ///
    /// # Errors
    /// The system's error, or one of our own if a component is a symbolic link, or the file is no
    /// regular file.
    fn open(&self, path: &[String], access: Access) -> io::Result<Self::File>;
    /// Size, time and room of an open file.
    ///
    /// # Errors
    /// The system's error.
    fn stat(&self, file: &Self::File) -> io::Result<Stat>;
    /// The same of the regular file that is at `path` now, without opening it.
    ///
    /// # Errors
    /// The system's error; [`io::ErrorKind::NotFound`] if no regular file lies there.
    fn stat_at(&self, path: &[String]) -> io::Result<Stat>;
    /// Whether a file holds anything but holes.
    ///
    /// # Errors
    /// The system's error.
    fn has_data(&self, file: &Self::File) -> io::Result<bool>;
    /// Cuts or extends (with a hole) to `size` bytes.
    ///
    /// # Errors
    /// The system's error.
    fn set_len(&self, file: &Self::File, size: u64) -> io::Result<()>;
    /// Sets the time of the last modification, nanoseconds since 1970.
    ///
    /// # Errors
    /// The system's error; the owner alone may do this.
    fn set_modified(&self, file: &Self::File, modified: u64) -> io::Result<()>;
    /// Writes the slices one after the other from byte `at` on; returns how many bytes it took.
    ///
    /// # Errors
    /// The system's error.
    fn write(&self, file: &Self::File, slices: &[IoSlice<'_>], at: u64) -> io::Result<usize>;
    /// Appends up to `length` bytes from byte `at` on to `into`; returns how many, 0 at the file's
    /// end.
    ///
    /// # Errors
    /// The system's error.
    fn read(
        &self,
        file: &Self::File,
        into: &mut Vec<u8>,
        length: usize,
        at: u64,
    ) -> io::Result<usize>;
    /// Makes a file's data durable.
    ///
    /// # Errors
    /// The system's error.
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// Makes the names in the folder `path` durable; no components: the root.
    ///
    /// # Errors
    /// The system's error.
    fn sync_folder(&self, path: &[String]) -> io::Result<()>;
    /// Makes everything on the root's file system durable, data and names, of any program.
    ///
    /// # Errors
    /// The system's error.
    fn sync_all(&self) -> io::Result<()>;
    /// The root's file system, as [`Stat::device`].
    ///
    /// # Errors
    /// The system's error.
    fn device(&self) -> io::Result<u64>;
    /// Whether the root still lies at the path by which it was opened. It remains usable when it was
    /// moved, but its user looks for the files at that path.
    ///
    /// # Errors
    /// The system's error.
    fn is_in_place(&self) -> io::Result<bool>;
    /// Bytes that this user may still allocate.
    ///
    /// # Errors
    /// The system's error.
    fn free(&self) -> io::Result<u64>;
}
