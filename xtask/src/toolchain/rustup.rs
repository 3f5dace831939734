//! The ordinary way to wasm32: the toolchain at hand has the target, or rustup downloads it.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{TARGET, Toolchain};
use crate::process;

/// Set to `distribution`, it keeps rustup from being asked, for machines where a download would
/// only be waited for in vain.
const SOURCE: &str = "AQUEDUCT_WASM_STD";

/// Whether the toolchain at hand can compile for wasm32, now or after rustup has downloaded the
/// target.
pub(super) fn has_target() -> bool {
    if env::var_os(SOURCE).is_some_and(|source| source == "distribution") {
        return false;
    }
    library_is_there() || (add_target() && library_is_there())
}

/// The toolchain at hand, as it is.
pub(super) fn toolchain() -> Result<Toolchain> {
    let identity = process::output(Command::new("rustc").arg("-vV"))
        .context("`rustc -vV` failed: is a Rust toolchain installed?")?;
    Ok(Toolchain {
        environment: Vec::new(),
        cargo: env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
        identity,
    })
}

fn library_is_there() -> bool {
    let folder = process::output(Command::new("rustc").args([
        "--print",
        "target-libdir",
        "--target",
        TARGET,
    ]));
    let entries = folder.and_then(|folder| fs::read_dir(PathBuf::from(folder)).ok());
    entries.is_some_and(|mut entries| {
        entries.any(|entry| {
            entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
        })
    })
}

fn add_target() -> bool {
    if process::find("rustup").is_none() {
        return false;
    }
    let mut command = Command::new("rustup");
    // One failed try is answer enough: the distribution's packages are the next way.
    command
        .args(["target", "add", TARGET])
        .env("RUSTUP_MAX_RETRIES", "0");
    process::run_within(Duration::from_secs(120), &mut command)
        .inspect_err(|error| eprintln!("rustup cannot add the target: {error}"))
        .is_ok()
}
