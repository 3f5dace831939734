//! The progress of reading much data, on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Redraws a second.
const REDRAWS: u8 = 4;

/// A bar on standard error that is removed when the work is done. It is not shown where standard
/// error is no terminal, nor with `--json`.
#[derive(Debug)]
pub(crate) struct ReadProgress(ProgressBar);

impl ReadProgress {
    /// For `total` bytes.
    pub(crate) fn new(total: u64, quiet: bool) -> Self {
        let target = if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(REDRAWS)
        };
        let style = ProgressStyle::with_template(
            "{bar:20} {percent} % of {total_bytes}, {binary_bytes_per_sec}, {eta} left",
        );
        let bar = ProgressBar::with_draw_target(Some(total), target)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self(bar)
    }

    /// `bytes` more bytes were read.
    pub(crate) fn add(&self, bytes: u32) {
        self.0.inc(bytes.into());
    }
}

impl Drop for ReadProgress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
