//! A row per torrent, with its name, a bar, rate, time left and peers: as many as the terminal has
//! rows for.

use std::path::Path;
use std::time::Duration;

use aqueduct_core::Phase;
use aqueduct_native::storage::shown_path;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::layout::{self, Layout, Size};
use super::view::View;
use super::{plain, text};

/// Redraws per second: as often as progress is reported.
const REDRAWS: u8 = 4;

#[derive(Debug)]
pub(crate) struct Bars {
    all: MultiProgress,
    /// From the top of the screen. Which torrent each shows may change.
    rows: Vec<Row>,
    /// The line about the torrents that have no row.
    rest: Option<ProgressBar>,
    layout: Layout,
}

#[derive(Debug)]
struct Row {
    bar: ProgressBar,
    /// Whether its torrent is complete.
    complete: bool,
}

impl Default for Bars {
    fn default() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stdout_with_hz(REDRAWS));
        Self {
            all,
            rows: Vec::new(),
            rest: None,
            layout: Layout::default(),
        }
    }
}

impl Bars {
    pub(super) fn progress(&mut self, views: &[View]) {
        let size = Size::of_terminal();
        let (shown, hidden) = layout::choose(views, size.rows);
        let statuses: Vec<plain::Status> = shown
            .iter()
            .map(|view| plain::Status::of(&view.snapshot, &view.hint))
            .collect();
        let widest = statuses.iter().map(plain::Status::width).max().unwrap_or(0);
        self.layout.adapt(size.columns, widest);
        self.rows
            .drain(shown.len().min(self.rows.len())..)
            .for_each(|row| self.all.remove(&row.bar));
        for (at, (view, status)) in shown.iter().zip(&statuses).enumerate() {
            self.show(at, view, status);
        }
        self.show_rest(&hidden, size.columns);
    }

    fn show(&mut self, at: usize, view: &View, status: &plain::Status) {
        if self.rows.len() <= at {
            self.rows.push(Row {
                bar: self.all.insert(at, ProgressBar::new(1)),
                complete: false,
            });
        }
        let Some(Row { bar, complete }) = self.rows.get_mut(at) else {
            return;
        };
        let snapshot = &view.snapshot;
        *complete = snapshot.phase == Phase::Seeding;
        bar.set_style(style(&self.layout));
        bar.set_prefix(layout::shortened(&view.name, self.layout.name));
        bar.set_length(snapshot.wanted.max(1));
        bar.set_position(if snapshot.wanted == 0 {
            0
        } else {
            snapshot.done
        });
        bar.set_message(status.within(self.layout.message));
    }

    fn show_rest(&mut self, hidden: &[&View], columns: usize) {
        if hidden.is_empty() {
            self.rest
                .take()
                .into_iter()
                .for_each(|bar| self.all.remove(&bar));
            return;
        }
        let all = &self.all;
        let bar = self.rest.get_or_insert_with(|| {
            all.add(ProgressBar::new(1).with_style(templated("{wide_msg}")))
        });
        bar.set_message(layout::within(&[layout::summary(hidden)], "", columns));
    }

    pub(super) fn finished(&self, name: &str, path: &Path, took: Duration) {
        self.note(&format!(
            "{name}: finished in {}, saved to {}",
            text::span(took),
            shown_path(path)
        ));
    }

    pub(super) fn note(&self, text: &str) {
        // Nothing can be done about a terminal that is gone.
        let _ = self.all.println(text);
    }

    /// Leaves the rows of unfinished torrents as they are. Those of complete ones are removed:
    /// their end was reported.
    pub(super) fn close(&mut self) {
        for Row { bar, complete } in self.rows.drain(..) {
            if complete {
                bar.finish_and_clear()
            } else {
                bar.abandon()
            }
        }
        self.rest
            .take()
            .into_iter()
            .for_each(|bar| bar.finish_and_clear());
    }
}

fn style(layout: &Layout) -> ProgressStyle {
    let bar = if layout.bar == 0 {
        String::new()
    } else {
        format!("{{bar:{}}} ", layout.bar)
    };
    templated(&format!("{{prefix:{}!}} {bar}{{wide_msg}}", layout.name))
}

fn templated(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
