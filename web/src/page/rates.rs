//! The rates of the last ten minutes, of each torrent and of all, for plots.

use std::collections::VecDeque;
use std::time::Duration;

use aqueduct_core::types::SortedMap;
use leptos::prelude::*;

use super::clock_ms;
use super::model::Model;
use crate::format::{fixed, rate};
use crate::texts::opened as texts;

/// Interval of the samples. In a hidden page, browsers make it longer.
const INTERVAL: Duration = Duration::from_secs(2);
/// The time that is shown, in milliseconds.
const SHOWN_MS: f64 = 600_000.0;
/// The width and the height of a plot, in its own units.
pub(crate) const WIDTH: f64 = 600.0;
pub(crate) const HEIGHT: f64 = 60.0;

/// A torrent, or `None` for all together.
type Of = Option<u32>;

/// The rates at one time, in bytes per second.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sample {
    /// Milliseconds since the page was opened.
    at: f64,
    down: u64,
    up: u64,
}

/// Samples of the last ten minutes, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct History(VecDeque<Sample>);

impl History {
    fn push(&mut self, sample: Sample) {
        self.0.push_back(sample);
        while self
            .0
            .front()
            .is_some_and(|old| old.at < sample.at - SHOWN_MS)
        {
            self.0.pop_front();
        }
    }

    fn highest(&self, of: impl Fn(&Sample) -> u64) -> u64 {
        self.0.iter().map(of).max().unwrap_or(0)
    }

    /// The lines of both rates, as the data of SVG paths: down, up. The last sample is at the right
    /// edge, and the highest rate at the upper one.
    pub(crate) fn lines(&self) -> (String, String) {
        let top = self.highest(|sample| sample.down.max(sample.up)).max(1) as f64;
        let end = self.0.back().map_or(0.0, |last| last.at);
        let line = |of: fn(&Sample) -> u64| {
            let mut data = String::new();
            for sample in &self.0 {
                let x = WIDTH - (end - sample.at) / SHOWN_MS * WIDTH;
                let y = HEIGHT - of(sample) as f64 / top * (HEIGHT - 2.0) - 1.0;
                let verb = if data.is_empty() { 'M' } else { 'L' };
                data += &format!("{verb}{} {}", tenths(x), tenths(y));
            }
            data
        };
        (line(|sample| sample.down), line(|sample| sample.up))
    }

    /// The plot in words.
    pub(crate) fn text(&self) -> String {
        texts::plot(
            rate(self.highest(|sample| sample.down)),
            rate(self.highest(|sample| sample.up)),
        )
    }
}

/// A coordinate with one decimal.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "no coordinate is negative, or larger than a plot"
)]
fn tenths(coordinate: f64) -> String {
    fixed((coordinate * 10.0 + 0.5) as u64, 1, '.')
}

/// The histories of all torrents. Copies share them.
#[derive(Clone, Copy)]
pub(crate) struct Rates {
    histories: StoredValue<SortedMap<Of, History>>,
    /// Changes with each sample.
    samples: RwSignal<u64>,
}

impl Rates {
    /// Starts to take samples.
    pub(crate) fn new(model: Model) -> Self {
        let rates = Self {
            histories: StoredValue::default(),
            samples: RwSignal::new(0),
        };
        set_interval(move || rates.sample(model), INTERVAL);
        rates
    }

    fn sample(self, model: Model) {
        let at = clock_ms();
        let current: Vec<(u32, u64, u64)> = model.torrents.with_untracked(|all| {
            let traffic = all.iter().map(|entry| {
                entry
                    .torrent
                    .with_untracked(|t| (entry.id, t.traffic.down, t.traffic.up))
            });
            traffic.collect()
        });
        self.histories.update_value(|histories| {
            record(histories, at, &current);
        });
        self.samples.update(|samples| *samples += 1);
    }

    /// The history of a torrent, or of all.
    pub(crate) fn of(self, of: Of) -> History {
        self.samples.track();
        self.histories
            .with_value(|histories| histories.get(&of).cloned().unwrap_or_default())
    }
}

/// Adds a sample to each history, and drops those of torrents that are gone.
fn record(histories: &mut SortedMap<Of, History>, at: f64, current: &[(u32, u64, u64)]) {
    histories.retain(|of, _| of.is_none_or(|id| current.iter().any(|(other, ..)| *other == id)));
    let total = current
        .iter()
        .fold((0, 0), |(down, up), (_, d, u)| (down + d, up + u));
    let each = current.iter().map(|(id, down, up)| (Some(*id), *down, *up));
    for (of, down, up) in each.chain([(None, total.0, total.1)]) {
        histories
            .get_or_insert_with(of, History::default)
            .push(Sample { at, down, up });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(rates: &[(f64, u64)]) -> SortedMap<Of, History> {
        let mut histories = SortedMap::new();
        for (at, down) in rates {
            record(&mut histories, *at, &[(1, *down, 0), (2, 10, 5)]);
        }
        histories
    }

    #[test]
    fn rates_of_all_torrents_add_up_and_samples_older_than_ten_minutes_are_dropped() {
        let histories = recorded(&[(0.0, 100), (300_000.0, 50), (700_000.0, 20)]);
        assert_eq!(histories.get(&Some(1)).unwrap().highest(|s| s.down), 50);
        assert_eq!(histories.get(&None).unwrap().highest(|s| s.down), 60);
        assert_eq!(
            histories.get(&None).unwrap().text(),
            "Last 10 minutes: at most 60 B/s down, 5 B/s up"
        );
    }

    #[test]
    fn the_history_of_a_torrent_ends_with_it() {
        let mut histories = recorded(&[(0.0, 100)]);
        record(&mut histories, 2000.0, &[(2, 0, 0)]);
        assert_eq!(
            histories.keys().copied().collect::<Vec<_>>(),
            [None, Some(2)]
        );
    }

    #[test]
    fn the_highest_rate_is_at_the_top_and_the_last_sample_at_the_right() {
        let histories = recorded(&[(0.0, 0), (300_000.0, 100), (600_000.0, 0)]);
        let (down, up) = histories.get(&Some(1)).unwrap().lines();
        assert_eq!(down, "M0.0 59.0L300.0 1.0L600.0 59.0");
        assert_eq!(up, "M0.0 59.0L300.0 59.0L600.0 59.0");
        assert_eq!(History::default().lines(), (String::new(), String::new()));
    }
}
