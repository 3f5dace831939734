//! The page's state: signals that the worker's messages set and the components read.

mod alerts;
mod entry;
mod heartbeat;
mod notices;
mod remembered;
mod submitted;
mod worker;

use leptos::prelude::*;
use wasm_bindgen::JsValue;

use self::alerts::Alerts;
pub(crate) use self::alerts::Subject;
pub(crate) use self::entry::Entry;
use self::notices::Notices;
pub(crate) use self::remembered::Remembered;
use self::remembered::{missing, read, write};
use self::submitted::Submitted;
use self::worker::{WorkerEvent, WorkerHandle};
use super::leaving::would_lose;
use super::local_storage::{self, SETTINGS};
use super::offer::{Dropped, Offer};
use super::saving::SaveList;
use super::storage_manager;
use crate::draft::draft;
use crate::link::{is_web_address, links_in};
use crate::message::{
    Blocked, BridgeLink, BridgeStatus, Outcome, Players, Removed, Sharing, State, ToPage, ToWorker,
    Torrent,
};
use crate::texts::add as texts;

/// The complete state of the page. Copies share it.
#[derive(Clone, Copy)]
pub(crate) struct Model {
    /// The session with the bridge.
    pub(crate) bridge: RwSignal<BridgeStatus>,
    /// What passes through the bridge.
    pub(crate) link: RwSignal<BridgeLink>,
    /// Players outside the browser.
    pub(crate) players: RwSignal<Players>,
    /// All torrents, newest first.
    pub(crate) torrents: RwSignal<Vec<Entry>>,
    /// Torrents whose removal can still be undone.
    pub(crate) removed: RwSignal<Vec<Removed>>,
    /// Torrents of an earlier visit whose data the browser has deleted.
    pub(crate) lost: RwSignal<Vec<Remembered>>,
    /// Why the worker is not running, if it is not.
    pub(crate) blocked: RwSignal<Option<Blocked>>,
    /// Why the last things that the user tried to add were not added.
    pub(crate) alerts: Alerts,
    /// The files that the user may want to share.
    pub(crate) offer: RwSignal<Option<Offer>, LocalStorage>,
    /// What the page tells the user besides.
    pub(crate) notices: Notices,
    /// The content of the text field.
    pub(crate) draft: RwSignal<String>,
    /// Whether the worker has sent its state since it started.
    pub(crate) has_state: RwSignal<bool>,
    /// Torrents that may be named again: those of the former worker that the present one has not named
    /// yet, and those whose removal can be undone.
    former: StoredValue<Vec<Entry>>,
    submitted: StoredValue<Submitted>,
    remembered: StoredValue<Vec<Remembered>>,
    worker: StoredValue<Option<WorkerHandle>, LocalStorage>,
}

impl Model {
    /// An empty page with a worker that is being started. The bridge is the server of the page.
    pub(crate) fn new() -> Self {
        let model = Self {
            bridge: RwSignal::new(BridgeStatus::Connecting),
            link: RwSignal::new(BridgeLink::default()),
            players: RwSignal::default(),
            torrents: RwSignal::new(Vec::new()),
            removed: RwSignal::new(Vec::new()),
            lost: RwSignal::new(Vec::new()),
            blocked: RwSignal::new(None),
            alerts: Alerts::new(),
            offer: RwSignal::new_local(None),
            notices: Notices::new(),
            draft: RwSignal::new(String::new()),
            has_state: RwSignal::new(false),
            former: StoredValue::new(Vec::new()),
            submitted: StoredValue::new(Submitted::default()),
            remembered: StoredValue::new(Vec::new()),
            worker: StoredValue::new_local(None),
        };
        let bridge = window().location().origin().unwrap_or_default();
        let worker = WorkerHandle::start(bridge, move |event| model.handle_worker(event));
        model.worker.set_value(Some(worker));
        model
    }

    /// Sends a message to the worker, as soon as it accepts messages.
    pub(crate) fn send(self, message: &ToWorker) {
        self.send_with(message, None);
    }

    /// As [`Model::send`], with what the message says of its attachment.
    pub(crate) fn send_with(self, message: &ToWorker, attachment: Option<&JsValue>) {
        self.worker.with_value(|worker| {
            if let Some(worker) = worker {
                worker.send(message, attachment);
            }
        });
    }

