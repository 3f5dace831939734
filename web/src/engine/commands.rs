//! What the user wants, as the page tells it.

use std::sync::Arc;

use aqueduct_core::meta::{Info, Magnet, Metainfo};
use aqueduct_core::types::{InfoHash, TorrentId};
use aqueduct_core::{Command, CommandError, Resumed};
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;

use crate::browser::clock::now;
use crate::engine::driver::{Driver, enter};
use crate::engine::errors::{not_a_link, not_a_torrent, not_done};
use crate::engine::removal::tell_failure;
use crate::engine::tabs::{Heard, Tab, answer};
use crate::engine::torrent::Item;
use crate::engine::updates::complain;
use crate::engine::{fetch as web, view};
use crate::format::size;
use crate::link::is_web_address;
use crate::message::{Outcome, ToPage, ToWorker};
use crate::storage::restore::Restored;
use crate::storage::space::Room;

/// A piece is held in memory until it is verified, so a tab takes none longer than 64 MiB.
const MAX_PIECE: u32 = 64 << 20;

impl Driver {
    /// Does what the page of a tab says. `attachment` is what rides along: the .torrent file of
    /// [`ToWorker::AddFile`], the files of [`ToWorker::Give`].
    pub(crate) fn on_page(&mut self, tab: Tab, message: ToWorker, attachment: &JsValue) {
        match message {
            ToWorker::AddLink(text) if is_web_address(&text) => self.fetch_file(tab, text),
            ToWorker::AddLink(text) => tell_outcome(tab, self.add_link(&text), text),
            ToWorker::AddFile(name) => {
                tell_outcome(tab, self.add_file(&name, &bytes_of(attachment)), name)
            }
            ToWorker::Give { name, files } => {
                tell_outcome(tab, self.give(name.clone(), &files, attachment), name)
            }
            ToWorker::Ping => answer(tab, &ToPage::Pong),
            ToWorker::Visible(visible) => self.teller.set_visible(now(), tab, visible),
            ToWorker::ShowFiles { id, shown } => self.show_files(tab, TorrentId(id), shown),
            ToWorker::Token(token) => self.show_token(token),
            other => self.change(tab, other),
        }
        self.teller.soon(now());
    }

    /// Another tab follows this one.
    pub(crate) fn on_other_tab(&mut self, heard: Heard) {
        match heard {
            Heard::Hello(tab) => self.teller.greet(now(), tab),
            Heard::Said(tab, message, attachment) => self.on_page(tab, message, &attachment),
        }
    }

    /// Changes a torrent that is there.
    fn change(&mut self, tab: Tab, message: ToWorker) {
        let changed = match message {
            ToWorker::Pause(id) => self.set_paused(TorrentId(id), true),
            ToWorker::Resume(id) => self.set_paused(TorrentId(id), false),
            ToWorker::Remove(id) => self.remove(TorrentId(id)),
            ToWorker::Undo(id) => self.undo(TorrentId(id)).map(drop),
            ToWorker::Want { id, file, wanted } => self.want_file(TorrentId(id), file, wanted),
            _ => Ok(()),
        };
        if let Err(why) = changed {
            answer(tab, &ToPage::Trouble(why));
        }
    }

    /// Fetches a .torrent file from the web and adds it.
    fn fetch_file(&self, tab: Tab, address: String) {
        let me = self.me();
        spawn_local(async move {
            let fetched = web::fetch(&address).await;
            enter(&me, |driver| {
                let added = fetched.map_err(|error| error.to_string());
                tell_outcome(
                    tab,
                    added.and_then(|bytes| driver.add_file(web::file_name(&address), &bytes)),
                    address,
                );
                driver.teller.soon(now());
            });
        });
    }

    fn add_link(&mut self, text: &str) -> Result<Outcome, String> {
        let magnet = Magnet::parse(text).map_err(|error| not_a_link(&error))?;
        if let Some(there) = self.is_there(magnet.info_hash) {
            return there;
        }
        let id = self.new_id();
        self.engine
            .command(
                now(),
                Command::AddMagnet {
                    torrent: id,
                    magnet: magnet.clone(),
                    paused: false,
                },
            )
            .map_err(refused)?;
        let mut item = Item::from_magnet(id, magnet);
        item.left = self.store.claim(&item.folder);
        self.added(item);
        Ok(Outcome::Added)
    }

    fn add_file(&mut self, name: &str, bytes: &[u8]) -> Result<Outcome, String> {
        let metainfo =
            Metainfo::parse(bytes).map_err(|error| not_a_torrent(name, bytes, &error))?;
        check_pieces(&metainfo.info)?;
        if let Some(there) = self.is_there(metainfo.info.info_hash) {
            return there;
        }
        let id = self.new_id();
        let info = Arc::clone(&metainfo.info);
        let item = Item::from_metainfo(id, metainfo);
        let resumed = self.store.claim(&item.folder);
        self.engine
            .command(
                now(),
                Command::Add {
                    torrent: id,
                    info,
                    resumed,
                    wanted: None,
                    paused: false,
                },
            )
            .map_err(refused)?;
        self.added(item);
        Ok(Outcome::Added)
    }

    /// A torrent that is there already is shown, not added again; one that was removed a moment ago
    /// is taken back. `None`: it is not there.
    pub(crate) fn is_there(&mut self, info_hash: InfoHash) -> Option<Result<Outcome, String>> {
        let there = self
            .items
            .values()
            .find(|item| item.info_hash().wire() == info_hash.wire())
            .map(|item| item.id)?;
        Some(self.undo(there).map(|undone| match undone {
            true => Outcome::Added,
            false => Outcome::Known(self.items.get(&there).map(view::name).unwrap_or_default()),
        }))
    }

