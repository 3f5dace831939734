//! A folder of the operating system, below which no symbolic link is followed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, SeekFrom};
use rustix::io::{Errno, retry_on_intr};

use super::interface::{Access, Disk, Stat};

/// The files beneath one folder of the operating system.
#[derive(Debug)]
pub struct FolderDisk {
    root: OwnedFd,
    /// By which it was opened.
    path: PathBuf,
    /// The name of the first component of every path, if that is not in UTF-8.
    top: Option<OsString>,
}

impl FolderDisk {
    /// Opens the folder. Links on the way to it are the user's own and are followed; links below it
    /// are not.
    ///
    /// # Errors
    /// It is not there, is no folder, or may not be read.
    pub fn open(root: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self {
            root: rustix::fs::open(root, flags, Mode::empty())?,
            path: root.to_owned(),
            top: None,
        })
    }

    /// The same folder, in which the first component of every path has this name.
    #[must_use]
    pub fn with_top(self, top: Option<OsString>) -> Self {
        Self { top, ..self }
    }

    /// The folder that `components` lead to, one component at a time so that no link is followed.
    fn folder(&self, components: &[String], access: Access) -> io::Result<OwnedFd> {
        let mut at = self.root.try_clone()?;
        for (depth, name) in components.iter().enumerate() {
            let name = self.name(depth, name);
            at = match open_folder(&at, name) {
                Err(Errno::NOENT) if access == Access::Write => make_folder(&at, name)?,
                other => other?,
            };
        }
        Ok(at)
    }

    /// The name of a component, which is the first one at depth 0.
    fn name<'a>(&'a self, depth: usize, name: &'a str) -> &'a OsStr {
        self.top
            .as_deref()
            .filter(|_| depth == 0)
            .unwrap_or_else(|| OsStr::new(name))
    }
}

fn open_folder(at: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, component(name)?, flags, Mode::empty())
}

fn make_folder(at: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    match rustix::fs::mkdirat(at, component(name)?, Mode::from_raw_mode(0o777)) {
        Ok(()) | Err(Errno::EXIST) => open_folder(at, name),
        Err(error) => Err(error),
    }
}

fn stat_of(stat: &rustix::fs::Stat) -> Stat {
    let nanos = |seconds: i64, nanos| {
        let seconds = u64::try_from(seconds).unwrap_or(0);
        seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
    };
    Stat {
        size: u64::try_from(stat.st_size).unwrap_or(0),
        modified: nanos(stat.st_mtime, stat.st_mtime_nsec),
        // POSIX counts blocks in units of 512 bytes, whatever the file system's own.
        allocated: u64::try_from(stat.st_blocks)
            .unwrap_or(0)
            .saturating_mul(512),
        device: stat.st_dev,
        inode: stat.st_ino,
        changed: nanos(stat.st_ctime, stat.st_ctime_nsec),
        is_linked: stat.st_nlink > 0,
    }
}

/// The torrent's parser made names harmless; this is a second check of the same.
fn component(name: &OsStr) -> Result<&OsStr, Errno> {
    let bytes = name.as_bytes();
    let harmless =
        !matches!(bytes, b"" | b"." | b"..") && !bytes.iter().any(|byte| matches!(byte, b'/' | 0));
    harmless.then_some(name).ok_or(Errno::INVAL)
}

impl Disk for FolderDisk {
    type File = File;

    fn open(&self, path: &[String], access: Access) -> io::Result<File> {
        let Some((name, folders)) = path.split_last() else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let folder = self.folder(folders, access)?;
        // Without NONBLOCK a named pipe would hang the open for ever.
        let common = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let flags = match access {
            Access::Read => common | OFlags::RDONLY,
            Access::Write => common | OFlags::RDWR | OFlags::CREATE,
        };
        let name = component(self.name(folders.len(), name))?;
        let file = File::from(rustix::fs::openat(
            &folder,
            name,
            flags,
            Mode::from_raw_mode(0o666),
        )?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file; move it away"));
        }
        Ok(file)
    }

    fn stat(&self, file: &File) -> io::Result<Stat> {
        Ok(stat_of(&rustix::fs::fstat(file)?))
    }

