//! The build commands of Aqueduct. `cargo xtask run` and `cargo xtask test` are all that a fresh
//! checkout needs; the other commands are parts of them.
//!
//! A command first installs missing prerequisites (the wasm32 standard library, trunk, browsers,
//! other BitTorrent clients) into the user's cache directory or from the distribution's packages.
//! Without permission for that it fails and prints the command to run.

mod bench;
mod build;
mod cache;
mod packages;
mod page;
mod prerequisites;
mod process;
mod profile;
mod run;
mod stamp;
mod test;
mod toolchain;
mod tools;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "The front door of Aqueduct",
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Build the page, then the terminal program and the bridge, into target/release
    Build(build::Arguments),
    /// Build, then start a bridge on loopback with a sample swarm, and print the address to open
    Run(run::Arguments),
    /// Run every test there is, or one part of them
    Test(test::Arguments),
    /// Measure downloads, hashing and the tab against other clients
    Bench(bench::Arguments),
    /// Get what building and testing need, and stop there
    Setup,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    match Arguments::parse().command {
        None => Ok(Arguments::command().print_help()?),
        Some(Command::Build(arguments)) => build::build(&arguments),
        Some(Command::Run(arguments)) => run::until_stopped(&arguments),
        Some(Command::Test(arguments)) => test::test(&arguments),
        Some(Command::Bench(arguments)) => bench::bench(&arguments),
        Some(Command::Setup) => setup(),
    }
}

fn setup() -> Result<()> {
    toolchain::web()?;
    prerequisites::all()?;
    eprintln!("Everything that building and testing need is there.");
    Ok(())
}
