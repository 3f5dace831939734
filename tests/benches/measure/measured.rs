//! The resource usage of a run, and its output format.

use std::time::Duration;

/// Resource usage of one process from start to exit.
#[derive(Clone, Copy, Default)]
pub(crate) struct Measured {
    /// Wall time from start to exit.
    pub(crate) wall: Duration,
    /// Processor time of all threads, in user and kernel mode.
    pub(crate) cpu: Duration,
    /// Peak memory in bytes.
    pub(crate) peak: u64,
}

impl Measured {
    /// Speed and processor time as multiples of a rival's, for the same data in the same run.
    pub(crate) fn beside(&self, name: &str, rival: &Self) -> String {
        format!(
            "{:.2} times {name}'s speed, {:.2} times its CPU",
            rival.wall.as_secs_f64() / self.wall.as_secs_f64(),
            self.cpu.as_secs_f64() / rival.cpu.as_secs_f64()
        )
    }
}

/// The header of a table whose rows are printed with [`row`].
pub(crate) fn head(title: &str) {
    println!(
        "\n{title}\n{:<26} {:>8} {:>9} {:>11} {:>10}",
        "", "wall s", "MiB/s", "CPU-s/GiB", "peak MiB"
    );
}

/// One run as a row of the table. `mebibytes` is the amount of data that it processed.
pub(crate) fn row(name: &str, mebibytes: u32, measured: &Measured, note: &str) {
    let (wall, cpu) = (measured.wall.as_secs_f64(), measured.cpu.as_secs_f64());
    let size = f64::from(mebibytes);
    let peak = measured.peak >> 20;
    println!(
        "{name:<26} {wall:>8.2} {:>9.1} {:>11.2} {peak:>10}  {note}",
        size / wall,
        cpu * 1024.0 / size
    );
}
