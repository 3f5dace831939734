//! A bar a torrent, with rate, peers and time left.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use aqueduct_core::types::InfoHash;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{View, plain, text};

/// Redraws a second: as often as progress is told.
const REDRAWS: u8 = 4;
/// Columns in which a bar leaves room for what counts. In fewer there are words alone.
const WIDE: u16 = 60;

#[derive(Debug)]
pub(crate) struct Bars {
    all: MultiProgress,
    bars: BTreeMap<InfoHash, ProgressBar>,
}

impl Default for Bars {
    fn default() -> Self {
        Self { all: MultiProgress::with_draw_target(ProgressDrawTarget::stdout_with_hz(REDRAWS)), bars: BTreeMap::new() }
    }
}

impl Bars {
    pub(super) fn progress(&mut self, views: &[View]) {
        let style = style(columns());
        for View { name, snapshot, hint } in views {
            let bar = self.bars.entry(snapshot.info_hash).or_insert_with(|| self.all.add(bar(name)));
            bar.set_style(style.clone());
            bar.set_length(snapshot.wanted.max(1));
            bar.set_position(if snapshot.wanted == 0 { 0 } else { snapshot.done });
            bar.set_message(plain::status(snapshot, hint));
        }
    }

    pub(super) fn finished(&self, name: &str, path: &Path, took: Duration) {
        self.note(&format!("{name}: finished in {}, saved to {}", text::span(took), path.display()));
    }

    pub(super) fn note(&self, text: &str) {
        // A terminal that is gone has nobody to tell.
        let _ = self.all.println(text);
    }

    pub(super) fn close(&mut self) {
        self.bars.values().for_each(ProgressBar::abandon);
    }
}

fn bar(name: &str) -> ProgressBar {
    ProgressBar::new(1).with_prefix(name.to_owned())
}

/// Wide enough for rate, time left and peers in 80 columns.
fn style(columns: u16) -> ProgressStyle {
    let template = if columns < WIDE { "{prefix:8!} {wide_msg}" } else { "{prefix:18!} {bar:14} {wide_msg}" };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// The terminal's width, which may change at any time. One that does not tell is taken for an ordinary one.
fn columns() -> u16 {
    rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| size.ws_col).filter(|&columns| columns > 0).unwrap_or(80)
}
