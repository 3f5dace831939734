//! Which torrents the list shows, in which order, and the totals of all torrents.

use std::cmp::{Ordering, Reverse};

use aqueduct_core::types::sort;

use super::words::progress;
use crate::format::{rate, size};
use crate::message::{Phase, Torrent};
use crate::texts::{list as texts, status};

/// Torrents in related phases. The list can be limited to one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    Downloading,
    Connecting,
    Checking,
    Complete,
    Paused,
    Failed,
}

impl Group {
    /// All groups.
    pub(crate) const ALL: [Self; 6] = [
        Self::Downloading,
        Self::Connecting,
        Self::Checking,
        Self::Complete,
        Self::Paused,
        Self::Failed,
    ];

    /// The group of torrents in this phase.
    pub(crate) const fn of(phase: Phase) -> Self {
        match phase {
            Phase::Downloading => Self::Downloading,
            Phase::Connecting | Phase::FetchingMetadata => Self::Connecting,
            Phase::Checking | Phase::Copying => Self::Checking,
            Phase::Seeding | Phase::Finished => Self::Complete,
            Phase::Paused => Self::Paused,
            Phase::Error => Self::Failed,
        }
    }

    /// Its name on the page.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Downloading => status::downloading(),
            Self::Connecting => status::connecting(),
            Self::Checking => status::checking(),
            Self::Complete => texts::complete_group(),
            Self::Paused => status::paused(),
            Self::Failed => status::error(),
        }
    }

    /// So many torrents of this group, in words.
    fn count(self, number: u32) -> String {
        match self {
            Self::Downloading => texts::downloading(number),
            Self::Connecting => texts::connecting(number),
            Self::Checking => texts::checking(number),
            Self::Complete => texts::complete(number),
            Self::Paused => texts::paused(number),
            Self::Failed => texts::failed(number),
        }
    }
}

/// What the list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SortKey {
    /// The time of adding, newest first.
    #[default]
    Added,
    /// The name, in alphabetical order.
    Name,
    /// The state, in the order of [`Group::ALL`].
    State,
    /// The progress, least first.
    Progress,
    /// The size, largest first.
    Size,
    /// The download rate, highest first.
    Down,
    /// The upload rate, highest first.
    Up,
    /// The time left, shortest first.
    TimeLeft,
}

impl SortKey {
    /// All keys.
    pub(crate) const ALL: [Self; 8] = [
        Self::Added,
        Self::Name,
        Self::State,
        Self::Progress,
        Self::Size,
        Self::Down,
        Self::Up,
        Self::TimeLeft,
    ];

    /// Its name on the page.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Added => texts::newest(),
            Self::Name => texts::name(),
            Self::State => texts::state(),
            Self::Progress => texts::progress(),
            Self::Size => texts::size(),
            Self::Down => texts::download_rate(),
            Self::Up => texts::upload_rate(),
            Self::TimeLeft => texts::time_left(),
        }
    }

    /// Whether the order changes all the time by itself.
    pub(crate) const fn is_volatile(self) -> bool {
        matches!(
            self,
            Self::Progress | Self::Down | Self::Up | Self::TimeLeft
        )
    }
}

/// The order of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) key: SortKey,
    pub(crate) reversed: bool,
}

/// Which torrents the list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Words that the name contains, in any order and case.
    pub(crate) text: String,
    /// The only group that is shown; `None`: all.
    pub(crate) group: Option<Group>,
}

/// The properties of a torrent by which the list is arranged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) id: u32,
    name: String,
    added: u64,
    group: Group,
    progress: u8,
    size: u64,
    down: u64,
    up: u64,
    uploaded: u64,
    time_left: u64,
}

impl Line {
    /// The properties of this torrent.
    pub(crate) fn of(torrent: &Torrent) -> Self {
        Self {
            id: torrent.id,
            name: torrent.name.to_lowercase(),
            added: torrent.added,
            group: Group::of(torrent.phase),
            progress: progress(torrent),
            size: torrent.progress.wanted,
            down: torrent.traffic.down,
            up: torrent.traffic.up,
            uploaded: torrent.traffic.uploaded,
            time_left: torrent.progress.eta.unwrap_or(u64::MAX),
        }
    }

    fn passes(&self, filter: &Filter) -> bool {
        let is_in_group = filter.group.is_none_or(|group| group == self.group);
        let text = filter.text.to_lowercase();
        is_in_group && text.split_whitespace().all(|word| self.name.contains(word))
    }

    /// Equal ones are in order of their age, newest first, whatever the key.
    fn cmp_by(&self, key: SortKey, other: &Self) -> Ordering {
        match key {
            SortKey::Added => Ordering::Equal,
            SortKey::Name => self.name.cmp(&other.name),
            SortKey::State => self.group.cmp(&other.group),
            SortKey::Progress => self.progress.cmp(&other.progress),
            SortKey::Size => other.size.cmp(&self.size),
            SortKey::Down => other.down.cmp(&self.down),
            SortKey::Up => other.up.cmp(&self.up),
            SortKey::TimeLeft => self.time_left.cmp(&other.time_left),
        }
    }
}

