//! `cargo xtask test`: all tests. None is skipped silently: missing prerequisites are an error.

mod tally;

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::build;
use crate::prerequisites;
use crate::process;
use crate::profile::Profile;
use crate::toolchain;
use crate::workspace;
use tally::Tally;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only this part of the tests
    part: Option<Part>,
    /// Handed on to the test programs: a part of a test's name, `--nocapture`
    #[arg(last = true)]
    rest: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Formatting and lints, natively and for wasm32
    Lint,
    /// Unit, property and documentation tests, and the committed corpora
    Unit,
    /// Simulated swarms
    Sim,
    /// Other BitTorrent clients, as seeds and as leechers
    Interop,
    /// The page in a real browser, through a real bridge
    E2e,
}

/// The test programs that form their own part. All others in `tests/tests` belong to
/// [`Part::Unit`].
const PARTS: [&str; 3] = ["sim", "interop", "e2e"];
const NOT_THE_PAGE: [&str; 3] = ["--workspace", "--exclude", "aqueduct-web"];

/// Runs the selected tests and prints the sum of their results.
pub(crate) fn test(arguments: &Arguments) -> Result<()> {
    let mut session = Session::default();
    match arguments.part {
        None => session.everything(&arguments.rest)?,
        Some(Part::Lint) => session.lint()?,
        Some(Part::Unit) => session.unit(&arguments.rest)?,
        Some(Part::Sim) => session.program("sim", &arguments.rest)?,
        Some(Part::Interop) => session.with_programs("interop", &arguments.rest)?,
        Some(Part::E2e) => session.with_programs("e2e", &arguments.rest)?,
    }
    session.close()
}

/// A run, with the counts so far. A failure does not stop the remaining tests.
#[derive(Default)]
struct Session {
    tally: Tally,
    environment: Vec<(&'static str, OsString)>,
    wrong: Vec<String>,
}

impl Session {
    fn everything(&mut self, rest: &[String]) -> Result<()> {
        self.prepare()?;
        self.lint()?;
        self.tests(&NOT_THE_PAGE, rest)?;
        self.tests(&["--package", "aqueduct-web", "--lib"], rest)
    }

    fn with_programs(&mut self, name: &str, rest: &[String]) -> Result<()> {
        self.prepare()?;
        self.program(name, rest)
    }

    fn program(&mut self, name: &str, rest: &[String]) -> Result<()> {
        self.tests(&["--package", "aqueduct-tests", "--test", name], rest)
    }

    /// Installs browsers and clients, and builds the programs under test with optimisations, since
    /// the tests also cover speed.
    fn prepare(&mut self) -> Result<()> {
        let prerequisites = prerequisites::all()?;
        build::all(Profile::Release)?;
        self.environment = prerequisites.environment(Profile::Release);
        Ok(())
    }

    fn lint(&mut self) -> Result<()> {
        toolchain::lints()?;
        self.step(process::cargo().args(["fmt", "--all", "--check"]));
        self.step(process::cargo().arg("clippy").args(NOT_THE_PAGE).args([
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ]));
        let page = [
            "clippy",
            "--package",
            "aqueduct-web",
            "--target",
            toolchain::TARGET,
            "--",
            "--deny",
            "warnings",
        ];
        self.step(toolchain::web()?.cargo().args(page));
        self.step(
            process::cargo()
                .env("RUSTDOCFLAGS", "--deny warnings")
                .arg("doc")
                .args(NOT_THE_PAGE)
                .arg("--no-deps"),
        );
        Ok(())
    }

    fn unit(&mut self, rest: &[String]) -> Result<()> {
        self.tests(
            &[&NOT_THE_PAGE[..], &["--exclude", "aqueduct-tests"]].concat(),
            rest,
        )?;
        self.tests(&["--package", "aqueduct-web", "--lib"], rest)?;
        let names = other_programs()?;
        let programs: Vec<&str> = names.iter().flat_map(|name| ["--test", name]).collect();
        self.tests(
            &[&["--package", "aqueduct-tests", "--lib"], &programs[..]].concat(),
            rest,
        )
    }

    /// Runs a check that is not a test. Its failure counts as one failed test.
    fn step(&mut self, command: &mut Command) {
        if let Err(error) = process::run(command) {
            self.wrong.push(error.to_string());
            self.tally.failed += 1;
        }
    }

    /// Runs `cargo test`, prints its output, and adds up its summaries.
    fn tests(&mut self, selection: &[&str], rest: &[String]) -> Result<()> {
        let mut command = process::cargo();
        command
            .args(["test", "--no-fail-fast"])
            .args(selection)
            .arg("--")
            .args(rest);
        command
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped());
        eprintln!("$ {}", process::describe(&command));
        let failed_before = self.tally.failed;
        let mut child = command.spawn().context("starting cargo test")?;
        for line in child
            .stdout
            .take()
            .into_iter()
            .flat_map(|output| BufReader::new(output).lines())
        {
            let line = line.context("reading what cargo test prints")?;
            println!("{line}");
            self.tally.line(&line);
        }
        let status = child.wait()?;
        if !status.success() {
            self.wrong.push(format!(
                "`{}` failed ({status})",
                process::describe(&command)
            ));
            // A test program that does not compile, or that dies before its summary, counts as one
            // failure.
            self.tally.failed += u64::from(self.tally.failed == failed_before);
        }
        Ok(())
    }

    fn close(self) -> Result<()> {
        println!();
        for what in &self.wrong {
            println!("{what}");
        }
        println!("{} passed, {} failed", self.tally.passed, self.tally.failed);
        if self.tally.failed > 0 {
            // Exit here, so that the line above stays the last one: an error that is returned would
            // be printed below it.
            std::process::exit(1);
        }
        Ok(())
    }
}

/// The test programs (a file, or a folder with a `main.rs`) that are not a part of their own.
fn other_programs() -> Result<Vec<String>> {
    let folder = workspace::root().join("tests/tests");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let is_program = path.extension().is_some_and(|extension| extension == "rs")
            || path.join("main.rs").is_file();
        let name = path
            .file_stem()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if is_program && !PARTS.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
