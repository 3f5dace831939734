//! When changes to files by other programs are reported.
//!
//! Each report has the whole file read and hashed again. A file that is written to without pause
//! would be read without pause, so reports of one file follow each other at growing intervals,
//! until the file rests.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aqueduct_core::FileChange;

/// Between the first two reports of a file; each further interval is twice as long. A file that is
/// looked at every two seconds, and was changed each time, must not seem to rest.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest interval between two reports of a file that never rests.
const MAX_PAUSE: Duration = Duration::from_secs(5 * 60);
/// A file rests once no change was noticed for as long as its interval, or for this time if that is
/// shorter.
const MAX_REST: Duration = Duration::from_secs(30);

/// Changes that are not reported yet, and when each file's last report was.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pending: BTreeMap<u32, FileChange>,
    paces: BTreeMap<u32, Pace>,
    /// Whether the next call reports everything, whatever the intervals.
    all_due: bool,
}

#[derive(Clone, Copy, Debug)]
struct Pace {
    reported: Instant,
    changed: Instant,
    /// Until the next report.
    pause: Duration,
}

impl Pace {
    fn rests(&self, now: Instant) -> bool {
        now.duration_since(self.changed) >= self.pause.min(MAX_REST)
    }

    fn is_due(&self, now: Instant) -> bool {
        self.rests(now) || now.duration_since(self.reported) >= self.pause
    }
}

impl Changes {
    /// A file changed. One report per file says the last of its changes.
    pub(super) fn noticed(&mut self, now: Instant, index: u32, change: FileChange) {
        let was_reported = self.pending.insert(index, change).is_none();
        if let Some(pace) = self.paces.get_mut(&index) {
            if was_reported && pace.rests(now) {
                self.paces.remove(&index);
            } else {
                pace.changed = now;
            }
        }
    }

    /// What is to be reported now, by the files' place in the torrent.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(u32, FileChange)> {
        let all = std::mem::take(&mut self.all_due);
        let is_due = |index: &u32| {
            let pace = self.paces.get(index);
            all || pace.is_none_or(|pace| pace.is_due(now))
        };
        let due: Vec<u32> = self.pending.keys().copied().filter(is_due).collect();
        due.into_iter()
            .filter_map(|index| {
                self.reported(now, index);
                Some((index, self.pending.remove(&index)?))
            })
            .collect()
    }

    /// Has the next [`Changes::take_due`] report everything.
    pub(super) const fn make_all_due(&mut self) {
        self.all_due = true;
    }

    fn reported(&mut self, now: Instant, index: u32) {
        let first = Pace {
            reported: now,
            changed: now,
            pause: FIRST_PAUSE,
        };
        let pace = self.paces.get(&index).map_or(first, |pace| Pace {
            reported: now,
            pause: (pace.pause * 2).min(MAX_PAUSE),
            ..*pace
        });
        self.paces.insert(index, pace);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_edited_without_pause_is_reported_ever_more_rarely_until_it_rests() {
        let (mut changes, start) = (Changes::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut reports = Vec::new();
        for second in 0..1_950 {
            changes.noticed(at(second), 7, FileChange::Written);
            if !changes.take_due(at(second)).is_empty() {
                reports.push(second);
            }
        }
        assert_eq!(reports[..8], [0, 5, 15, 35, 75, 155, 315, 615]);
        assert!(reports[8..].windows(2).all(|pair| pair[1] - pair[0] == 300));
        // What came last is reported soon after the last edit.
        assert_eq!(changes.take_due(at(1_978)), []);
        assert_eq!(changes.take_due(at(1_979)), [(7, FileChange::Written)]);
        assert_eq!(changes.take_due(at(9_000)), []);
        // After a rest, the first change is reported at once again.
        changes.noticed(at(9_000), 7, FileChange::Size);
        assert_eq!(changes.take_due(at(9_000)), [(7, FileChange::Size)]);
        changes.noticed(at(9_001), 7, FileChange::Size);
        assert_eq!(changes.take_due(at(9_001)), []);
        assert_eq!(changes.take_due(at(9_004)), []);
        assert_eq!(changes.take_due(at(9_005)), [(7, FileChange::Size)]);
    }

    #[test]
    fn a_file_that_has_changed_at_every_look_does_not_rest() {
        let (mut changes, start) = (Changes::default(), Instant::now());
        let looks = (0..60).map(|n| start + Duration::from_millis(2_100 * n));
        let reports = looks.filter(|&now| {
            changes.noticed(now, 0, FileChange::Written);
            !changes.take_due(now).is_empty()
        });
        assert_eq!(reports.count(), 5);
    }

    #[test]
    fn files_do_not_delay_each_other_and_nothing_is_kept_when_all_is_asked_for() {
        let (mut changes, now) = (Changes::default(), Instant::now());
        changes.noticed(now, 1, FileChange::Written);
        assert_eq!(changes.take_due(now), [(1, FileChange::Written)]);
        changes.noticed(now, 1, FileChange::Missing);
        changes.noticed(now, 2, FileChange::Written);
        assert_eq!(changes.take_due(now), [(2, FileChange::Written)]);
        changes.make_all_due();
        assert_eq!(changes.take_due(now), [(1, FileChange::Missing)]);
        assert_eq!(changes.take_due(now), []);
    }
}
