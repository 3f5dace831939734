//! Adding, creating and removing torrents.

use std::sync::Arc;

use aqueduct_core::meta::Info;
use aqueduct_core::types::{TorrentId, visible};
use aqueduct_core::{Command, Instant};
use wasm_bindgen::JsValue;

use super::{Driver, players};
use crate::browser::clock::{now, unix_millis};
use crate::engine::tabs::post_error;
use crate::engine::torrents::Torrent;
use crate::message::{Outcome, SharedFile, Sharing};
use crate::storage::restore::Restored;
use crate::texts::creating;

impl Driver {
    /// Adds a torrent of an earlier run.
    pub(in crate::engine) fn restore(&mut self, restored: Restored) {
        self.library.restore(&mut self.engine, now(), restored);
    }

    /// Handles the metadata of a magnet link: the download can start.
    pub(super) fn handle_metadata(&mut self, torrent: TorrentId, info: &Arc<Info>) {
        let library = &mut self.library;
        let lost_trackers = match library.handle_metadata(&mut self.engine, now(), torrent, info) {
            Ok(lost_trackers) => lost_trackers,
            Err(why) => {
                post_error(&why);
                return self.delete(torrent);
            }
        };
        if info.private {
            self.network.swarms.set_private(torrent);
        }
        if lost_trackers {
            self.network.rejoin(now(), torrent);
        }
        let sources = (&self.engine, &self.library.torrents);
        self.network.update(sources, torrent, |_| ());
        self.library.save(torrent);
        self.updates.update_soon(now());
    }

    /// Starts to create a torrent of the user's own files.
    pub(super) fn share_files(
        &mut self,
        name: &str,
        files: &[SharedFile],
        contents: &JsValue,
        sharing: Sharing,
    ) -> Result<Outcome, String> {
        let space = (
            self.space.new_turn(),
            self.outstanding_of(&self.space.all()),
        );
        let torrents = &mut self.library.torrents;
        let listed = (torrents.new_id(), torrents.new_added(unix_millis()));
        self.creations
            .start(listed, name, (files, contents), sharing, space)?;
        Ok(Outcome::Added)
    }

    /// Handles the result of a creation.
    pub(super) fn handle_created(&mut self, id: TorrentId, created: Result<Torrent, String>) {
        let Some(name) = self.creations.remove(id) else {
            return;
        };
        let added = created
            .map_err(|why| creating::failed(visible(&name), why))
            .and_then(|torrent| self.library.add_created(&mut self.engine, now(), torrent));
        if let Err(why) = added {
            post_error(&why);
        }
        self.updates.update_soon(now());
    }

    /// Removes a torrent from the engine and the list. Its data and the state of its peers stay.
    pub(super) fn forget(&mut self, torrent: TorrentId) -> Option<Torrent> {
        // Refused only for a torrent that is not in the engine.
        drop(self.engine.command(now(), Command::Remove(torrent)));
        // Its last outputs (leaving the swarm, closing streams) need its state.
        self.pump();
        self.space.reset(torrent);
        self.playback.remove(torrent);
        players::withdraw(self, torrent);
        self.library.torrents.remove(torrent)
    }

    /// Removes a torrent permanently, with its data.
    fn delete(&mut self, id: TorrentId) {
        if let Some(torrent) = self.forget(id) {
            self.network.swarms.remove(id);
            self.library.delete_data(&torrent);
        }
    }

    /// Deletes torrents whose removal can no longer be undone.
    pub(super) fn delete_removed(&mut self, now: Instant) {
        for torrent in self.library.torrents.to_delete(now) {
            self.delete(torrent);
        }
    }
}
