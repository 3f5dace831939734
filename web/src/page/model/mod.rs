//! What the page knows: signals that the worker's messages set and the components read.

mod heartbeat;
pub(crate) mod remembered;
mod submitted;
mod worker;

use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen::JsValue;

use crate::link::{is_web_address, links_in};
use crate::message::{
    Blocked, Bridge, FileRow, Outcome, Removed, State, ToPage, ToWorker, Torrent,
};
use crate::page::leaving::would_lose;
use crate::page::model::remembered::{self as kept, Kept};
use crate::page::model::submitted::Submitted;
use crate::page::model::worker::Host;
use crate::page::offer::{Dropped, Offer};

/// How long a notice can be read.
const NOTICE_STAYS: Duration = Duration::from_secs(8);

/// One torrent's signals. They live as long as the page: ids are never reused.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its name between page and worker.
    pub id: u32,
    /// Its numbers.
    pub view: RwSignal<Torrent>,
    /// Its files, once they are shown.
    pub files: RwSignal<Vec<FileRow>>,
    /// Verified bytes of each of them.
    pub done: RwSignal<Vec<u64>>,
}

/// Everything the page knows. Copies share it.
#[derive(Clone, Copy)]
pub struct Model {
    /// The line to the bridge.
    pub bridge: RwSignal<Bridge>,
    /// All torrents, newest first.
    pub torrents: RwSignal<Vec<Entry>>,
    /// Torrents that were removed a moment ago.
    pub removed: RwSignal<Vec<Removed>>,
    /// Torrents of an earlier visit whose data the browser has deleted.
    pub lost: RwSignal<Vec<Kept>>,
    /// Why the worker does nothing, if so.
    pub blocked: RwSignal<Option<Blocked>>,
    /// Why what the user wanted to add last was not added, one sentence or more for each thing.
    pub alerts: RwSignal<Vec<String>>,
    /// What the user may want to share.
    pub offer: RwSignal<Option<Offer>, LocalStorage>,
    /// What went wrong with torrents that are there, oldest first, until the user has seen it.
    pub troubles: RwSignal<Vec<String>>,
    /// What went well, for a moment.
    pub notice: RwSignal<String>,
    /// A link for the user to copy where the browser does not let the page do it.
    pub link: RwSignal<Option<String>>,
    /// What stands in the text field.
    pub draft: RwSignal<String>,
    /// Whether the worker has told how things stand at least once.
    pub known: RwSignal<bool>,
    /// The text that was sent to be added last.
    submitted: StoredValue<Submitted>,
    /// How many notices there were.
    notices: StoredValue<u64>,
    kept: StoredValue<Vec<Kept>>,
    host: StoredValue<Host, LocalStorage>,
}

impl Model {
    /// An empty page with a worker that is being started.
    #[must_use]
    pub fn new() -> Self {
        let model = Self {
            bridge: RwSignal::new(Bridge::Connecting),
            torrents: RwSignal::new(Vec::new()),
            removed: RwSignal::new(Vec::new()),
            lost: RwSignal::new(Vec::new()),
            blocked: RwSignal::new(None),
            alerts: RwSignal::new(Vec::new()),
            offer: RwSignal::new_local(None),
            troubles: RwSignal::new(Vec::new()),
            link: RwSignal::new(None),
            notice: RwSignal::new(String::new()),
            draft: RwSignal::new(String::new()),
            known: RwSignal::new(false),
            submitted: StoredValue::new(Submitted::default()),
            notices: StoredValue::new(0),
            kept: StoredValue::new(Vec::new()),
            host: StoredValue::new_local(Host::new()),
        };
        model.host.with_value(|host| {
            host.start(model);
            host.watch(model);
        });
        model
    }

    /// Tells the worker something; it waits in the page until the worker hears.
    pub fn send(self, message: &ToWorker) {
        self.host.with_value(|host| host.send(message, None));
    }

    /// Adds what stands in the text field, or says what is wrong with it.
    pub fn submit(self) {
        let text = self.draft.get_untracked();
        let links = links_in(&text);
        if links.is_empty() {
            self.alerts.set(vec![
                "Paste a magnet link or an info-hash first.".to_owned(),
            ]);
            return;
        }
        self.add_links(&links);
        self.submitted.set_value(Submitted { text, links });
    }

