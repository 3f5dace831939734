//! What the page's build needs beyond a Rust toolchain: the standard library for wasm32, trunk, and
//! wasm-bindgen's program.

mod distribution;
mod rustup;
mod tools;

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{cache, process, workspace};

/// The target that a browser runs.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// trunk 0.22 asks for a newer compiler than this workspace does.
const TRUNK: &str = "0.21.14";

/// A compiler that knows wasm32 and the tools beside it, as environment variables for cargo and
/// trunk.
pub(crate) struct Toolchain {
    environment: Vec<(&'static str, OsString)>,
    /// The cargo that goes with the compiler, for subcommands (clippy) that must be of the
    /// compiler's own version.
    cargo: OsString,
    /// The compiler's name and version, for stamps.
    pub(crate) identity: String,
}

impl Toolchain {
    /// Lets `command` build for wasm32, in the page's own target directory.
    pub(crate) fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        process::forget_this_package(command);
        command
            .current_dir(workspace::root())
            .env("CARGO_TARGET_DIR", workspace::web_target());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)))
    }

    /// The compiler's own cargo, ready to build for wasm32.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(&self.cargo);
        self.apply(&mut command);
        command
    }
}

/// Finds everything, or gets it.
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

/// Gets clippy and rustfmt where the toolchain came without them.
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