    /// Adds the content of the text field, or shows what is wrong with it.
    pub(crate) fn submit(self) {
        let text = self.draft.get_untracked();
        let links = links_in(&text);
        if links.is_empty() {
            let why = texts::nothing_to_add().to_owned();
            self.alerts.show_only(Subject::TextField, why);
            return;
        }
        self.add_links(&links);
        self.submitted.set_value(Submitted { text, links });
    }

    /// Adds links that the user pasted or dropped.
    pub(crate) fn add_links(self, links: &[String]) {
        self.alerts.clear();
        request_persistence();
        if let Some(address) = links.iter().find(|link| is_web_address(link)) {
            self.notices.show(texts::fetching(address));
        }
        links
            .iter()
            .for_each(|link| self.send(&ToWorker::AddLink(link.clone())));
    }

    /// Whether the worker takes what the user adds, in this tab or in another one.
    pub(crate) fn can_add(self) -> bool {
        let takes = |why: &Option<Blocked>| matches!(why, None | Some(Blocked::OtherTab));
        self.blocked.with(takes)
    }

    /// Whether closing the page would end something permanently. Only the leading tab can.
    pub(crate) fn would_lose(self) -> bool {
        let leads = self.blocked.with_untracked(Option::is_none);
        leads
            && self.torrents.with_untracked(|all| {
                all.iter()
                    .any(|entry| entry.torrent.with_untracked(would_lose))
            })
    }

    /// Whether the user has typed or offered something that was not added yet.
    pub(crate) fn is_being_filled_in(self) -> bool {
        let has_draft = self.draft.with_untracked(|draft| !draft.is_empty());
        has_draft || self.offer.with_untracked(Option::is_some)
    }

    /// Adds a .torrent file.
    pub(crate) fn add_file(self, name: String, bytes: &js_sys::Uint8Array) {
        request_persistence();
        self.send_with(&ToWorker::AddFile(name), Some(bytes));
    }

    /// Asks the user whether to share what was dropped.
    pub(super) fn offer_dropped(self, dropped: Vec<Dropped>) {
        leptos::task::spawn_local(async move {
            match Offer::from_dropped(dropped).await {
                Ok(offer) => self.offer.set(Some(offer)),
                Err(why) => self.alerts.show(Subject::Other, why),
            }
        });
    }

    /// Shares the offered files under this name, or shows why that is not possible.
    pub(crate) fn share_offer(self, name: &str, sharing: Sharing) {
        let drafted = self
            .offer
            .with_untracked(|offer| offer.as_ref().map(|offer| draft(name, &offer.files)));
        if let Some(Err(why)) = drafted {
            self.alerts.show_only(Subject::Other, why);
            return;
        }
        let Some(offer) = self.offer.try_update(Option::take).flatten() else {
            return;
        };
        self.alerts.clear();
        request_persistence();
        let message = ToWorker::ShareFiles {
            name: name.to_owned(),
            files: offer.files,
            sharing,
        };
        self.send_with(&message, Some(&offer.contents));
    }

    fn handle_worker(self, event: WorkerEvent) {
        match event {
            WorkerEvent::Ready => {
                self.send(&ToWorker::Settings(local_storage::read(SETTINGS)));
                self.report_visibility();
            }
            WorkerEvent::Message(message) => self.handle_message(message),
            WorkerEvent::Crashed => self.clear(),
            WorkerEvent::Stopped(why) => self.notices.show_error(why),
        }
    }

    fn handle_message(self, message: ToPage) {
        match message {
            ToPage::Loaded | ToPage::Ready | ToPage::Pong => {}
            ToPage::Blocked(why) => self.blocked.set(Some(why)),
            ToPage::Unblocked => {
                self.blocked.set(None);
                self.clear();
            }
            ToPage::LeaderChanged => {
                self.clear();
                self.report_visibility();
            }
            ToPage::State(state) => self.handle_state(state),
            ToPage::Files(id, files) => self.with_entry(id, |entry| entry.files.set(files)),
            ToPage::FilesDone(id, done) => self.with_entry(id, |entry| entry.files_done.set(done)),
            ToPage::Peers(id, peers) => self.with_entry(id, |entry| entry.peers.set(peers)),
            ToPage::Pieces(id, pieces) => self.with_entry(id, |entry| entry.pieces.set(pieces)),
            ToPage::Trackers(id, tiers) => self.with_entry(id, |entry| entry.trackers.set(tiers)),
            ToPage::Details(id, details) => self.with_entry(id, |entry| entry.details.set(details)),
            ToPage::AddResult { asked, outcome } => self.handle_outcome(&asked, outcome),
            ToPage::Suspended { seconds } => self.notices.suspended.set(Some(seconds)),
            ToPage::Error(why) => self.notices.show_error(why),
        }
    }

