//! Handling of the pages' messages.

use aqueduct_core::types::TorrentId;
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;

use super::playback::prioritise;
use super::{Driver, enter, players, settings};
use crate::browser::clock::now;
use crate::engine::amounts::outstanding;
use crate::engine::fetch;
use crate::engine::library::report_failure;
use crate::engine::opened::{Content, files};
use crate::engine::tabs::{FollowerMessage, Tab, post_to};
use crate::link::is_web_address;
use crate::message::{Outcome, Pane, Priority, ToPage, ToWorker, View};

impl Driver {
    /// Handles a message of a tab's page. `attachment` is the .torrent file of
    /// [`ToWorker::AddFile`], the files of [`ToWorker::ShareFiles`] or the port of
    /// [`ToWorker::Play`].
    pub(in crate::engine) fn handle_page(
        &mut self,
        tab: Tab,
        message: ToWorker,
        attachment: &JsValue,
    ) {
        let (engine, library) = (&mut self.engine, &mut self.library);
        match message {
            // Only the first one has an effect, and the worker has started.
            ToWorker::Start { .. } => {}
            ToWorker::AddLink(text) if is_web_address(&text) => self.fetch_torrent(tab, text),
            ToWorker::AddLink(text) => {
                let added = library.add_link(engine, now(), &text);
                post_outcome(tab, text, added);
            }
            ToWorker::AddFile(name) => {
                let added = library.add_file(engine, now(), &name, &bytes(attachment));
                post_outcome(tab, name, added);
            }
            ToWorker::ShareFiles {
                name,
                files,
                sharing,
            } => {
                let added = self.share_files(&name, &files, attachment, sharing);
                post_outcome(tab, name, added);
            }
            ToWorker::Pause(id) => post_failure(tab, self.set_paused(TorrentId(id), true)),
            ToWorker::Resume(id) => post_failure(tab, self.set_paused(TorrentId(id), false)),
            ToWorker::Remove(id) => post_failure(tab, self.remove(TorrentId(id))),
            ToWorker::Undo(id) => post_failure(tab, library.undo(engine, now(), TorrentId(id))),
            ToWorker::SetPriority { id, file, priority } => {
                post_failure(tab, self.set_priority(TorrentId(id), file, priority));
            }
            ToWorker::SetOptions { id, options } => {
                library.set_options(engine, now(), TorrentId(id), options);
                prioritise(self, TorrentId(id));
            }
            ToWorker::Show(view) => self.show(tab, view),
            ToWorker::ListFiles(id) => list_files(self, tab, TorrentId(id)),
            ToWorker::Play {
                folder,
                file,
                range,
            } => {
                self.play(&folder, file, range.as_deref(), attachment);
                // Elements request small parts in quick succession.
                return;
            }
            ToWorker::MakeAddress { id, file } => players::make_address(self, TorrentId(id), file),
            ToWorker::Token(token) => self.set_token(token),
            ToWorker::Settings(settings) => settings::apply(self, settings),
            ToWorker::Visible(visible) => self.updates.set_visible(now(), tab, visible),
            ToWorker::Ping => post_to(tab, &ToPage::Pong),
        }
        self.updates.update_soon(now());
    }

    /// Handles a message of a tab that follows this one.
    pub(in crate::engine) fn handle_follower(&mut self, message: FollowerMessage) {
        match message {
            FollowerMessage::Hello(tab) => self.updates.add_tab(now(), tab),
            FollowerMessage::Page(tab, message, attachment) => {
                self.handle_page(tab, message, &attachment);
            }
        }
    }

    /// Downloads a .torrent file from the web and adds it.
    fn fetch_torrent(&self, tab: Tab, address: String) {
        let me = self.me.clone();
        spawn_local(async move {
            let fetched = fetch::fetch(&address).await;
            enter(&me, |driver| {
                let added = fetched
                    .map_err(|error| error.to_string())
                    .and_then(|bytes| {
                        let name = fetch::file_name(&address);
                        driver
                            .library
                            .add_file(&mut driver.engine, now(), name, &bytes)
                    });
                post_outcome(tab, address, added);
                driver.updates.update_soon(now());
            });
        });
    }

    pub(super) fn set_paused(&mut self, torrent: TorrentId, paused: bool) -> Result<(), String> {
        self.library
            .set_paused(&mut self.engine, now(), torrent, paused)?;
        self.space.reset(torrent);
        if !paused {
            let rule = self.settings.when_complete;
            self.library.keep_seeding(&self.engine, torrent, rule);
        }
        Ok(())
    }

    /// Sets whether a file is wanted, and how soon.
    pub(super) fn set_priority(
        &mut self,
        torrent: TorrentId,
        file: u32,
        priority: Priority,
    ) -> Result<(), String> {
        let had_all = outstanding(&self.engine, torrent) == 0;
        let library = &mut self.library;
        if library.set_priority(&mut self.engine, now(), (torrent, file), priority)? {
            self.space.reset(torrent);
            if had_all && outstanding(&self.engine, torrent) > 0 {
                self.network.rejoin(now(), torrent);
            }
        }
        prioritise(self, torrent);
        if let Some(torrent) = self.library.torrents.get(torrent) {
            self.updates.send_files(torrent);
        }
        Ok(())
    }

    fn remove(&mut self, torrent: TorrentId) -> Result<(), String> {
        if self.creations.cancel(torrent) {
            return Ok(());
        }
        players::withdraw(self, torrent);
        self.library.remove(&mut self.engine, now(), torrent)
    }

    /// Records what a page shows, and sends it what does not change meanwhile.
    fn show(&mut self, tab: Tab, view: Option<View>) {
        self.updates.show(tab, view);
        let shown = view.filter(|view| view.pane == Pane::Files);
        let Some(id) = shown.map(|view| view.torrent) else {
            return;
        };
        if let Some(torrent) = self.library.torrents.get(TorrentId(id)) {
            post_to(tab, &ToPage::Files(id, files(torrent)));
        }
    }

    /// Sets the bridge's token for now and for later visits.
    fn set_token(&mut self, token: String) {
        self.storage.save_token(token.clone(), report_failure);
        self.network.bridge.set_token(now(), token);
    }
}

/// Sends a page the files of a torrent, and how much of each is there.
fn list_files(driver: &Driver, tab: Tab, id: TorrentId) {
    let torrent = driver.library.torrents.get(id);
    let snapshot = driver.engine.snapshot_of(id);
    if let Some((torrent, snapshot)) = torrent.zip(snapshot) {
        let content = Content {
            torrent,
            snapshot: &snapshot,
            engine: &driver.engine,
            found: None,
            now: now(),
        };
        post_to(tab, &ToPage::Files(id.0, files(torrent)));
        if let Some(done) = content.message(Pane::Files) {
            post_to(tab, &done);
        }
    }
}

/// Sends a tab the result of adding something.
fn post_outcome(tab: Tab, asked: String, added: Result<Outcome, String>) {
    let outcome = added.unwrap_or_else(Outcome::Rejected);
    post_to(tab, &ToPage::AddResult { asked, outcome });
}

/// Sends a tab the reason why an operation failed.
fn post_failure<T>(tab: Tab, done: Result<T, String>) {
    if let Err(why) = done {
        post_to(tab, &ToPage::Error(why));
    }
}

fn bytes(attachment: &JsValue) -> Vec<u8> {
    attachment
        .dyn_ref::<Uint8Array>()
        .map(Uint8Array::to_vec)
        .unwrap_or_default()
}