    /// Shows a token to the bridge from now on, also on later visits.
    fn show_token(&mut self, token: String) {
        self.store.keep_token(token.clone(), tell_failure);
        self.line.show_token(now(), token);
    }

    fn added(&mut self, mut item: Item) {
        item.added = self.time_of_adding();
        self.admit(item);
    }

    /// The engine has it; a reload is to know it, too.
    pub(crate) fn admit(&mut self, item: Item) {
        let id = item.id;
        self.items.insert(id, item);
        self.remember(id);
    }

    /// Milliseconds since 1970, and later than any torrent was added before: lists keep their
    /// order.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a date of the browser is a whole number below 2^53"
    )]
    pub(crate) fn time_of_adding(&self) -> u64 {
        let items = self.items.values().map(|item| item.added);
        let newest = items
            .chain(self.makings.values().map(|making| making.added))
            .max()
            .unwrap_or(0);
        (js_sys::Date::now().max(0.0) as u64).max(newest.saturating_add(1))
    }

    /// Brings back a torrent of an earlier run.
    pub(crate) fn restore(&mut self, restored: Restored) {
        let Restored { item, resumed } = restored;
        self.reserve_ids(item.id);
        let (torrent, paused, wanted) = (item.id, item.paused, item.wanted.clone());
        let command = match &item.info {
            Some(info) => Command::Add {
                torrent,
                info: Arc::clone(info),
                resumed,
                wanted,
                paused,
            },
            None => Command::AddMagnet {
                torrent,
                magnet: item.magnet.clone(),
                paused,
            },
        };
        match self.engine.command(now(), command) {
            Ok(()) => drop(self.items.insert(torrent, item)),
            Err(error) => complain(&format!(
                "{} could not be brought back. {}",
                view::name(&item),
                not_done(&error)
            )),
        }
    }

    /// A magnet's metadata came: the download itself can begin.
    pub(crate) fn on_metadata(&mut self, torrent: TorrentId, info: &Arc<Info>) {
        if let Err(why) = check_pieces(info) {
            complain(&why);
            self.delete(torrent);
            return;
        }
        let Some(item) = self.items.get_mut(&torrent) else {
            return;
        };
        item.learn(info);
        let left = std::mem::replace(&mut item.left, Resumed::Nothing);
        if let Some(wanted) = item.wanted.clone() {
            drop(self.engine.command(now(), Command::Want(torrent, wanted)));
        }
        // Refused only for a torrent that is not there or that waits for no data.
        drop(self.engine.attach(now(), torrent, left));
        self.update(torrent, false, false);
        self.remember(torrent);
        self.teller.soon(now());
    }

    fn set_paused(&mut self, torrent: TorrentId, paused: bool) -> Result<(), String> {
        let command = if paused {
            Command::Pause(torrent)
        } else {
            Command::Resume(torrent)
        };
        self.engine.command(now(), command).map_err(refused)?;
        if let Some(item) = self.items.get_mut(&torrent) {
            item.paused = paused;
            item.cleared &= paused;
            item.room = Room::Unknown;
        }
        self.remember(torrent);
        Ok(())
    }

    fn want_file(&mut self, torrent: TorrentId, file: u32, wanted: bool) -> Result<(), String> {
        let Some(item) = self.items.get_mut(&torrent) else {
            return Ok(());
        };
        let Some(info) = &item.info else {
            return Ok(());
        };
        let flags = item
            .wanted
            .get_or_insert_with(|| vec![true; info.files.len()]);
        if let Some(flag) = flags.get_mut(file as usize) {
            *flag = wanted;
        }
        item.room = Room::Unknown;
        let (flags, had_all) = (flags.clone(), self.outstanding(torrent) == 0);
        self.engine
            .command(now(), Command::Want(torrent, flags))
            .map_err(refused)?;
        if had_all && self.outstanding(torrent) > 0 {
            self.rejoin(torrent);
        }
        self.remember(torrent);
        Ok(())
    }

    fn show_files(&mut self, tab: Tab, torrent: TorrentId, shown: bool) {
        let Some(item) = self.items.get_mut(&torrent) else {
            return;
        };
        if !shown {
            item.shown.remove(&tab);
            return;
        }
        item.shown.insert(tab);
        item.told = None;
        answer(tab, &ToPage::Files(torrent.0, view::files(item)));
    }

    /// Stores what a reload must know.
    pub(crate) fn remember(&mut self, torrent: TorrentId) {
        self.save(torrent, tell_failure);
    }
}

/// Answers the tab that wanted something to be added.
fn tell_outcome(tab: Tab, outcome: Result<Outcome, String>, asked: String) {
    let outcome = outcome.unwrap_or_else(Outcome::Rejected);
    answer(tab, &ToPage::Answer { asked, outcome });
}

fn bytes_of(attachment: &JsValue) -> Vec<u8> {
    attachment
        .dyn_ref::<Uint8Array>()
        .map(Uint8Array::to_vec)
        .unwrap_or_default()
}

fn check_pieces(info: &Info) -> Result<(), String> {
    let length = info.lengths.piece_length();
    if length <= MAX_PIECE {
        return Ok(());
    }
    let (is, limit) = (size(length.into()), size(MAX_PIECE.into()));
    Err(format!(
        "The pieces of this torrent are {is} long, too long for a browser tab, which takes {limit} at most. The terminal program takes it."
    ))
}

/// What the user is told when the engine declines.
#[expect(clippy::needless_pass_by_value, reason = "what `map_err` takes")]
pub(crate) fn refused(error: CommandError) -> String {
    not_done(&error)
}
