//! When parts of the state are sent to the pages: at most four times per second, only what they
//! show, and only changes.

use std::time::Duration;

use aqueduct_core::Instant;
use aqueduct_core::types::{SortedMap, SortedSet};

use super::opened::files;
use super::tabs::{Tab, post_all, post_to};
use super::torrents::Torrent;
use crate::message::{Pane, State, ToPage, View};

/// The interval while a page is visible.
const VISIBLE_INTERVAL: Duration = Duration::from_millis(250);
/// The interval while none is visible; the title still shows the progress.
const HIDDEN_INTERVAL: Duration = Duration::from_secs(2);

/// What was sent to the pages, and when the next update is due.
pub(super) struct PageUpdates {
    tabs: SortedSet<Tab>,
    hidden: SortedSet<Tab>,
    next: Instant,
    sent: Option<State>,
    views: SortedMap<Tab, Shown>,
}

/// What the page of a tab shows of an opened torrent.
struct Shown {
    view: View,
    /// The version that was sent last.
    sent: Option<u64>,
}

impl Default for PageUpdates {
    fn default() -> Self {
        Self {
            tabs: SortedSet::from_iter([Tab::OWN]),
            hidden: SortedSet::new(),
            next: Instant::ZERO,
            sent: None,
            views: SortedMap::new(),
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

    /// Records what the page of a tab shows of an opened torrent.
    pub(super) fn show(&mut self, tab: Tab, view: Option<View>) {
        match view {
            Some(view) => self.views.insert(tab, Shown { view, sent: None }),
            None => self.views.remove(&tab),
        };
    }

    /// Sends the files of a torrent to the pages that show them.
    pub(super) fn send_files(&self, torrent: &Torrent) {
        let view = View {
            torrent: torrent.id.0,
            pane: Pane::Files,
        };
        let message = ToPage::Files(view.torrent, files(torrent));
        let tabs = self.views.iter().filter(|(_, shown)| shown.view == view);
        tabs.for_each(|(tab, _)| post_to(*tab, &message));
    }

    /// What visible pages show, each view once.
    pub(super) fn views(&self) -> Vec<View> {
        let mut views: Vec<View> = Vec::new();
        for (tab, shown) in &self.views {
            if !self.hidden.contains(tab) && !views.contains(&shown.view) {
                views.push(shown.view);
            }
        }
        views
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

    /// The tabs to which this version of a view must be sent: those whose visible pages show it and
    /// have another version. It counts as sent.
    pub(super) fn take_due(&mut self, view: View, version: u64) -> Vec<Tab> {
        let hidden = &self.hidden;
        let due = self.views.iter_mut().filter(|(tab, shown)| {
            shown.view == view && shown.sent != Some(version) && !hidden.contains(tab)
        });
        due.map(|(tab, shown)| {
            shown.sent = Some(version);
            *tab
        })
        .collect()
    }

    fn all_hidden(&self) -> bool {
        self.hidden == self.tabs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_shows_is_sent_once_per_change_and_only_while_it_is_visible() {
        let (mut updates, torrent) = (PageUpdates::default(), 1);
        let [files, details] = [Pane::Files, Pane::Details].map(|pane| View { torrent, pane });
        assert!(updates.take_due(files, 0).is_empty() && updates.views().is_empty());
        updates.show(Tab::OWN, Some(files));
        assert_eq!(updates.views(), [files]);
        assert_eq!(updates.take_due(files, 5), [Tab::OWN]);
        assert_eq!(updates.take_due(files, 5), []);
        assert_eq!(updates.take_due(files, 6), [Tab::OWN]);
        updates.set_visible(Instant::ZERO, Tab::OWN, false);
        assert!(updates.take_due(files, 7).is_empty() && updates.views().is_empty());
        updates.set_visible(Instant::ZERO, Tab::OWN, true);
        updates.show(Tab::OWN, Some(details));
        assert_eq!(updates.take_due(files, 8), [], "it shows something else");
        updates.show(Tab::OWN, Some(files));
        assert_eq!(
            updates.take_due(files, 6),
            [Tab::OWN],
            "it shows nothing yet"
        );
        updates.show(Tab::OWN, None);
        assert_eq!(updates.take_due(files, 9), []);
    }

    #[test]
    fn what_the_user_waits_for_is_sent_before_the_interval_is_over() {
        let (mut updates, now) = (PageUpdates::default(), Instant::from_micros(1_000_000));
        updates.next = now + VISIBLE_INTERVAL;
        updates.update_soon(now);
        assert_eq!(updates.poll_timeout(), now);
    }
}
