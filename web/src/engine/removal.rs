//! Removing a torrent: it leaves the list at once, its data stay for some seconds, in which the
//! user may take it back.
//!
//! Meanwhile its folder is marked, so that a worker that starts deletes what this one could not.

use std::time::Duration;

use aqueduct_core::types::TorrentId;
use aqueduct_core::{Command, Instant};

use crate::browser::clock::now;
use crate::engine::commands::refused;
use crate::engine::driver::Driver;
use crate::engine::torrent::Item;
use crate::engine::updates::complain;
use crate::engine::view;

/// How long a removed torrent can be taken back.
const UNDO_WITHIN: Duration = Duration::from_secs(8);

impl Driver {
    /// Lets a torrent leave its swarm and the page's list.
    pub(crate) fn remove(&mut self, torrent: TorrentId) -> Result<(), String> {
        if self.cancel_making(torrent) {
            return Ok(());
        }
        self.engine
            .command(now(), Command::Pause(torrent))
            .map_err(refused)?;
        let Some(item) = self.items.get_mut(&torrent) else {
            return Ok(());
        };
        item.leaves_at = Some(now() + UNDO_WITHIN);
        self.store
            .mark_removed(item.folder.clone(), true, tell_failure);
        Ok(())
    }

    /// Takes a removed torrent back, as it was. Returns whether it was removed at all.
    pub(crate) fn undo(&mut self, torrent: TorrentId) -> Result<bool, String> {
        let Some(item) = self
            .items
            .get_mut(&torrent)
            .filter(|item| item.leaves_at.is_some())
        else {
            return Ok(false);
        };
        item.leaves_at = None;
        self.store
            .mark_removed(item.folder.clone(), false, tell_failure);
        if item.paused {
            return Ok(true);
        }
        self.engine
            .command(now(), Command::Resume(torrent))
            .map_err(refused)?;
        Ok(true)
    }

    /// When [`Driver::delete_removed`] has something to do.
    pub(crate) fn removal_due(&self) -> Option<Instant> {
        self.items.values().filter_map(|item| item.leaves_at).min()
    }

    /// Deletes what can no longer be taken back.
    pub(crate) fn delete_removed(&mut self, now: Instant) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let gone: Vec<TorrentId> = self
            .items
            .values()
            .filter(|item| due(item.leaves_at))
            .map(|item| item.id)
            .collect();
        gone.into_iter().for_each(|torrent| self.delete(torrent));
    }

    /// Forgets a torrent. Its data stay.
    pub(crate) fn forget(&mut self, torrent: TorrentId) -> Option<Item> {
        // Refused only for a torrent that is not there.
        drop(self.engine.command(now(), Command::Remove(torrent)));
        // Its last wishes (leaving the swarm, closing streams) are carried out while it is still
        // known.
        self.pump();
        self.items.remove(&torrent)
    }

    /// Forgets a torrent and deletes its data.
    pub(crate) fn delete(&mut self, torrent: TorrentId) {
        let Some(item) = self.forget(torrent) else {
            return;
        };
        let name = view::name(&item);
        self.store
            .delete(torrent, item.folder.clone(), move |result| {
                if let Err(error) = result {
                    complain(&format!("The data of {name} could not be deleted. {error}"));
                }
            });
    }
}

/// Tells the page if it went wrong.
pub(crate) fn tell_failure(result: Result<(), aqueduct_core::OpError>) {
    if let Err(error) = result {
        complain(&format!(
            "What you did could not be stored, so a reload may forget it. {error}"
        ));
    }
}
