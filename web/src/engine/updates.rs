//! When parts of the state are sent to the pages: at most four times per second, only what they
//! show, and only changes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aqueduct_core::Instant;
use aqueduct_core::types::TorrentId;

use super::tabs::{Tab, post_all};
use crate::message::{State, ToPage};

/// The interval while a page is visible.
const VISIBLE_INTERVAL: Duration = Duration::from_millis(250);
/// The interval while none is visible; the title still shows the progress.
const HIDDEN_INTERVAL: Duration = Duration::from_secs(2);

/// What was sent to the pages, and when the next update is due.
pub(super) struct PageUpdates {
    tabs: BTreeSet<Tab>,
    hidden: BTreeSet<Tab>,
    next: Instant,
    sent: Option<State>,
    files: BTreeMap<TorrentId, ShownFiles>,
}

/// Torrents whose files are displayed.
#[derive(Default)]
struct ShownFiles {
    tabs: BTreeSet<Tab>,
    /// The number of pieces at the time of the last progress update.
    sent: Option<u32>,
}

impl Default for PageUpdates {
    fn default() -> Self {
        Self {
            tabs: BTreeSet::from([Tab::OWN]),
            hidden: BTreeSet::new(),
            next: Instant::ZERO,
            sent: None,
            files: BTreeMap::new(),
        }
    }
}

impl PageUpdates {
    /// When the next update is due.
    pub(super) const fn poll_timeout(&self) -> Instant {
        self.next
    }

    /// Makes an update due soon, since something happened that the user waits for.
    pub(super) fn update_soon(&mut self, now: Instant) {
        self.next = self.next.min(now);
    }

    /// Whether the page of a tab is visible.
    pub(super) fn set_visible(&mut self, now: Instant, tab: Tab, visible: bool) {
        self.tabs.insert(tab);
        if visible {
            self.hidden.remove(&tab)
        } else {
            self.hidden.insert(tab)
        };
        self.update_soon(now);
    }

    /// Adds a tab, whose page shows nothing yet.
    pub(super) fn add_tab(&mut self, now: Instant, tab: Tab) {
        self.sent = None;
        self.set_visible(now, tab, true);
    }

    /// Whether the page of a tab shows a torrent's files.
    pub(super) fn show_files(&mut self, tab: Tab, torrent: TorrentId, shown: bool) {
        let files = self.files.entry(torrent).or_default();
        if shown {
            files.tabs.insert(tab);
            files.sent = None;
        } else {
            files.tabs.remove(&tab);
        }
    }

    /// Forgets a torrent.
    pub(super) fn remove(&mut self, torrent: TorrentId) {
        self.files.remove(&torrent);
    }

    /// Sends the state to all pages if it has changed, and sets the time of the next update.
    pub(super) fn send_state(&mut self, now: Instant, state: State) {
        self.next = now
            + if self.all_hidden() {
                HIDDEN_INTERVAL
            } else {
                VISIBLE_INTERVAL
            };
        if self.sent.as_ref() != Some(&state) {
            post_all(&ToPage::State(state.clone()));
            self.sent = Some(state);
        }
    }

    /// Whether to send the progress of a torrent's files now that it has this many pieces. If so,
    /// it counts as sent.
    pub(super) fn take_files_due(&mut self, torrent: TorrentId, have: u32) -> bool {
        if self.all_hidden() {
            return false;
        }
        let shown = self.files.get_mut(&torrent);
        shown
            .filter(|files| !files.tabs.is_empty() && files.sent != Some(have))
            .map(|files| files.sent = Some(have))
            .is_some()
    }

    fn all_hidden(&self) -> bool {
        self.hidden == self.tabs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_progress_of_files_is_sent_once_per_change_and_only_while_they_are_shown() {
        let (mut updates, torrent) = (PageUpdates::default(), TorrentId(1));
        assert!(!updates.take_files_due(torrent, 0));
        updates.show_files(Tab::OWN, torrent, true);
        assert!(updates.take_files_due(torrent, 5) && !updates.take_files_due(torrent, 5));
        assert!(updates.take_files_due(torrent, 6));
        updates.set_visible(Instant::ZERO, Tab::OWN, false);
        assert!(!updates.take_files_due(torrent, 7));
        updates.set_visible(Instant::ZERO, Tab::OWN, true);
        updates.show_files(Tab::OWN, torrent, false);
        assert!(!updates.take_files_due(torrent, 8));
        updates.show_files(Tab::OWN, torrent, true);
        assert!(
            updates.take_files_due(torrent, 8),
            "the page shows nothing yet"
        );
        updates.remove(torrent);
        assert!(!updates.take_files_due(torrent, 9));
    }

    #[test]
    fn what_the_user_waits_for_is_sent_before_the_interval_is_over() {
        let (mut updates, now) = (PageUpdates::default(), Instant::from_micros(1_000_000));
        updates.next = now + VISIBLE_INTERVAL;
        updates.update_soon(now);
        assert_eq!(updates.poll_timeout(), now);
    }
}