    /// Reports to the worker whether the page is visible, since a hidden one needs few updates.
    pub(super) fn report_visibility(self) {
        self.send(&ToWorker::Visible(!document().hidden()));
    }

    /// Whether this tab leads and downloads something.
    pub(crate) fn is_downloading(self) -> bool {
        let downloads = |entry: &Entry| entry.torrent.with(|t| t.phase.is_download());
        self.leads() && self.torrents.with(|all| all.iter().any(downloads))
    }

    /// Whether this tab leads, and a player outside the browser reads from it.
    pub(crate) fn is_read(self) -> bool {
        self.leads() && self.players.with(|players| players.are_reading)
    }

    fn leads(self) -> bool {
        self.blocked.with(Option::is_none)
    }

    fn handle_outcome(self, asked: &str, outcome: Outcome) {
        match outcome {
            Outcome::Added => self.handle_added(asked),
            Outcome::AlreadyListed(name) => {
                self.handle_added(asked);
                self.notices.show(texts::already_listed(name));
            }
            Outcome::Rejected(why) => self.alerts.show(self.subject_of(asked), why),
        }
    }

    /// Where that which was asked to be added comes from.
    fn subject_of(self, asked: &str) -> Subject {
        let is_link = self
            .submitted
            .with_value(|submitted| submitted.links.iter().any(|link| link == asked));
        if is_link {
            Subject::TextField
        } else {
            Subject::Other
        }
    }

    /// Handles a link that is in the list now: it is removed from the text field, and with the last
    /// one the page's address is cleared.
    fn handle_added(self, asked: &str) {
        let Some((before, after)) = self
            .submitted
            .try_update_value(|submitted| submitted.accept(asked))
            .flatten()
        else {
            return;
        };
        if before == self.draft.get_untracked() {
            if after.is_empty() {
                clear_address();
            }
            self.draft.set(after);
        }
    }

    fn handle_state(self, state: State) {
        self.remember(&state);
        if self.bridge.get_untracked() != state.bridge {
            self.bridge.set(state.bridge);
        }
        if self.link.get_untracked() != state.link {
            self.link.set(state.link);
        }
        if self.players.with_untracked(|old| *old != state.players) {
            self.players.set(state.players);
        }
        if !self.has_state.get_untracked() {
            self.has_state.set(true);
        }
        let is_final =
            state.removed.is_empty() && self.removed.with_untracked(|old| !old.is_empty());
        if self.removed.with_untracked(|old| *old != state.removed) {
            if is_final {
                // Those that were removed cannot be restored any more.
                let folders: Vec<&str> = state.torrents.iter().map(|t| &*t.folder).collect();
                SaveList::read().keep(&folders);
            }
            self.removed.set(state.removed);
        }
        self.drop_unlisted(&state.torrents);
        for torrent in state.torrents {
            self.set_torrent(torrent);
        }
        if is_final {
            self.former.set_value(Vec::new());
        }
        self.drop_stale_link();
    }

    /// Removes the entries of torrents that are not in the list any more.
    fn drop_unlisted(self, listed: &[Torrent]) {
        let is_listed = |entry: &Entry| listed.iter().any(|torrent| torrent.id == entry.id);
        if self
            .torrents
            .with_untracked(|all| all.iter().all(is_listed))
        {
            return;
        }
        let removed = self.torrents.try_update(|all| {
            all.extract_if(.., |entry| !is_listed(entry))
                .collect::<Vec<_>>()
        });
        self.former
            .update_value(|former| former.extend(removed.unwrap_or_default()));
    }

    /// Withdraws the link to copy if its torrent is gone: it leads nowhere.
    fn drop_stale_link(self) {
        // What follows the info-hash differs once the torrent was restored from storage.
        fn hash(link: &str) -> Option<&str> {
            link.split('&').next()
        }
        let is_listed = |link: &str| {
            let is_it = |entry: &Entry| {
                let torrent = entry.torrent.read_untracked();
                torrent.magnet.as_deref().and_then(hash) == hash(link)
            };
            self.torrents.with_untracked(|all| all.iter().any(is_it))
        };
        let link = self.notices.link_to_copy;
        let is_stale = |link: &Option<String>| link.as_deref().is_some_and(|link| !is_listed(link));
        if link.with_untracked(is_stale) {
            link.set(None);
        }
    }