/// The torrents that the list shows, in its order.
pub(crate) fn arrange(mut lines: Vec<Line>, filter: &Filter, order: Order) -> Vec<u32> {
    lines.retain(|line| line.passes(filter));
    sort::sort_by_key(&mut lines, |line| (Reverse(line.added), Reverse(line.id)));
    sort::sort_by(&mut lines, |a, b| a.cmp_by(order.key, b));
    if order.reversed {
        lines.reverse();
    }
    lines.into_iter().map(|line| line.id).collect()
}

/// Sums over all torrents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) down: u64,
    pub(crate) up: u64,
    /// Bytes uploaded in all runs.
    uploaded: u64,
    /// The number of torrents in each of [`Group::ALL`].
    groups: [u32; Group::ALL.len()],
}

impl Totals {
    /// The totals of these torrents.
    pub(crate) fn of(lines: &[Line]) -> Self {
        let mut totals = Self::default();
        for line in lines {
            totals.down = totals.down.saturating_add(line.down);
            totals.up = totals.up.saturating_add(line.up);
            totals.uploaded = totals.uploaded.saturating_add(line.uploaded);
            totals.groups[line.group as usize] += 1;
        }
        totals
    }

    /// The number of torrents in a group; `None`: in all.
    pub(crate) fn number(&self, group: Option<Group>) -> u32 {
        match group {
            Some(group) => self.groups[group as usize],
            None => self.groups.iter().sum(),
        }
    }

    /// The numbers of torrents, and the amount that was uploaded, as text: `3 torrents: 1
    /// downloading, 2 paused; gave 2.00 GiB`.
    pub(crate) fn numbers(&self) -> String {
        let groups = Group::ALL
            .into_iter()
            .map(|group| (self.number(Some(group)), group));
        let parts: Vec<String> = groups
            .filter(|(number, _)| *number > 0)
            .map(|(number, group)| group.count(number))
            .collect();
        let (number, groups) = (self.number(None), parts.join(", "));
        match self.uploaded {
            0 => texts::totals(number, groups),
            bytes => texts::totals_and_given(number, groups, size(bytes)),
        }
    }

    /// The rates as texts: `1.25 MiB/s`, `0 B/s`.
    pub(crate) fn rates(&self) -> (String, String) {
        (rate(self.down), rate(self.up))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Progress, Traffic};

    fn line(id: u32, name: &str, phase: Phase, down: u64) -> Line {
        Line::of(&Torrent {
            id,
            name: name.to_owned(),
            added: id.into(),
            phase,
            progress: Progress {
                total: Some(100),
                wanted: u64::from(id) * 100,
                done: 50,
                ..Progress::default()
            },
            traffic: Traffic {
                down,
                ..Traffic::default()
            },
            ..Torrent::default()
        })
    }

    fn lines() -> Vec<Line> {
        vec![
            line(1, "Debian 13", Phase::Downloading, 10),
            line(2, "a film", Phase::Paused, 0),
            line(3, "Debian 12", Phase::Seeding, 0),
            line(4, "Zebra", Phase::Downloading, 20),
        ]
    }

    fn by(key: SortKey, reversed: bool) -> Vec<u32> {
        arrange(lines(), &Filter::default(), Order { key, reversed })
    }

    #[test]
    fn the_list_is_sorted_by_each_key_and_in_reverse() {
        assert_eq!(by(SortKey::Added, false), [4, 3, 2, 1]);
        assert_eq!(by(SortKey::Added, true), [1, 2, 3, 4]);
        assert_eq!(by(SortKey::Name, false), [2, 3, 1, 4]);
        assert_eq!(by(SortKey::State, false), [4, 1, 3, 2]);
        assert_eq!(by(SortKey::Progress, false), [4, 3, 2, 1]);
        assert_eq!(by(SortKey::Size, false), [4, 3, 2, 1]);
        assert_eq!(by(SortKey::Down, false), [4, 1, 3, 2]);
    }

    #[test]
    fn a_filter_keeps_torrents_of_one_state_whose_name_contains_all_words() {
        let filtered = |text: &str, group| {
            let filter = Filter {
                text: text.to_owned(),
                group,
            };
            arrange(lines(), &filter, Order::default())
        };
        assert_eq!(filtered(" 13 deb", None), [1]);
        assert_eq!(filtered("debian", None), [3, 1]);
        assert_eq!(filtered("debian", Some(Group::Complete)), [3]);
        assert!(filtered("", Some(Group::Failed)).is_empty());
    }

    #[test]
    fn the_totals_count_torrents_by_state_and_add_up_their_rates() {
        let totals = Totals::of(&lines());
        assert_eq!((totals.down, totals.number(None)), (30, 4));
        assert_eq!(
            totals.numbers(),
            "4 torrents: 2 downloading, 1 complete, 1 paused"
        );
        let failed = Totals::of(&[line(1, "a", Phase::Error, 0)]);
        assert_eq!(failed.numbers(), "1 torrent: 1 with an error");
    }
}
