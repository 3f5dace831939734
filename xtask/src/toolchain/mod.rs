//! Prerequisites of the page's build in addition to a Rust toolchain: the standard library for
//! wasm32, trunk, and the wasm-bindgen program.

mod distribution;
mod rustup;

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{cache, process, tools, workspace};

/// The compilation target of the page.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// trunk 0.22 requires a newer compiler than this workspace.
const TRUNK: &str = "0.21.14";

/// A compiler that supports wasm32, and its tools, as environment variables for cargo and trunk.
pub(crate) struct Toolchain {
    environment: Vec<(&'static str, OsString)>,
    /// The cargo that belongs to the compiler, for subcommands (clippy) that must have the
    /// compiler's version.
    cargo: OsString,
    /// The compiler's name and version, for stamps.
    pub(crate) identity: String,
}

impl Toolchain {
    /// Makes `command` build for wasm32, in the page's own target directory.
    pub(crate) fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        process::forget_this_package(command);
        command
            .current_dir(workspace::root())
            .env("CARGO_TARGET_DIR", workspace::web_target());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)))
    }

    /// The compiler's cargo, configured to build for wasm32.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(&self.cargo);
        self.apply(&mut command);
        command
    }
}

/// Finds all prerequisites, or installs them.
pub(crate) fn web() -> Result<Toolchain> {
    let _lock = cache::lock()?;
    let mut toolchain = if rustup::has_target() {
        rustup::toolchain()?
    } else {
        distribution::toolchain()?
    };
    let bindgen = workspace::locked_version("wasm-bindgen")?;
    let folders = tools::folders(&[
        tools::Tool {
            package: "trunk",
            program: "trunk",
            version: TRUNK,
            locked: true,
            optimised: false,
        },
        tools::Tool {
            package: "wasm-bindgen-cli",
            program: "wasm-bindgen",
            version: &bindgen,
            locked: false,
            optimised: true,
        },
    ])?;
    toolchain
        .environment
        .push(("PATH", process::path_with(&folders)?));
    Ok(toolchain)
}

/// Installs clippy and rustfmt if the toolchain lacks them.
pub(crate) fn lints() -> Result<()> {
    for component in ["clippy", "rustfmt"] {
        let program = if component == "rustfmt" {
            "fmt"
        } else {
            component
        };
        if !process::succeeds(process::cargo().args([program, "--version"])) {
            process::run(Command::new("rustup").args(["component", "add", component]))
                .with_context(|| format!("the toolchain has no {component}: install it with\n    rustup component add {component}\nand try again"))?;
        }
    }
    Ok(())
}