    fn stat_at(&self, path: &[String]) -> io::Result<Stat> {
        let Some((name, folders)) = path.split_last() else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let folder = match self.folder(folders, Access::Read) {
            // Where a folder was is a file now, or a link.
            Err(error)
                if [Errno::NOTDIR, Errno::LOOP]
                    .map(|errno| Some(errno.raw_os_error()))
                    .contains(&error.raw_os_error()) =>
            {
                return Err(io::ErrorKind::NotFound.into());
            }
            other => other?,
        };
        let stat = rustix::fs::statat(
            &folder,
            component(self.name(folders.len(), name))?,
            AtFlags::SYMLINK_NOFOLLOW,
        )?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
            Ok(stat_of(&stat))
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    fn has_data(&self, file: &File) -> io::Result<bool> {
        match rustix::fs::seek(file, SeekFrom::Data(0)) {
            Ok(_) => Ok(true),
            Err(Errno::NXIO) => Ok(false),
            // A file system that cannot tell holes from data.
            Err(Errno::INVAL) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    fn set_len(&self, file: &File, size: u64) -> io::Result<()> {
        file.set_len(size)
    }

    fn set_modified(&self, file: &File, modified: u64) -> io::Result<()> {
        let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(modified));
        file.set_modified(time.ok_or(io::ErrorKind::InvalidInput)?)
    }

    fn write(&self, file: &File, slices: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
        Ok(retry_on_intr(|| rustix::io::pwritev(file, slices, at))?)
    }

    fn read(&self, file: &File, into: &mut Vec<u8>, length: usize, at: u64) -> io::Result<usize> {
        into.reserve_exact(length);
        let before = into.len();
        retry_on_intr(|| rustix::io::pread(file, rustix::buffer::spare_capacity(into), at))?;
        into.truncate(before.saturating_add(length));
        Ok(into.len() - before)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_folder(&self, path: &[String]) -> io::Result<()> {
        Ok(rustix::fs::fsync(self.folder(path, Access::Read)?)?)
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.root)?)
    }

    fn device(&self) -> io::Result<u64> {
        Ok(rustix::fs::fstat(&self.root)?.st_dev)
    }

    fn is_in_place(&self) -> io::Result<bool> {
        let then = rustix::fs::fstat(&self.root)?;
        Ok(match rustix::fs::stat(&self.path) {
            Ok(now) => (now.st_dev, now.st_ino) == (then.st_dev, then.st_ino),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => false,
            // A folder on the way to it that may no longer be searched does not say where it is.
            Err(_) => true,
        })
    }

    fn free(&self) -> io::Result<u64> {
        let stat = rustix::fs::fstatvfs(&self.root)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(components: &[&str]) -> Vec<String> {
        components.iter().map(|&c| c.to_owned()).collect()
    }

    #[test]
    fn folders_are_made_for_writing_and_only_then() {
        let root = tempfile::tempdir().unwrap();
        let disk = FolderDisk::open(root.path()).unwrap();
        let nested = path(&["a", "b", "c"]);
        assert_eq!(
            disk.open(&nested, Access::Read).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        assert!(!root.path().join("a").exists());
        let file = disk.open(&nested, Access::Write).unwrap();
        assert_eq!(
            disk.write(&file, &[IoSlice::new(b"he"), IoSlice::new(b"llo")], 3)
                .unwrap(),
            5
        );
        assert_eq!(
            std::fs::read(root.path().join("a/b/c")).unwrap(),
            b"\0\0\0hello"
        );
        disk.sync_folder(&nested[..2]).unwrap();
    }

    #[test]
    fn symbolic_links_are_not_followed() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("secret"), b"x").unwrap();
        std::os::unix::fs::symlink(outside.path(), root.path().join("folder")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), root.path().join("file"))
            .unwrap();
        let disk = FolderDisk::open(root.path()).unwrap();
        for access in [Access::Read, Access::Write] {
            assert!(disk.open(&path(&["folder", "secret"]), access).is_err());
            assert!(disk.open(&path(&["folder", "new"]), access).is_err());
            assert!(disk.open(&path(&["file"]), access).is_err());
        }
        assert!(!outside.path().join("new").exists());
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let disk = FolderDisk::open(root.path()).unwrap();
        for bad in [&["..", "x"][..], &["a/b"], &[""], &["."], &[]] {
            assert!(disk.open(&path(bad), Access::Write).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_first_component_may_have_a_name_in_another_encoding() {
        let root = tempfile::tempdir().unwrap();
        let top = OsStr::from_bytes(b"caf\xe9");
        std::fs::create_dir(root.path().join(top)).unwrap();
        let disk = FolderDisk::open(root.path())
            .unwrap()
            .with_top(Some(top.to_owned()));
        disk.open(&path(&["caf\u{fffd}", "a"]), Access::Write)
            .unwrap();
        assert!(root.path().join(top).join("a").exists());
    }

    #[test]
    fn a_folder_that_was_moved_removed_or_replaced_is_not_in_its_place() {
        let above = tempfile::tempdir().unwrap();
        let (path, elsewhere) = (above.path().join("out"), above.path().join("elsewhere"));
        std::fs::create_dir(&path).unwrap();
        let disk = FolderDisk::open(&path).unwrap();
        assert!(disk.is_in_place().unwrap());
        std::fs::rename(&path, &elsewhere).unwrap();
        assert!(!disk.is_in_place().unwrap());
        std::fs::create_dir(&path).unwrap();
        assert!(!disk.is_in_place().unwrap());
        std::fs::remove_dir(&path).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert!(disk.is_in_place().unwrap());
        std::fs::remove_dir(&elsewhere).unwrap();
        assert!(!disk.is_in_place().unwrap());
    }

    #[test]
    fn a_pipe_is_no_file_and_does_not_hang() {
        let root = tempfile::tempdir().unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            root.path().join("pipe"),
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let disk = FolderDisk::open(root.path()).unwrap();
        assert!(disk.open(&path(&["pipe"]), Access::Read).is_err());
        assert!(disk.open(&path(&["pipe"]), Access::Write).is_err());
    }

    #[test]
    fn a_read_appends_no_more_than_asked_and_nothing_at_the_end() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("f"), b"0123456789").unwrap();
        let disk = FolderDisk::open(root.path()).unwrap();
        let file = disk.open(&path(&["f"]), Access::Read).unwrap();
        let mut bytes = Vec::with_capacity(100);
        assert_eq!(disk.read(&file, &mut bytes, 4, 2).unwrap(), 4);
        assert_eq!(disk.read(&file, &mut bytes, 9, 8).unwrap(), 2);
        assert_eq!(disk.read(&file, &mut bytes, 9, 10).unwrap(), 0);
        assert_eq!(bytes, b"234589");
    }
}
