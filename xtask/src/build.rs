//! `cargo xtask build`: the page first, then the programs, since the bridge is compiled with the page inside.

use std::path::PathBuf;

use anyhow::Result;

use crate::{page, process, workspace};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Quick to compile, slow to run: leaves the programs in target/debug
    #[arg(long)]
    debug: bool,
}

/// How everything is compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Debug,
    Release,
}

impl Profile {
    /// The folder's name under `target`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Profile::Debug => "debug",
            Profile::Release => "release",
        }
    }

    /// Where the program `name` is, once built.
    pub(crate) fn program(self, name: &str) -> PathBuf {
        workspace::target().join(self.name()).join(name)
    }
}

/// Builds what users run.
pub(crate) fn build(arguments: &Arguments) -> Result<()> {
    let profile = if arguments.debug { Profile::Debug } else { Profile::Release };
    all(profile, &[])?;
    for name in ["aqueduct", "aqueduct-bridge"] {
        println!("{}", profile.program(name).display());
    }
    Ok(())
}

/// Builds the page, `aqueduct`, `aqueduct-bridge`, and whatever else `more` tells cargo to, in one go.
pub(crate) fn all(profile: Profile, more: &[&str]) -> Result<()> {
    page::build(profile)?;
    let mut command = process::cargo();
    command.args(["build", "--package", "aqueduct", "--bin", "aqueduct", "--package", "aqueduct-bridge", "--bin", "aqueduct-bridge"]).args(more);
    if profile == Profile::Release {
        command.arg("--release");
    }
    process::run(&mut command)
}
