//! Tells the page how things stand: at most four times a second, only what is on the screen, only
//! what has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aqueduct_core::types::TorrentId;
use aqueduct_core::{Instant, Snapshot};

use crate::browser::clock::scope;
use crate::engine::creation::Making;
use crate::engine::tabs::{self, Tab};
use crate::engine::torrent::Item;
use crate::engine::view;
use crate::message::{Bridge, State, ToPage, Waiting};

/// While somebody looks.
const SEEN_EVERY: Duration = Duration::from_millis(250);
/// While nobody does: the page's title still shows the progress.
const HIDDEN_EVERY: Duration = Duration::from_secs(2);

/// Says a message to the page, and to those of all other tabs.
pub(crate) fn post(message: &ToPage) {
    if let Ok(text) = serde_json::to_string(message) {
        tabs::tell_followers(&text);
        // Fails only for what cannot be cloned; text can.
        drop(scope().post_message(&text.into()));
    }
}

/// Says a message to this worker's page alone.
pub(crate) fn post_here(message: &ToPage) {
    if let Ok(text) = serde_json::to_string(message) {
        drop(scope().post_message(&text.into()));
    }
}

/// Tells the page of something that went wrong, or that cannot be done with a torrent.
pub(crate) fn complain(why: &str) {
    post(&ToPage::Trouble(why.to_owned()));
}

type Items = BTreeMap<TorrentId, Item>;
type Makings = BTreeMap<TorrentId, Making>;

/// How things stand apart from the torrents' own.
pub(crate) struct View<'a> {
    /// The line to the bridge.
    pub(crate) bridge: Bridge,
    /// The engine's numbers.
    pub(crate) snapshot: &'a Snapshot,
    /// What those torrents wait for that have no place in the bridge.
    pub(crate) waiting: Option<Waiting>,
}

/// When to tell the page, and what it knows already.
pub(crate) struct Teller {
    hidden: BTreeSet<Tab>,
    tabs: BTreeSet<Tab>,
    at: Instant,
    last: Option<State>,
}

impl Default for Teller {
    fn default() -> Self {
        Self {
            hidden: BTreeSet::new(),
            tabs: BTreeSet::from([Tab::OWN]),
            at: Instant::ZERO,
            last: None,
        }
    }
}

impl Teller {
    /// When the page is told next.
    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        Some(self.at)
    }

    /// Something happened that the user waits for.
    pub(crate) fn soon(&mut self, now: Instant) {
        self.at = self.at.min(now);
    }

    /// Whether anybody looks at the page in this tab.
    pub(crate) fn set_visible(&mut self, now: Instant, tab: Tab, visible: bool) {
        self.tabs.insert(tab);
        if visible {
            self.hidden.remove(&tab)
        } else {
            self.hidden.insert(tab)
        };
        self.soon(now);
    }

    /// One more tab, which knows nothing yet.
    pub(crate) fn greet(&mut self, now: Instant, tab: Tab) {
        self.last = None;
        self.set_visible(now, tab, true);
    }

    /// Tells the page what is new.
    pub(crate) fn tell(
        &mut self,
        now: Instant,
        view: View<'_>,
        items: &mut Items,
        makings: &Makings,
    ) {
        let View {
            bridge,
            snapshot,
            waiting,
        } = view;
        let hidden = self.hidden == self.tabs;
        self.at = now + if hidden { HIDDEN_EVERY } else { SEEN_EVERY };
        let (mut torrents, mut removed) = (Vec::new(), Vec::new());
        let mut all: Vec<_> = snapshot
            .torrents
            .iter()
            .filter_map(|s| items.get(&s.torrent).zip(Some(s)))
            .collect();
        all.sort_by_key(|(item, _)| (item.added, item.id));
        for (item, s) in all {
            match item.leaves_at {
                None => torrents.push(view::torrent(item, s, waiting)),
                Some(_) => removed.push(view::removed(item, torrents.len())),
            }
        }
        torrents.extend(makings.iter().map(|(id, making)| view::making(*id, making)));
        let state = State {
            bridge,
            torrents,
            removed,
        };
        if self.last.as_ref() != Some(&state) {
            post(&ToPage::State(state.clone()));
            self.last = Some(state);
        }
        if !hidden {
            snapshot
                .torrents
                .iter()
                .for_each(|s| tell_files(items.get_mut(&s.torrent), s));
        }
    }
}

/// The progress of files that are on the screen, when a piece came.
fn tell_files(item: Option<&mut Item>, snapshot: &aqueduct_core::TorrentSnapshot) {
    let Some(item) = item.filter(|item| !item.shown.is_empty() && item.info.is_some()) else {
        return;
    };
    let have = snapshot.have.count();
    if item.told != Some(have) {
        item.told = Some(have);
        post(&ToPage::FilesDone(
            item.id.0,
            view::files_done(item, snapshot),
        ));
    }
}
