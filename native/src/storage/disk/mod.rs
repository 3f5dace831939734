//! The file system below one folder, as storage asks for it. Symbolic links are neither followed
//! nor made.

mod folder;
mod interface;

pub use self::folder::FolderDisk;
pub use self::interface::{Access, Disk, Stat};
