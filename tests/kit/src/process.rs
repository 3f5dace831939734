//! What the kernel says about a running process: time from `/proc/PID/stat`, memory and threads
//! from `/proc/PID/status` (proc(5)).

use std::fs;
use std::time::Duration;

/// The kernel counts processor time in hundredths of a second for user space, whatever its own
/// clock.
const TICK: Duration = Duration::from_millis(10);

/// What a process has used so far.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Processor time of all its threads, in user mode and in the system's.
    pub cpu: Duration,
    /// The id of the process that started it.
    pub parent: u32,
    /// Whether it has ended and only waits to be waited for.
    pub ended: bool,
}

/// `None`: there is no such process.
#[must_use]
pub fn times(id: u32) -> Option<Times> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The program's name is in parentheses and may contain anything, parentheses too.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u32>().ok();
    Some(Times {
        cpu: TICK * (number(11)? + number(12)?),
        parent: number(1)?,
        ended: matches!(fields.first(), Some(&"Z" | &"X")),
    })
}

/// Processor time that the process has used so far; none if it is gone.
#[must_use]
pub fn cpu(id: u32) -> Duration {
    times(id).map_or(Duration::ZERO, |times| times.cpu)
}

/// The memory that the process holds now, in bytes; 0 if it is gone.
#[must_use]
pub fn resident(id: u32) -> u64 {
    memory(id, "VmRSS:")
}

/// The most memory that the process has held, in bytes; 0 if it is gone.
#[must_use]
pub fn peak(id: u32) -> u64 {
    memory(id, "VmHWM:")
}

/// How many threads the process has; 0 if it is gone.
#[must_use]
pub fn threads(id: u32) -> usize {
    status(id, "Threads:")
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

fn memory(id: u32, field: &str) -> u64 {
    status(id, field)
        .and_then(|size| size.strip_suffix(" kB")?.parse::<u64>().ok())
        .map_or(0, |kibibytes| kibibytes << 10)
}

fn status(id: u32, field: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(field))?;
    Some(value.trim().to_owned())
}
