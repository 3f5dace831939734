//! Resource usage of a running process: times from `/proc/PID/stat`, memory and threads from
//! `/proc/PID/status` (proc(5)).

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// The unit of processor times in `/proc`: 1/100 s for user space, whatever the kernel's own tick.
const TICK: Duration = Duration::from_millis(10);

/// State and processor time of a process.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Processor time of all threads, in user and kernel mode.
    pub cpu: Duration,
    /// The id of the parent process.
    pub parent: u32,
    /// Whether the process has exited and has not been waited for.
    pub ended: bool,
}

/// Reads the times of a process. `None` if it does not exist.
#[must_use]
pub fn times(id: u32) -> Option<Times> {
    parse(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
}

fn parse(stat: &str) -> Option<Times> {
    // The program's name is in parentheses and may itself contain parentheses.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u32>().ok();
    Some(Times {
        cpu: TICK * (number(11)? + number(12)?),
        parent: number(1)?,
        ended: matches!(fields.first(), Some(&"Z" | &"X")),
    })
}

/// Processor time that the process has used so far; zero if it does not exist.
#[must_use]
pub fn cpu(id: u32) -> Duration {
    times(id).map_or(Duration::ZERO, |times| times.cpu)
}

/// Processor time that each thread of a process has used so far, by the thread's name and id, since
/// several may have the same name. Threads that have ended are missing.
#[must_use]
pub fn cpu_by_thread(id: u32) -> BTreeMap<(String, u32), Duration> {
    let threads = fs::read_dir(format!("/proc/{id}/task"));
    let mut by_thread = BTreeMap::new();
    for thread in threads.into_iter().flatten().flatten() {
        let read = |name| fs::read_to_string(thread.path().join(name));
        if let Some(id) = thread.file_name().to_str().and_then(|id| id.parse().ok())
            && let (Ok(name), Ok(stat)) = (read("comm"), read("stat"))
            && let Some(times) = parse(&stat)
        {
            by_thread.insert((name.trim().to_owned(), id), times.cpu);
        }
    }
    by_thread
}

/// Resident memory of the process, in bytes; 0 if it does not exist.
#[must_use]
pub fn resident(id: u32) -> u64 {
    memory(id, "VmRSS:")
}

/// Resident memory of the process that is not pages of files, in bytes; 0 if it does not exist.
#[must_use]
pub fn anonymous(id: u32) -> u64 {
    memory(id, "RssAnon:")
}

/// Peak resident memory of the process, in bytes; 0 if it does not exist.
#[must_use]
pub fn peak(id: u32) -> u64 {
    memory(id, "VmHWM:")
}

/// The number of threads of the process; 0 if it does not exist.
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