    /// Whether a torrent is not in the list any more. While the worker starts, it is not known.
    pub(crate) fn is_gone(self, entry: Entry) -> bool {
        self.has_state.get()
            && self
                .torrents
                .with(|all| all.iter().all(|other| other.torrent != entry.torrent))
    }

    /// Remembers the current torrents. At the first state, torrents that were remembered before and
    /// are missing count as lost.
    fn remember(self, state: &State) {
        let present: Vec<Remembered> = state.torrents.iter().filter_map(Remembered::of).collect();
        if !self.has_state.get_untracked() {
            // A worker that restarts within a visit may find that the browser has deleted what was
            // remembered together with the data.
            let remembered = Some(self.remembered.get_value()).filter(|all| !all.is_empty());
            self.lost
                .set(missing(remembered.unwrap_or_else(read), &present));
            self.remembered.set_value(read());
        }
        let all = [present, self.lost.get_untracked()].concat();
        if self.remembered.with_value(|old| *old != all) {
            write(&all);
            self.remembered.set_value(all);
        }
    }

    /// Drops the lost torrents, or adds them again.
    pub(crate) fn settle_lost(self, add_again: bool) {
        let lost = std::mem::take(&mut *self.lost.write());
        for torrent in lost.into_iter().filter(|_| add_again) {
            self.send(&ToWorker::AddLink(torrent.magnet));
        }
    }

    fn set_torrent(self, torrent: Torrent) {
        if let Some(entry) = self.entry(torrent.id) {
            let was_created = entry.torrent.with_untracked(|old| old.magnet.is_none());
            if was_created && torrent.magnet.is_some() {
                self.notices.link_to_copy.set(torrent.magnet.clone());
            }
            if entry.torrent.with_untracked(|old| *old != torrent) {
                entry.torrent.set(torrent);
            }
            return;
        }
        let entry = self.new_entry(torrent);
        self.torrents
            .update(|all| all.insert(position(all, entry), entry));
    }

    /// The signals of a torrent that is not in the list: those of its folder, if the former worker
    /// had it.
    fn new_entry(self, torrent: Torrent) -> Entry {
        let former = self.former.try_update_value(|former| {
            let at = former
                .iter()
                .position(|entry| entry.has_folder(&torrent.folder))?;
            Some(former.swap_remove(at))
        });
        match former.flatten() {
            Some(former) => former.renumbered(torrent),
            None => Entry::new(torrent),
        }
    }

    /// The signals of a torrent in the list.
    pub(crate) fn entry(self, id: u32) -> Option<Entry> {
        self.torrents
            .with_untracked(|all| all.iter().copied().find(|entry| entry.id == id))
    }

    fn with_entry(self, id: u32, act: impl FnOnce(Entry)) {
        if let Some(entry) = self.entry(id) {
            act(entry);
        }
    }

    /// Removes all torrents, since the next worker numbers its torrents anew.
    fn clear(self) {
        let all = std::mem::take(&mut *self.torrents.write());
        if !all.is_empty() {
            self.former.set_value(all);
        }
        self.removed.set(Vec::new());
        self.has_state.set(false);
    }
}

/// The position of a new entry in the list, which is sorted newest first.
fn position(all: &[Entry], entry: Entry) -> usize {
    let order = |entry: &Entry| entry.torrent.with_untracked(|t| (t.added, t.id));
    let own = order(&entry);
    all.iter()
        .position(|other| order(other) < own)
        .unwrap_or(all.len())
}

/// Removes the magnet link from the page's address, since a reload must not fill in again what was
/// added.
fn clear_address() {
    let path = window().location().pathname().unwrap_or_default();
    let history = window()
        .history()
        .and_then(|history| history.replace_state_with_url(&JsValue::NULL, "", Some(&path)));
    // If the browser refuses, it fills in the form once more, which does nothing by itself.
    drop(history);
}

/// Asks the browser not to delete the stored data when space runs low. It may decline, which
/// changes nothing else. Only a page may ask.
fn request_persistence() {
    if let Some(storage) = storage_manager() {
        drop(storage.persist());
    }
}
