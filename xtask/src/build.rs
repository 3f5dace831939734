//! `cargo xtask build`: the page first, then the programs, since the bridge is compiled with the
//! page inside.

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
    let profile = if arguments.debug {
        Profile::Debug
    } else {
        Profile::Release
    };
    all(profile)?;
    for name in ["aqueduct", "aqueduct-bridge"] {
        println!("{}", profile.program(name).display());
    }
    Ok(())
}

/// The programs that are built together. One call for all of them gives every dependency one set of
/// features, so that none is compiled twice.
const PROGRAMS: [(&str, &str); 3] = [
    ("aqueduct", "aqueduct"),
    ("aqueduct-bridge", "aqueduct-bridge"),
    ("aqueduct-tests", "sample-swarm"),
];

/// Builds the page, then the programs, since one of them is compiled with the page inside.
pub(crate) fn all(profile: Profile) -> Result<()> {
    page::build(profile)?;
    eprintln!("Building the programs: about 4 minutes on two cores the first time");
    let mut command = process::cargo();
    command.arg("build");
    for (package, program) in PROGRAMS {
        command.args(["--package", package, "--bin", program]);
    }
    if profile == Profile::Release {
        command.arg("--release");
    }
    process::run(&mut command)
}
