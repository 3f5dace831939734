//! What the user wants, as the page tells it.

use std::sync::Arc;

use aqueduct_core::meta::{Info, Magnet, Metainfo};
use aqueduct_core::types::{InfoHash, TorrentId};
use aqueduct_core::{Command, CommandError, Resumed};
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};

use super::clock::now;
use super::driver::Driver;
use super::item::Item;
use super::removal::tell_failure;
use super::restore::Restored;
use super::room::Room;
use super::teller::{complain, post};
use super::view;
use crate::format::size;
use crate::message::{ToPage, ToWorker};
use crate::words::faults::{not_a_link, not_a_torrent, not_done};

/// A piece is held in memory until it is verified, so a tab takes none longer than 64 MiB.
const MAX_PIECE: u32 = 64 << 20;

impl Driver {
    /// Does what the page says. `attachment` is what rides along: the .torrent file of [`ToWorker::AddFile`], the files of [`ToWorker::Give`].
    pub(super) fn on_page(&mut self, message: ToWorker, attachment: &JsValue) {
        let adds = matches!(message, ToWorker::AddLink(_) | ToWorker::AddFile(_) | ToWorker::Give { .. });
        let done = match message {
            ToWorker::AddLink(text) => self.add_link(&text),
            ToWorker::AddFile(name) => self.add_file(&name, &bytes_of(attachment)),
            ToWorker::Give { name, files } => self.give(name, &files, attachment),
            ToWorker::Pause(id) => self.set_paused(TorrentId(id), true),
            ToWorker::Resume(id) => self.set_paused(TorrentId(id), false),
            ToWorker::Remove(id) => self.remove(TorrentId(id)),
            ToWorker::Undo(id) => self.undo(TorrentId(id)).map(drop),
            ToWorker::Token(token) => {
                self.show_token(token);
                Ok(())
            }
            ToWorker::Want { id, file, wanted } => self.want_file(TorrentId(id), file, wanted),
            ToWorker::ShowFiles { id, shown } => self.show_files(TorrentId(id), shown),
            ToWorker::Ping => {
                post(&ToPage::Pong);
                Ok(())
            }
            ToWorker::Visible(visible) => {
                self.teller.set_visible(now(), visible);
                Ok(())
            }
        };
        if let Err(why) = done {
            post(&if adds { ToPage::Rejected(why) } else { ToPage::Trouble(why) });
        }
        self.teller.soon(now());
    }

    fn add_link(&mut self, text: &str) -> Result<(), String> {
        let magnet = Magnet::parse(text).map_err(|error| not_a_link(&error))?;
        if self.is_there(magnet.info_hash) {
            return Ok(());
        }
        let id = self.new_id();
        self.engine.command(now(), Command::AddMagnet { torrent: id, magnet: magnet.clone(), paused: false }).map_err(refused)?;
        self.added(Item::from_magnet(id, magnet));
        Ok(())
    }

    fn add_file(&mut self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let metainfo = Metainfo::parse(bytes).map_err(|error| not_a_torrent(name, bytes, &error))?;
        check_pieces(&metainfo.info)?;
        if self.is_there(metainfo.info.info_hash) {
            return Ok(());
        }
        let id = self.new_id();
        let info = Arc::clone(&metainfo.info);
        self.engine.command(now(), Command::Add { torrent: id, info, resumed: Resumed::Nothing, wanted: None, paused: false }).map_err(refused)?;
        self.added(Item::from_metainfo(id, metainfo));
        Ok(())
    }

    /// A torrent that is there already is shown, not added again; one that was removed a moment ago is taken back.
    pub(super) fn is_there(&mut self, info_hash: InfoHash) -> bool {
        let there = self.items.values().find(|item| item.info_hash().wire() == info_hash.wire()).map(|item| item.id);
        if let Some(id) = there {
            self.welcome_back(id);
        }
        there.is_some()
    }

    fn welcome_back(&mut self, torrent: TorrentId) {
        match self.undo(torrent) {
            Ok(true) => post(&ToPage::Added(torrent.0)),
            Ok(false) => post(&ToPage::Known(self.items.get(&torrent).map(view::name).unwrap_or_default())),
            Err(why) => post(&ToPage::Rejected(why)),
        }
    }

