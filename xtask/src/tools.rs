//! Programs from the package registry, each in an exact version, installed once per user.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, anyhow, bail};

use crate::{cache, process};

/// A program to find or install.
pub(crate) struct Tool<'a> {
    pub(crate) package: &'a str,
    pub(crate) program: &'a str,
    pub(crate) version: &'a str,
    /// Whether to build with the package's own Cargo.lock. That of wasm-bindgen-cli requires crates
    /// that no longer compile.
    pub(crate) locked: bool,
    /// Whether to optimise the program. This pays off for programs that do much work themselves.
    pub(crate) optimised: bool,
}

/// The folders of some tools. Missing ones are installed in parallel, since much of each build uses
/// a single core.
pub(crate) fn folders(tools: &[Tool]) -> Result<Vec<PathBuf>> {
    let folder = |tool| folder(tool).map_err(|error| anyhow!("{error:#}"));
    thread::scope(|scope| {
        let running: Vec<_> = tools
            .iter()
            .map(|tool| scope.spawn(move || folder(tool)))
            .collect();
        let found = running.into_iter().map(|running| {
            running
                .join()
                .map_err(|_| anyhow!("installing a tool ended in a panic"))?
        });
        found.collect()
    })
}

/// The folder that contains the tool: one on the PATH if it has the right version, otherwise one in
/// the cache, installed if necessary.
fn folder(tool: &Tool) -> Result<PathBuf> {
    let root = cache::directory()?
        .join("tools")
        .join(format!("{}-{}", tool.package, tool.version));
    let kept = root.join("bin");
    let on_path = process::find(tool.program).and_then(|path| path.parent().map(Path::to_path_buf));
    if let Some(found) = on_path
        .into_iter()
        .chain([kept.clone()])
        .find(|folder| is_right(folder, tool))
    {
        return Ok(found);
    }
    install(tool, &root)?;
    if !is_right(&kept, tool) {
        bail!(
            "{} was installed into {}, but does not call itself version {}",
            tool.package,
            kept.display(),
            tool.version
        );
    }
    Ok(kept)
}

fn is_right(folder: &Path, tool: &Tool) -> bool {
    let answer = process::output(Command::new(folder.join(tool.program)).arg("--version"));
    answer.is_some_and(|answer| answer.split_whitespace().nth(1) == Some(tool.version))
}

/// Builds without unused features (downloads over TLS) and without full optimisation, which takes a
/// third of the time.
fn install(tool: &Tool, root: &Path) -> Result<()> {
    eprintln!(
        "Building {} {}: once per user, 2 to 5 minutes on two cores",
        tool.package, tool.version
    );
    let mut command = process::cargo();
    command
        .env_remove("CARGO_TARGET_DIR")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env(
            "CARGO_PROFILE_DEV_OPT_LEVEL",
            if tool.optimised { "1" } else { "0" },
        );
    // Without a lock file, select dependencies that this compiler can build.
    command.env("CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS", "fallback");
    command
        .args([
            "install",
            "--quiet",
            "--debug",
            "--force",
            "--no-default-features",
            tool.package,
            "--version",
            tool.version,
            "--root",
        ])
        .arg(root);
    if tool.locked {
        command.arg("--locked");
    }
    process::run(&mut command)
        .with_context(|| format!("installing {} {}", tool.package, tool.version))
}
