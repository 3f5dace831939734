//! What one run cost, and how it is printed.

use std::time::Duration;

/// The figures of one process from its start to its end.
#[derive(Clone, Copy, Default)]
pub(crate) struct Measured {
    /// From start to exit.
    pub(crate) wall: Duration,
    /// Processor time of all its threads, in user and kernel mode.
    pub(crate) cpu: Duration,
    /// Most memory held at once, in bytes.
    pub(crate) peak: u64,
}

/// The head of a table whose rows come from [`row`].
pub(crate) fn head(title: &str) {
    println!(
        "\n{title}\n{:<26} {:>8} {:>9} {:>11} {:>10}",
        "", "wall s", "MiB/s", "CPU-s/GiB", "peak MiB"
    );
}

/// One run as a line of the table; `mebibytes` is how much data it went through.
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
