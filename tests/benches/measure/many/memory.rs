//! Memory over time.

use std::fmt;

use aqueduct_tests::process;

/// The parts of a run whose memory is told apart.
const PARTS: usize = 4;

/// Samples of a process' anonymous memory: without the pages of files, which libtorrent maps.
#[derive(Default)]
pub(super) struct Memory(Vec<u64>);

impl Memory {
    pub(super) fn sample(&mut self, id: u32) {
        match process::anonymous(id) {
            0 => {}
            bytes => self.0.push(bytes),
        }
    }
}

impl fmt::Display for Memory {
    /// The peak of each quarter of the run.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quarter = self.0.len().div_ceil(PARTS).max(1);
        let peaks = self.0.chunks(quarter);
        let peaks = peaks.map(|part| part.iter().max().copied().unwrap_or_default() >> 20);
        let peaks: Vec<_> = peaks.map(|peak| peak.to_string()).collect();
        write!(f, "own by quarter {} MiB", peaks.join(" "))
    }
}