    /// Adds these, which the user pasted or dropped.
    pub fn add_links(self, links: &[String]) {
        self.alerts.set(Vec::new());
        ask_to_keep();
        if let Some(address) = links.iter().find(|link| is_web_address(link)) {
            self.note(format!("Fetching {address}"));
        }
        links
            .iter()
            .for_each(|link| self.send(&ToWorker::AddLink(link.clone())));
    }

    /// Whether closing the page would end something for good. The tab that leads is the one that
    /// would.
    #[must_use]
    pub fn would_lose(self) -> bool {
        let leads = self.blocked.with_untracked(Option::is_none);
        leads
            && self.torrents.with_untracked(|all| {
                all.iter()
                    .any(|entry| entry.view.with_untracked(would_lose))
            })
    }

    /// Tells what went well, for some seconds.
    pub fn note(self, text: String) {
        let number = self.notices.try_update_value(|n| {
            *n += 1;
            *n
        });
        self.notice.set(text);
        let clear = move || {
            if Some(self.notices.get_value()) == number {
                self.notice.set(String::new());
            }
        };
        set_timeout(clear, NOTICE_STAYS);
    }

    /// Tells why something was not added, beside what is told of other things. Adding something
    /// else takes it away.
    pub fn reject(self, why: String) {
        if self.alerts.with_untracked(|all| !all.contains(&why)) {
            self.alerts.update(|all| all.push(why));
        }
    }

    /// Tells what went wrong, until the user has seen it. What is said already is not said twice.
    pub fn complain(self, text: String) {
        if self.troubles.with_untracked(|all| !all.contains(&text)) {
            self.troubles.update(|all| all.push(text));
        }
    }

    /// Gives the worker a .torrent file.
    pub fn send_file(self, name: String, bytes: &js_sys::Uint8Array) {
        ask_to_keep();
        self.host
            .with_value(|host| host.send(&ToWorker::AddFile(name), Some(bytes)));
    }

    /// Asks the user whether to share what was dropped.
    pub(crate) fn ask_to_share(self, dropped: Vec<Dropped>) {
        leptos::task::spawn_local(async move {
            match Offer::of_dropped(dropped).await {
                Ok(offer) => self.offer.set(Some(offer)),
                Err(why) => self.reject(why),
            }
        });
    }

    /// Shares what is on offer under this name.
    pub fn give(self, name: &str) {
        let Some(offer) = self.offer.try_update(Option::take).flatten() else {
            return;
        };
        self.alerts.set(Vec::new());
        ask_to_keep();
        let message = ToWorker::Give {
            name: name.to_owned(),
            files: offer.files,
        };
        self.host
            .with_value(|host| host.send(&message, Some(&offer.contents)));
    }

    /// Takes in what the worker told.
    pub fn hear(self, message: ToPage) {
        match message {
            ToPage::Ready | ToPage::Pong => {}
            ToPage::Blocked(why) => self.blocked.set(Some(why)),
            ToPage::Unblocked => {
                self.blocked.set(None);
                self.forget();
            }
            ToPage::Anew => self.forget(),
            ToPage::State(state) => self.hear_state(state),
            ToPage::Files(id, files) => self.with_entry(id, |entry| entry.files.set(files)),
            ToPage::FilesDone(id, done) => self.with_entry(id, |entry| entry.done.set(done)),
            ToPage::Answer { asked, outcome } => self.hear_outcome(&asked, outcome),
            ToPage::Trouble(why) => self.complain(why),
        }
    }

    fn hear_outcome(self, asked: &str, outcome: Outcome) {
        match outcome {
            Outcome::Added => self.accept(asked),
            Outcome::Known(name) => {
                self.accept(asked);
                self.note(format!("{name} is in the list already."));
            }
            Outcome::Rejected(why) => self.reject(why),
        }
    }

