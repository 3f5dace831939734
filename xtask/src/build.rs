//! `cargo xtask build`: the page first, then the programs, since the page is embedded in the
//! bridge.

use anyhow::Result;

use crate::profile::Profile;
use crate::{page, process};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Quick to compile, slow to run: leaves the programs in target/debug
    #[arg(long)]
    debug: bool,
}

/// Builds the page, the terminal program and the bridge.
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

/// The programs that are built together. One cargo call for all of them selects one set of features
/// per dependency, so that none is compiled twice.
const PROGRAMS: [(&str, &str); 3] = [
    ("aqueduct", "aqueduct"),
    ("aqueduct-bridge", "aqueduct-bridge"),
    ("aqueduct-tests", "sample-swarm"),
];

/// Builds the page, then the programs, since the page is embedded in the bridge.
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
