//! Background programs, the resource usage of commands, and the processes that a program starts.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use aqueduct_tests::process::{cpu, peak, times};

use crate::measured::Measured;

/// The sampling interval, and thereby the error of wall times. Reading `/proc` takes about 20 µs.
const SAMPLE: Duration = Duration::from_millis(3);

/// A child process that is killed when this is dropped.
pub(crate) struct Background(Child);

impl Background {
    /// Starts the command without standard input. Standard error is inherited.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        Ok(Self(
            child.with_context(|| format!("starting {command:?}"))?,
        ))
    }

    /// Processor time that the process has used so far.
    pub(crate) fn cpu(&self) -> Duration {
        cpu(self.id())
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Both fail only if the process has exited already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// How a program competes with others for the processor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Priority {
    Usual,
    /// It runs when no other program wants to.
    Low,
}

impl Priority {
    /// The command with this priority.
    pub(crate) fn apply(self, command: Command) -> Command {
        if self == Self::Usual {
            return command;
        }
        let mut low = Command::new("nice");
        low.args(["-n", "19"]).arg(command.get_program());
        low.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => low.env(name, value),
                None => low.env_remove(name),
            };
        }
        low
    }
}

/// Runs a command to completion and measures it.
pub(crate) fn measure(command: &mut Command) -> Result<Measured> {
    watch(command, |_| {})
}

/// As `measure`. `look` is called with the id of the process again and again while it runs.
pub(crate) fn watch(command: &mut Command, mut look: impl FnMut(u32)) -> Result<Measured> {
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| format!("starting {command:?}"))?;
    let mut measured = Measured::default();
    // An exited child keeps its times until it is waited for, but not its memory, which is
    // therefore sampled while it runs.
    while let Some(times) = times(child.id()).filter(|times| !times.ended) {
        measured.peak = measured.peak.max(peak(child.id()));
        measured.cpu = times.cpu;
        look(child.id());
        thread::sleep(SAMPLE);
    }
    measured.wall = start.elapsed();
    measured.cpu = times(child.id()).map_or(measured.cpu, |times| times.cpu);
    let status = child.wait()?;
    if !status.success() {
        bail!("{command:?} failed ({status})");
    }
    Ok(measured)
}

/// All descendants of `ancestor`, with their command lines.
pub(crate) fn descendants(ancestor: u32) -> Vec<(u32, String)> {
    let parents: Vec<(u32, u32)> = all()
        .into_iter()
        .filter_map(|id| Some((id, times(id)?.parent)))
        .collect();
    let mut family = vec![ancestor];
    let mut next = 0;
    while let Some(member) = family.get(next).copied() {
        family.extend(
            parents
                .iter()
                .filter(|(_, parent)| *parent == member)
                .map(|(id, _)| *id),
        );
        next += 1;
    }
    family
        .into_iter()
        .skip(1)
        .map(|id| (id, command_line(id)))
        .collect()
}

fn all() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

fn command_line(id: u32) -> String {
    fs::read(format!("/proc/{id}/cmdline"))
        .map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "))
        .unwrap_or_default()
}
