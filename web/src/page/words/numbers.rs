//! The numbers of a torrent: progress, size, rates, peers, time left.

use super::details::given;
use crate::format::{duration, part, percent, rate};
use crate::message::{Phase, Torrent};
use crate::texts::{amounts, details};

/// The percentage of the wanted data that is complete or, while checking, that is checked.
pub(in crate::page) fn progress(torrent: &Torrent) -> u8 {
    let progress = &torrent.progress;
    match (torrent.phase, progress.total) {
        (_, None) => 0,
        (Phase::Checking | Phase::Copying, Some(total)) => percent(progress.checked, total),
        _ => percent(progress.done, progress.wanted),
    }
}

/// A number of a torrent's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::page) enum Number {
    Size,
    Down,
    Up,
    TimeLeft,
    Given,
    Peers,
}

impl Number {
    /// All of them, in the order in which they are shown.
    pub(in crate::page) const ALL: [Self; 6] = [
        Self::Size,
        Self::Down,
        Self::Up,
        Self::TimeLeft,
        Self::Given,
        Self::Peers,
    ];

    /// Its name for screen readers.
    pub(in crate::page) fn label(self) -> &'static str {
        match self {
            Self::Size => details::size(),
            Self::Down => details::down(),
            Self::Up => details::up(),
            Self::TimeLeft => details::time_left(),
            Self::Given => details::given(),
            Self::Peers => details::peers(),
        }
    }

    /// Its class in the style sheet.
    pub(in crate::page) const fn class(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Down => "down",
            Self::Up => "up",
            Self::TimeLeft => "left",
            Self::Given => "given",
            Self::Peers => "peers",
        }
    }

    /// Its value as text; `None` if it does not apply in the torrent's phase.
    pub(in crate::page) fn of(self, torrent: &Torrent) -> Option<String> {
        let (progress, traffic) = (&torrent.progress, &torrent.traffic);
        let is_known = progress.total.is_some();
        let is_moving = !matches!(
            torrent.phase,
            Phase::Paused | Phase::Error | Phase::Checking | Phase::Copying
        );
        let is_downloading = torrent.phase == Phase::Downloading;
        match self {
            Self::Size => is_known.then(|| part(progress.done, progress.wanted)),
            Self::Down => is_downloading.then(|| rate(traffic.down)),
            Self::Up => (is_moving && is_known).then(|| rate(traffic.up)),
            Self::TimeLeft => progress.eta.filter(|_| is_downloading).map(duration),
            Self::Given => {
                let gave = torrent.is_complete() && traffic.uploaded > 0;
                gave.then(|| details::gave(given(torrent)))
            }
            Self::Peers => is_moving.then(|| amounts::peers(torrent.peers.connected)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Progress, Traffic};

    fn downloading() -> Torrent {
        Torrent {
            phase: Phase::Downloading,
            progress: Progress {
                total: Some(200),
                done: 50,
                wanted: 100,
                checked: 20,
                eta: Some(60),
            },
            traffic: Traffic {
                down: 5,
                ..Traffic::default()
            },
            ..Torrent::default()
        }
    }

    fn shown(torrent: &Torrent) -> Vec<(&'static str, String)> {
        Number::ALL
            .iter()
            .filter_map(|number| Some((number.label(), number.of(torrent)?)))
            .collect()
    }

    #[test]
    fn a_download_shows_every_number_and_a_paused_torrent_only_its_size() {
        let texts: Vec<String> = shown(&downloading()).into_iter().map(|(_, t)| t).collect();
        assert_eq!(
            texts,
            ["50 B of 100 B", "5 B/s", "0 B/s", "1 min", "0 peers"]
        );
        let paused = Torrent {
            phase: Phase::Paused,
            ..downloading()
        };
        assert_eq!(shown(&paused), [("Size", "50 B of 100 B".to_owned())]);
    }

    #[test]
    fn progress_is_what_was_checked_while_the_data_are_checked() {
        assert_eq!(progress(&downloading()), 50);
        let checking = Torrent {
            phase: Phase::Checking,
            ..downloading()
        };
        assert_eq!(progress(&checking), 10);
        assert_eq!(progress(&Torrent::default()), 0);
    }
}
