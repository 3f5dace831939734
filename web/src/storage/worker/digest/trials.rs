//! Which way of digesting is faster.

/// The number of measurements before a way is chosen.
const TRIALS: u32 = 3;

/// The best rates in bytes per second. The best counts, since other work may have interrupted a
/// measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Trials {
    count: u32,
    lane: f64,
    browser: f64,
}

impl Trials {
    /// Adds a measurement of a piece in one lane and by the browser, in seconds.
    pub(super) fn add(&mut self, bytes: f64, lane: f64, browser: f64) {
        self.count += 1;
        self.lane = self.lane.max(rate(bytes, lane));
        self.browser = self.browser.max(rate(bytes, browser));
    }

    /// Whether nothing is chosen yet.
    pub(super) const fn are_open(self) -> bool {
        self.count < TRIALS
    }

    /// Whether lanes take less time than the browser for this many pieces.
    pub(super) fn are_lanes_faster(self, pieces: u32) -> bool {
        !self.are_open() && self.lane * f64::from(pieces) > self.browser
    }
}

/// Browsers round times, so that a short one may be 0.
fn rate(bytes: f64, seconds: f64) -> f64 {
    bytes / seconds.max(1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_used_for_as_many_pieces_as_make_them_faster_by_their_best_trial() {
        let mut trials = Trials::default();
        trials.add(1e6, 0.002, 0.001);
        trials.add(1e6, 0.050, 0.050);
        assert!(trials.are_open() && !trials.are_lanes_faster(4));
        trials.add(1e6, 0.003, 0.050);
        assert!(!trials.are_open());
        assert_eq!(
            [1, 2, 3, 4].map(|n| trials.are_lanes_faster(n)),
            [false, false, true, true]
        );
    }
}
