//! The folder of the records of downloads: the user's own, or where that cannot be written, another
//! that no other user can write to.

use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::process::geteuid;

use super::error::StorageError;

/// A folder that is kept when the machine restarts, and in which every user may make folders.
const SHARED: &str = "/var/tmp";
/// Below the download folder.
const BESIDE_DATA: &str = ".aqueduct";

/// The folder in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFolder {
    /// It exists, and can be written.
    pub path: PathBuf,
    /// Why it is not the user's own: a clause without a full stop.
    pub instead: Option<String>,
}

impl StateFolder {
    /// `$XDG_STATE_HOME/aqueduct` or `~/.local/state/aqueduct`; where neither can be written, a
    /// folder of this user's alone: in `/var/tmp`, or else in the download folder `output`.
    ///
    /// # Errors
    /// None of them can be written: the error of the first one.
    pub fn find(output: &Path) -> Result<Self, StorageError> {
        let others = [
            Path::new(SHARED).join(format!("aqueduct-{}", geteuid().as_raw())),
            output.join(BESIDE_DATA),
        ];
        Self::choose(own(), &others)
    }

    fn choose(own: io::Result<PathBuf>, others: &[PathBuf]) -> Result<Self, StorageError> {
        let error = match own.map(|path| (make(&path), path)) {
            Ok((Ok(()), path)) => {
                return Ok(Self {
                    path,
                    instead: None,
                });
            }
            Ok((Err(error), path)) => StorageError::state("write to", path)(error),
            Err(error) => StorageError::io("find", "the state folder")(error),
        };
        let usable = others.iter().find(|path| make_private(path).is_ok());
        usable
            .map(|path| Self {
                path: path.clone(),
                instead: Some(reason(&error)),
            })
            .ok_or(error)
    }
}

fn reason(error: &StorageError) -> String {
    match error {
        StorageError::State { path, source, .. } => {
            format!("{} cannot be written ({source})", path.display())
        }
        StorageError::Io { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

/// The user's own state folder.
fn own() -> io::Result<PathBuf> {
    let absolute = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    base.map(|base| base.join("aqueduct"))
        .ok_or_else(|| io::Error::other("neither XDG_STATE_HOME nor HOME is set"))
}

fn make(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    Ok(access(
        path,
        Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK,
    )?)
}

/// Makes a folder where other users may make some, too: one that exists is used only if it is this
/// user's, and closed to all others.
fn make_private(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // Symbolic links are not followed.
    let found = fs::symlink_metadata(path)?;
    let ours = found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o077 == 0;
    if ours {
        make(path)
    } else {
        Err(io::Error::other("it is not this user's alone"))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    /// A file where the folder must be: not even root can write below it.
    fn unwritable(root: &Path) -> PathBuf {
        fs::write(root.join("file"), "").unwrap();
        root.join("file/aqueduct")
    }

    #[test]
    fn the_users_own_folder_is_used_where_it_can_be_written() {
        let root = tempfile::tempdir().unwrap();
        let own = root.path().join("state/aqueduct");
        let found = StateFolder::choose(Ok(own.clone()), &[root.path().join("other")]).unwrap();
        assert_eq!(
            found,
            StateFolder {
                path: own,
                instead: None
            }
        );
        assert!(!root.path().join("other").exists());
    }

    #[test]
    fn another_folder_is_closed_to_everybody_else_and_the_reason_is_told() {
        let root = tempfile::tempdir().unwrap();
        let other = root.path().join("other");
        for own in [
            Ok(unwritable(root.path())),
            Err(io::Error::other("neither is set")),
        ] {
            let told = own
                .as_ref()
                .map_or_else(ToString::to_string, |path| path.display().to_string());
            let found = StateFolder::choose(own, std::slice::from_ref(&other)).unwrap();
            assert_eq!(found.path, other);
            assert!(found.instead.unwrap().contains(&told));
            assert_eq!(fs::metadata(&other).unwrap().mode() & 0o777, 0o700);
        }
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_not_trusted() {
        let root = tempfile::tempdir().unwrap();
        let [open, linked, last] =
            ["open", "linked", "new/last"].map(|name| root.path().join(name));
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        fs::create_dir(root.path().join("target")).unwrap();
        fs::set_permissions(root.path().join("target"), Permissions::from_mode(0o700)).unwrap();
        symlink(root.path().join("target"), &linked).unwrap();
        let all = [open, linked, last.clone()];
        let found = StateFolder::choose(Ok(unwritable(root.path())), &all).unwrap();
        assert_eq!(found.path, last);
        let error = StateFolder::choose(Ok(unwritable(root.path())), &all[..2]).unwrap_err();
        assert!(error.to_string().contains("set XDG_STATE_HOME"), "{error}");
    }
}
