//! Processor time and memory of a browser and of other programs.

use std::collections::BTreeMap;
use std::time::Duration;

use aqueduct_tests::process::{cpu, cpu_by_thread, peak as peak_memory};

use crate::process::descendants;

/// The number of threads of the renderer that are printed.
const THREADS: usize = 4;

/// Processor time and peak memory by role. The browser has several processes per role; all its
/// renderers but one are idle.
#[derive(Default)]
pub(super) struct Processes {
    /// By role and id, since some of the browser's processes end.
    cpu: BTreeMap<(&'static str, u32), Duration>,
    peak: BTreeMap<&'static str, u64>,
    /// Processor time of the renderers' threads by name and id.
    threads: BTreeMap<(String, u32), Duration>,
}

impl Processes {
    /// The browser that this driver has started, and further processes by their roles.
    pub(super) fn now(driver: u32, others: &[(&'static str, u32)]) -> Self {
        let mut processes = Self::default();
        for (role, id) in others {
            processes.add(role, *id);
        }
        for (id, line) in descendants(driver) {
            let is_renderer = line.contains("--type=renderer");
            processes.add(if is_renderer { "renderer" } else { "browser" }, id);
            if is_renderer {
                processes.threads.append(&mut cpu_by_thread(id));
            }
        }
        processes
    }

    fn add(&mut self, role: &'static str, id: u32) {
        self.cpu.insert((role, id), cpu(id));
        let peak = self.peak.entry(role).or_default();
        *peak = peak_memory(id).max(*peak);
    }

    /// The peak memory of one process of this role in MiB.
    pub(super) fn peak(&self, role: &str) -> u64 {
        self.peak.get(role).copied().unwrap_or_default() >> 20
    }

    /// Seconds of processor time since then of a role's processes that still run.
    pub(super) fn spent(&self, then: &Self, role: &str) -> f64 {
        let spent = since(&self.cpu, &then.cpu).filter(|((of, _), _)| *of == role);
        spent.map(|(_, spent)| spent.as_secs_f64()).sum()
    }

    /// Seconds of processor time since then of the renderers' main threads, which draw pages.
    pub(super) fn spent_on_pages(&self, then: &Self) -> f64 {
        let is_main = |id: u32| self.cpu.contains_key(&("renderer", id));
        let spent = since(&self.threads, &then.threads).filter(|((_, id), _)| is_main(*id));
        spent.map(|(_, spent)| spent.as_secs_f64()).sum()
    }

    /// Seconds of processor time per thread of the renderer since then, the busiest first.
    pub(super) fn busiest_threads(&self, then: &Self) -> Vec<(&str, f64)> {
        let mut spent: Vec<(Duration, &str)> = since(&self.threads, &then.threads)
            .map(|(thread, spent)| (spent, thread.0.as_str()))
            .collect();
        spent.sort_unstable();
        let named = spent.iter().rev().take(THREADS);
        named
            .map(|(cpu, name)| (*name, cpu.as_secs_f64()))
            .collect()
    }
}

/// What each of `now` has used since then.
fn since<'a, K: Ord>(
    now: &'a BTreeMap<K, Duration>,
    then: &BTreeMap<K, Duration>,
) -> impl Iterator<Item = (&'a K, Duration)> {
    now.iter().map(move |(key, cpu)| {
        let before = then.get(key).copied().unwrap_or_default();
        (key, cpu.saturating_sub(before))
    })
}
