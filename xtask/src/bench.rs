//! `cargo xtask bench`: builds everything optimised and runs the measuring program in
//! `tests/benches`.

use anyhow::Result;

use crate::build;
use crate::profile::Profile;
use crate::{prerequisites, process};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// `download`, `lines`, `many`, `hash`, `relay`, `tab`, `views`, `play`, `hidden`, `save`, `load`,
    /// `sessions`, `tracker` or `all`, and the measuring program's own options (`--help` lists them)
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        default_value = "all"
    )]
    rest: Vec<String>,
}

/// Measures on this machine, now. Only ratios of figures from the same run are meaningful.
pub(crate) fn bench(arguments: &Arguments) -> Result<()> {
    let prerequisites = prerequisites::all()?;
    build::all(Profile::Release)?;
    let mut command = process::cargo();
    command
        .args([
            "bench",
            "--package",
            "aqueduct-tests",
            "--bench",
            "measure",
            "--",
        ])
        .args(&arguments.rest);
    process::run(command.envs(prerequisites.environment(Profile::Release)))
}