    /// Shows a token to the bridge from now on, also on later visits.
    fn show_token(&mut self, token: String) {
        self.store.keep_token(token.clone(), tell_failure);
        self.line.show_token(now(), token);
    }

    fn added(&mut self, item: Item) {
        let id = item.id;
        self.items.insert(id, item);
        self.remember(id);
        post(&ToPage::Added(id.0));
    }

    /// Brings back a torrent of an earlier run.
    pub(super) fn restore(&mut self, restored: Restored) {
        let Restored { item, resumed } = restored;
        self.reserve_ids(item.id);
        let (torrent, paused, wanted) = (item.id, item.paused, item.wanted.clone());
        let command = match &item.info {
            Some(info) => Command::Add { torrent, info: Arc::clone(info), resumed, wanted, paused },
            None => Command::AddMagnet { torrent, magnet: item.magnet.clone(), paused },
        };
        match self.engine.command(now(), command) {
            Ok(()) => drop(self.items.insert(torrent, item)),
            Err(error) => complain(&format!("{} could not be brought back. {}", view::name(&item), not_done(&error))),
        }
    }

    /// A magnet's metadata came: the download itself can begin.
    pub(super) fn on_metadata(&mut self, torrent: TorrentId, info: &Arc<Info>) {
        if let Err(why) = check_pieces(info) {
            complain(&why);
            self.delete(torrent);
            return;
        }
        let Some(item) = self.items.get_mut(&torrent) else { return };
        item.learn(info);
        if let Some(wanted) = item.wanted.clone() {
            drop(self.engine.command(now(), Command::Want(torrent, wanted)));
        }
        // Refused only for a torrent that is not there or that waits for no data.
        drop(self.engine.attach(now(), torrent, Resumed::Nothing));
        self.update(torrent, false, false);
        self.remember(torrent);
        self.teller.soon(now());
    }

    fn set_paused(&mut self, torrent: TorrentId, paused: bool) -> Result<(), String> {
        let command = if paused { Command::Pause(torrent) } else { Command::Resume(torrent) };
        self.engine.command(now(), command).map_err(refused)?;
        if let Some(item) = self.items.get_mut(&torrent) {
            item.paused = paused;
            item.room = Room::Unknown;
        }
        self.remember(torrent);
        Ok(())
    }

    fn want_file(&mut self, torrent: TorrentId, file: u32, wanted: bool) -> Result<(), String> {
        let Some(item) = self.items.get_mut(&torrent) else { return Ok(()) };
        let Some(info) = &item.info else { return Ok(()) };
        let flags = item.wanted.get_or_insert_with(|| vec![true; info.files.len()]);
        if let Some(flag) = flags.get_mut(file as usize) {
            *flag = wanted;
        }
        item.room = Room::Unknown;
        let (flags, had_all) = (flags.clone(), self.outstanding(torrent) == 0);
        self.engine.command(now(), Command::Want(torrent, flags)).map_err(refused)?;
        if had_all && self.outstanding(torrent) > 0 {
            self.rejoin(torrent);
        }
        self.remember(torrent);
        Ok(())
    }

    fn show_files(&mut self, torrent: TorrentId, shown: bool) -> Result<(), String> {
        if let Some(item) = self.items.get_mut(&torrent) {
            item.shown = shown;
            item.told = None;
            if shown {
                post(&ToPage::Files(torrent.0, view::files(item)));
            }
        }
        Ok(())
    }

    /// Stores what a reload must know.
    pub(super) fn remember(&mut self, torrent: TorrentId) {
        self.save(torrent, tell_failure);
    }
}

fn bytes_of(attachment: &JsValue) -> Vec<u8> {
    attachment.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec).unwrap_or_default()
}

fn check_pieces(info: &Info) -> Result<(), String> {
    let length = info.lengths.piece_length();
    if length <= MAX_PIECE {
        return Ok(());
    }
    let (is, limit) = (size(length.into()), size(MAX_PIECE.into()));
    Err(format!("The pieces of this torrent are {is} long, too long for a browser tab, which takes {limit} at most. The terminal program takes it."))
}

/// What the user is told when the engine declines.
#[expect(clippy::needless_pass_by_value, reason = "what `map_err` takes")]
pub(super) fn refused(error: CommandError) -> String {
    not_done(&error)
}
