//! The commands.

mod create;
mod files;
mod flags;
mod lookups;
mod manual;
mod network;
mod output;
mod place;
mod plan;
mod reports;
mod save;
mod scrape;
mod select;
mod session;
mod settings;
mod show;
mod signals;
mod source;
mod swarm;
mod torrent_failures;
mod values;
mod verify;

use std::io;
use std::process::ExitCode;

use aqueduct_native::descriptors;
use clap::{CommandFactory as _, Parser as _};
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tracing_subscriber::EnvFilter;

use self::flags::{Command, Flags};
use self::signals::{interruptible, on_a_thread};
use crate::ui;
use crate::ui::failure::{Class, Failure};

/// Parses the command line, runs the command, and reports how it ended.
pub(crate) fn run() -> ExitCode {
    let flags = match Flags::try_parse() {
        Ok(flags) => flags,
        Err(error) => return refuse(&error),
    };
    let json = flags.command.is_json();
    start_logging(flags.command.verbosity());
    match carry_out(flags.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            ui::failure(&failure, json);
            ExitCode::from(failure.class as u8)
        }
    }
}

/// Prints clap's message. Help is not a failure; anything else is a usage error, printed as JSON if
/// requested.
fn refuse(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && std::env::args_os().any(|arg| arg == "--json") {
        ui::failure(
            &Failure::new(Class::Usage, error.to_string().trim_end()),
            true,
        );
    } else if error.print().is_err() {
        return ExitCode::FAILURE;
    }
    if error.use_stderr() {
        ExitCode::from(Class::Usage as u8)
    } else {
        ExitCode::SUCCESS
    }
}

fn carry_out(command: Command) -> Result<(), Failure> {
    match command {
        Command::Get(flags) => block_on(swarm::get(flags)),
        Command::Seed(flags) => block_on(swarm::seed(flags)),
        Command::Create(flags) => block_on(interruptible(on_a_thread(|| create::run(flags)))),
        Command::Show(flags) => block_on(interruptible(show::run(flags))),
        Command::Verify(flags) => block_on(interruptible(verify::run(flags))),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Flags::command(), "aqueduct", &mut script);
            ui::print(&script);
            Ok(())
        }
        Command::Man => {
            let page = manual::page(Flags::command())
                .map_err(|error| Failure::new(Class::Failure, error.to_string()))?;
            ui::print(&page);
            Ok(())
        }
    }
}

/// Runs a future on a single thread; files and digests have their own threads.
fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    descriptors::require().map_err(|error| Failure::new(Class::Failure, error.to_string()))?;
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime
        .map_err(|error| Failure::new(Class::Failure, format!("could not start: {error}")))?;
    let outcome = LocalSet::new().block_on(&runtime, work);
    // Does not wait for what is still being read or looked up.
    runtime.shutdown_background();
    outcome
}

fn start_logging(verbosity: u8) {
    let filter = match verbosity {
        0 => "error",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(io::stderr)
        .with_target(false)
        .init();
}

impl Command {
    fn is_json(&self) -> bool {
        match self {
            Self::Get(flags) => flags.swarm.output.json,
            Self::Seed(flags) => flags.swarm.output.json,
            Self::Create(flags) => flags.json,
            Self::Show(flags) => flags.json,
            Self::Verify(flags) => flags.json,
            Self::Completions { .. } | Self::Man => false,
        }
    }

    fn verbosity(&self) -> u8 {
        match self {
            Self::Get(flags) => flags.swarm.output.verbose,
            Self::Seed(flags) => flags.swarm.output.verbose,
            _ => 0,
        }
    }
}
