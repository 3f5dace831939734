//! What the page knows: signals that the worker's messages set and the components read.

use leptos::prelude::*;

use super::host::Host;
use super::kept::{self, Kept};
use crate::message::{Blocked, Bridge, FileRow, Removed, State, ToPage, ToWorker, Torrent};

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
    /// What went wrong with what the user asked for last.
    pub alert: RwSignal<Option<String>>,
    /// What went well, for a moment.
    pub notice: RwSignal<String>,
    /// What stands in the text field.
    pub draft: RwSignal<String>,
    /// Whether the worker has told how things stand at least once.
    pub known: RwSignal<bool>,
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
            alert: RwSignal::new(None),
            notice: RwSignal::new(String::new()),
            draft: RwSignal::new(String::new()),
            known: RwSignal::new(false),
            kept: StoredValue::new(Vec::new()),
            host: StoredValue::new_local(Host::new()),
        };
        model.host.with_value(|host| host.start(model));
        model
    }

    /// Tells the worker something; it waits in the page until the worker hears.
    pub fn send(self, message: &ToWorker) {
        if matches!(message, ToWorker::AddLink(_)) {
            ask_to_keep();
        }
        self.host.with_value(|host| host.send(message, None));
    }

    /// Gives the worker a .torrent file.
    pub fn send_file(self, name: String, bytes: &js_sys::Uint8Array) {
        ask_to_keep();
        self.host.with_value(|host| host.send(&ToWorker::AddFile(name), Some(bytes)));
    }

    /// Takes in what the worker told.
    pub fn hear(self, message: ToPage) {
        match message {
            ToPage::Ready => {}
            ToPage::Blocked(why) => self.blocked.set(Some(why)),
            ToPage::Unblocked => self.blocked.set(None),
            ToPage::State(state) => self.hear_state(state),
            ToPage::Files(id, files) => self.with_entry(id, |entry| entry.files.set(files)),
            ToPage::FilesDone(id, done) => self.with_entry(id, |entry| entry.done.set(done)),
            ToPage::Added(_) => {
                self.alert.set(None);
                self.draft.set(String::new());
            }
            ToPage::Rejected(why) => self.alert.set(Some(why)),
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
        let gone = self.torrents.with_untracked(|all| all.iter().any(|entry| !ids.contains(&entry.id)));
        if gone {
            self.torrents.update(|all| all.retain(|entry| ids.contains(&entry.id)));
        }
        for torrent in state.torrents {
            self.hear_torrent(torrent);
        }
    }

    /// Remembers which torrents there are, and at first which there were: what the worker did not bring back is lost.
    fn remember(self, state: &State) {
        let present: Vec<Kept> = state.torrents.iter().map(Kept::of).collect();
        if !self.known.get_untracked() {
            self.kept.set_value(kept::read());
            self.lost.set(kept::missing(self.kept.get_value(), &present));
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
        let entry = Entry { id, view, files: RwSignal::new(Vec::new()), done: RwSignal::new(Vec::new()) };
        self.torrents.update(|all| all.insert(0, entry));
    }

    fn entry(self, id: u32) -> Option<Entry> {
        self.torrents.with_untracked(|all| all.iter().copied().find(|entry| entry.id == id))
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

/// Asks the browser not to evict what is stored here when space runs low. It may decline, which changes nothing else. Only a page may ask.
fn ask_to_keep() {
    if window().is_secure_context() {
        drop(window().navigator().storage().persist());
    }
}