    /// What was to be added is in the list now: the text that asked for it has done its work, in
    /// the field and in the address.
    fn accept(self, asked: &str) {
        let Some((before, after)) = self
            .submitted
            .try_update_value(|submitted| submitted.accept(asked))
            .flatten()
        else {
            return;
        };
        if before == self.draft.get_untracked() {
            if after.is_empty() {
                forget_address();
            }
            self.draft.set(after);
        }
    }

    fn hear_state(self, state: State) {
        self.remember(&state);
        if self.bridge.get_untracked() != state.bridge {
            self.bridge.set(state.bridge);
        }
        if !self.known.get_untracked() {
            self.known.set(true);
        }
        if self.removed.with_untracked(|old| *old != state.removed) {
            self.removed.set(state.removed);
        }
        let ids: Vec<u32> = state.torrents.iter().map(|t| t.id).collect();
        let gone = self
            .torrents
            .with_untracked(|all| all.iter().any(|entry| !ids.contains(&entry.id)));
        if gone {
            self.torrents
                .update(|all| all.retain(|entry| ids.contains(&entry.id)));
        }
        for torrent in state.torrents {
            self.hear_torrent(torrent);
        }
    }

    /// Remembers which torrents there are, and at first which there were: what the worker did not
    /// bring back is lost.
    fn remember(self, state: &State) {
        let present: Vec<Kept> = state.torrents.iter().filter_map(Kept::of).collect();
        if !self.known.get_untracked() {
            // A worker that starts again within a visit may find that the browser's own notes are
            // gone with the data.
            let remembered = Some(self.kept.get_value()).filter(|kept| !kept.is_empty());
            self.lost.set(kept::missing(
                remembered.unwrap_or_else(kept::read),
                &present,
            ));
            self.kept.set_value(kept::read());
        }
        let all = [present, self.lost.get_untracked()].concat();
        if self.kept.with_value(|old| *old != all) {
            kept::write(&all);
            self.kept.set_value(all);
        }
    }

    /// What was lost is added again, or forgotten.
    pub fn settle_lost(self, again: bool) {
        let lost = std::mem::take(&mut *self.lost.write());
        for kept in lost.into_iter().filter(|_| again) {
            self.send(&ToWorker::AddLink(kept.magnet));
        }
    }

    fn hear_torrent(self, torrent: Torrent) {
        if let Some(entry) = self.entry(torrent.id) {
            if entry.view.with_untracked(|old| *old != torrent) {
                entry.view.set(torrent);
            }
            return;
        }
        let (id, view) = (torrent.id, RwSignal::new(torrent));
        let entry = Entry {
            id,
            view,
            files: RwSignal::new(Vec::new()),
            done: RwSignal::new(Vec::new()),
        };
        self.torrents
            .update(|all| all.insert(place_in(all, entry), entry));
    }

    fn entry(self, id: u32) -> Option<Entry> {
        self.torrents
            .with_untracked(|all| all.iter().copied().find(|entry| entry.id == id))
    }

    fn with_entry(self, id: u32, act: impl FnOnce(Entry)) {
        if let Some(entry) = self.entry(id) {
            act(entry);
        }
    }

    /// A new worker numbers its torrents anew.
    pub fn forget(self) {
        self.torrents.set(Vec::new());
        self.removed.set(Vec::new());
        self.known.set(false);
    }
}

impl Default for Model {
    fn default() -> Self {
        Self::new()
    }
}

/// Where the list, which is newest first, has a new entry.
fn place_in(all: &[Entry], entry: Entry) -> usize {
    let order = |entry: &Entry| entry.view.with_untracked(|t| (t.added, t.id));
    let own = order(&entry);
    all.iter()
        .position(|other| order(other) < own)
        .unwrap_or(all.len())
}

/// A reload must not fill in again what was added already.
fn forget_address() {
    let path = window().location().pathname().unwrap_or_default();
    let history = window()
        .history()
        .and_then(|history| history.replace_state_with_url(&JsValue::NULL, "", Some(&path)));
    // A browser that refuses fills in the form once more, which does nothing by itself.
    drop(history);
}

/// Asks the browser not to evict what is stored here when space runs low. It may decline, which
/// changes nothing else. Only a page may ask.
fn ask_to_keep() {
    if window().is_secure_context() {
        drop(window().navigator().storage().persist());
    }
}
