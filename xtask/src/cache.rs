//! The user's cache directory. Everything that was downloaded or built as a tool stays there for
//! other checkouts.

use std::env;
use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::{Context, Result};

/// `$XDG_CACHE_HOME/aqueduct`, or `~/.cache/aqueduct`.
pub(crate) fn directory() -> Result<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(given) => PathBuf::from(given),
        None => env::home_dir()
            .context("no home directory: set HOME or XDG_CACHE_HOME")?
            .join(".cache"),
    };
    let directory = base.join("aqueduct");
    fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;
    Ok(directory)
}

/// A lock that is held during an installation, so that two checkouts never install the same thing
/// at the same time. Closing the file releases it.
pub(crate) struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

/// Waits until no other `cargo xtask` of this user is installing.
pub(crate) fn lock() -> Result<Lock> {
    let path = directory()?.join("lock");
    let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    if file.try_lock().is_err() {
        eprintln!(
            "Waiting for another cargo xtask that is installing something ({})",
            path.display()
        );
        file.lock()
            .with_context(|| format!("locking {}", path.display()))?;
    }
    Ok(Lock(file))
}
