//! How much memory the bridge may have before it turns sessions away.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::sleep;

/// How often the system is asked.
const LOOK: Duration = Duration::from_secs(1);

/// Whether the limit is reached.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Bytes; `None`: the system does not say what there is.
    limit: Option<u64>,
    full: AtomicBool,
}

impl Memory {
    /// `limit`: bytes; 0: 90 % of what the machine or the control group has.
    pub(crate) fn new(limit: u64) -> Self {
        let limit = if limit > 0 { Some(limit) } else { granted().map(|bytes| bytes / 10 * 9) };
        let memory = Self { limit, full: AtomicBool::new(false) };
        memory.look();
        memory
    }

    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Looks again and again until the task is dropped.
    pub(crate) async fn watch(&self) {
        loop {
            sleep(LOOK).await;
            self.look();
        }
    }

    fn look(&self) {
        let full = self.limit.zip(resident()).is_some_and(|(limit, resident)| resident >= limit);
        self.full.store(full, Ordering::Relaxed);
    }
}

/// What this process has in memory.
fn resident() -> Option<u64> {
    field(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// What the machine has, or the control group that this process is in, or any that this group is in.
fn granted() -> Option<u64> {
    let machine = field(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:");
    let group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = group.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let files = Path::new(group).ancestors().map(|group| Path::new("/sys/fs/cgroup").join(group).join("memory.max"));
    // A group without a limit says `max`.
    let groups = files.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok());
    machine.into_iter().chain(groups).min()
}

/// A line like `VmRSS:     5120 kB`, in bytes.
fn field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_reached_or_not() {
        assert!(Memory::new(1).is_full());
        assert!(!Memory::new(u64::MAX).is_full());
        assert!(!Memory::new(0).is_full(), "a test takes less than the machine has");
    }

    #[test]
    fn the_systems_words_are_read() {
        let text = "Name:\tbridge\nVmRSS:\t    5120 kB\nThreads:\t3\n";
        assert_eq!(field(text, "VmRSS:"), Some(5_242_880));
        assert_eq!((field(text, "Threads:"), field(text, "VmHWM:")), (None, None));
        assert!(resident().is_some_and(|bytes| granted().is_some_and(|all| bytes < all)));
    }
}
