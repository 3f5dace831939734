//! The default source of wasm32: the current toolchain has the target, or rustup downloads it.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{TARGET, Toolchain};
use crate::process;

/// If set to `distribution`, rustup is not asked. This is for machines on which a download would
/// only time out.
const SOURCE: &str = "AQUEDUCT_WASM_STD";

/// Whether the current toolchain can compile for wasm32, possibly after rustup has downloaded the
/// target.
pub(super) fn has_target() -> bool {
    if env::var_os(SOURCE).is_some_and(|source| source == "distribution") {
        return false;
    }
    library_is_there() || (add_target() && library_is_there())
}

/// The current toolchain, unchanged.
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
    // A single attempt is enough, since the distribution's packages are the fallback.
    command
        .args(["target", "add", TARGET])
        .env("RUSTUP_MAX_RETRIES", "0");
    process::run_within(Duration::from_secs(120), &mut command)
        .inspect_err(|error| eprintln!("rustup cannot add the target: {error}"))
        .is_ok()
}
