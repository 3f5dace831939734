//! `aqueduct`, the terminal program: parse, run, exit code.

mod cli;
mod ui;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
