//! The user's actions on torrents: adding, removing, pausing, selecting files. Each one affects the
//! engine, the list and the storage.

use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::meta::{Info, Magnet, Metainfo};
use aqueduct_core::types::{Bitfield, InfoHash, TorrentId};
use aqueduct_core::{Command, CommandError, Engine, Instant, OpError, Resumed};
use wasm_bindgen_futures::spawn_local;

use super::errors::{not_a_link, not_a_torrent, not_done};
use super::seeding::is_given;
use super::tabs::post_error;
use super::torrents::{Amounts, RunState, Torrent, Torrents};
use crate::browser::clock::unix_millis;
use crate::format::size;
use crate::message::{Outcome, Priority, TorrentOptions, WhenComplete};
use crate::storage::client::Storage;
use crate::storage::restore::Restored;
use crate::texts::{add, errors, storage};

/// A piece is held in memory until it is verified, so a tab accepts none longer than 64 MiB.
const MAX_PIECE: u32 = 64 << 20;
/// How long the removal of a torrent can be undone.
const UNDO_WITHIN: Duration = Duration::from_secs(8);

/// The user's torrents. The errors of its methods are sentences for the user.
pub(super) struct Library {
    pub(super) torrents: Torrents,
    /// Trackers that new torrents get in addition to their own.
    default_trackers: Vec<String>,
    storage: Storage,
}

impl Library {
    pub(super) fn new(storage: Storage) -> Self {
        Self {
            torrents: Torrents::default(),
            default_trackers: Vec::new(),
            storage,
        }
    }

    /// Sets the trackers that new torrents get in addition to their own.
    pub(super) fn set_default_trackers(&mut self, urls: Vec<String>) {
        self.default_trackers = urls;
    }

    /// Adds a magnet link or an info-hash.
    pub(super) fn add_link(
        &mut self,
        engine: &mut Engine,
        now: Instant,
        text: &str,
    ) -> Result<Outcome, String> {
        let magnet = Magnet::parse(text).map_err(|error| not_a_link(&error))?;
        if let Some(listed) = self.find_listed(engine, now, magnet.info_hash) {
            return listed;
        }
        let mut torrent = Torrent::from_magnet(self.torrents.new_id(), magnet);
        torrent.add_trackers(&self.default_trackers);
        admit(engine, now, &torrent, Resumed::Nothing).map_err(refused)?;
        torrent.data = self.storage.claim(&torrent.folder);
        self.insert_new(torrent);
        Ok(Outcome::Added)
    }

    /// Adds a .torrent file.
    pub(super) fn add_file(
        &mut self,
        engine: &mut Engine,
        now: Instant,
        name: &str,
        bytes: &[u8],
    ) -> Result<Outcome, String> {
        let metainfo =
            Metainfo::parse(bytes).map_err(|error| not_a_torrent(name, bytes, &error))?;
        check_piece_length(&metainfo.info)?;
        if let Some(listed) = self.find_listed(engine, now, metainfo.info.info_hash) {
            return listed;
        }
        let mut torrent = Torrent::from_metainfo(self.torrents.new_id(), metainfo);
        torrent.add_trackers(&self.default_trackers);
        let data = self.storage.claim(&torrent.folder);
        admit(engine, now, &torrent, data).map_err(refused)?;
        self.insert_new(torrent);
        Ok(Outcome::Added)
    }

    fn insert_new(&mut self, mut torrent: Torrent) {
        torrent.added = self.torrents.new_added(unix_millis());
        self.insert(torrent);
    }

    /// Adds a torrent that the engine already has to the list, so that a reload restores it.
    fn insert(&mut self, torrent: Torrent) {
        let id = torrent.id;
        self.torrents.insert(torrent);
        self.save(id);
    }

    /// Adds a torrent that was created here. Its data and record are stored; an error deletes both.
    pub(super) fn add_created(
        &mut self,
        engine: &mut Engine,
        now: Instant,
        torrent: Torrent,
    ) -> Result<(), String> {
        let (id, folder) = (torrent.id, torrent.folder.clone());
        let added = self.insert_created(engine, now, torrent);
        match added {
            // The record counts from now on; a mark that remains beside it has no meaning.
            Ok(()) => self.storage.mark_creating(folder, None, drop),
            Err(_) => self.storage.delete(id, folder, drop),
        }
        added
    }

    fn insert_created(
        &mut self,
        engine: &mut Engine,
        now: Instant,
        torrent: Torrent,
    ) -> Result<(), String> {
        if let Some(listed) = self.find_listed(engine, now, torrent.info_hash()) {
            let name = match listed {
                Ok(Outcome::AlreadyListed(name)) => name,
                _ => torrent.name(),
            };
            return Err(add::already_listed(name));
        }
        let pieces = torrent
            .info
            .as_ref()
            .map_or(0, |info| info.lengths.pieces());
        let resumed = Resumed::Record {
            have: Bitfield::all(pieces),
            check: Vec::new(),
            sample: Vec::new(),
            uploaded: 0,
            downloaded: 0,
        };
        admit(engine, now, &torrent, resumed).map_err(refused)?;
        self.torrents.insert(torrent);
        Ok(())
    }

    /// Adds a torrent of an earlier run.
    pub(super) fn restore(&mut self, engine: &mut Engine, now: Instant, restored: Restored) {
        let (torrent, resumed) = Torrent::from_record(self.torrents.new_id(), restored);
        match admit(engine, now, &torrent, resumed) {
            Ok(()) => self.torrents.insert(torrent),
            Err(error) => post_error(&storage::not_restored(
                torrent.visible_name(),
                not_done(&error),
            )),
        }
    }

    /// Finds a torrent that is already in the list. One whose removal can still be undone is
    /// restored. `None` if it is not in the list.
    fn find_listed(
        &mut self,
        engine: &mut Engine,
        now: Instant,
        info_hash: InfoHash,
    ) -> Option<Result<Outcome, String>> {
        let listed = self.torrents.with_hash(info_hash.wire())?;
        let (id, name) = (listed.id, listed.visible_name());
        Some(self.undo(engine, now, id).map(|undone| match undone {
            true => Outcome::Added,
            false => Outcome::AlreadyListed(name),
        }))
    }

    /// Handles the metadata of a magnet link. Returns whether the torrent lost trackers with them. An
    /// error means that the torrent cannot be kept.
    pub(super) fn handle_metadata(
        &mut self,
        engine: &mut Engine,
        now: Instant,
        id: TorrentId,
        info: &Arc<Info>,
    ) -> Result<bool, String> {
        check_piece_length(info)?;
        let Some(torrent) = self.torrents.get_mut(id) else {
            return Ok(false);
        };
        let lost_trackers = torrent.set_info(info);
        let data = std::mem::replace(&mut torrent.data, Resumed::Nothing);
        // Both are refused only for a torrent that is not in the engine, or that needs no data.
        if let Some(wanted) = torrent.wanted.clone() {
            drop(engine.command(now, Command::Want(id, wanted)));
        }
        drop(engine.attach(now, id, data));
        Ok(lost_trackers)
    }

    /// Pauses or resumes a torrent.
    pub(super) fn set_paused(
        &mut self,
        engine: &mut Engine,
        now: Instant,
        id: TorrentId,
        paused: bool,
    ) -> Result<(), String> {
        let command = if paused {
            Command::Pause(id)
        } else {
            Command::Resume(id)
        };
        engine.command(now, command).map_err(refused)?;
        self.note_transferred(engine, id);
        if let Some(torrent) = self.torrents.get_mut(id) {
            torrent.run = match torrent.run {
                _ if !paused => RunState::Running,
                RunState::Running => RunState::Paused,
                stopped => stopped,
            };
        }
        self.save(id);
        Ok(())
    }

    /// Seeds a torrent without an end from now on if the `general` rule, or its own, would pause it at
    /// once, because it has been given often enough.
    pub(super) fn keep_seeding(&mut self, engine: &Engine, id: TorrentId, general: WhenComplete) {
        let (torrent, snapshot) = (self.torrents.get_mut(id), engine.snapshot_of(id));
        let Some((torrent, snapshot)) = torrent.zip(snapshot) else {
            return;
        };
        if is_given(torrent, &snapshot, general) {
            torrent.options.when_complete = Some(WhenComplete::Seed);
            self.save(id);
        }
    }

    /// Sets whether a file is wanted, and how soon. Returns whether other files are wanted now.
    pub(super) fn set_priority(
        &mut self,
        engine: &mut Engine,
        now: Instant,
        (id, file): (TorrentId, u32),
        priority: Priority,
    ) -> Result<bool, String> {
        let Some(torrent) = self.torrents.get_mut(id) else {
            return Ok(false);
        };
        let flags = torrent.set_priority(file, priority);
        let changes = flags.is_some();
        if let Some(flags) = flags {
            let command = Command::Want(id, flags);
            engine.command(now, command).map_err(refused)?;
        }
        self.save(id);
        Ok(changes)
    }

    /// Sets the user's choices for a torrent.
    pub(super) fn set_options(
        &mut self,
        engine: &mut Engine,
        now: Instant,
        id: TorrentId,
        options: TorrentOptions,
    ) {
        if let Some(torrent) = self.torrents.get_mut(id) {
            torrent.options = options;
            apply_limits(engine, now, torrent);
            self.save(id);
        }
    }

    /// Removes a torrent from its swarm and from the page's list. Its data stay for some seconds,
    /// in which the user may undo the removal. Its folder is marked, so that a later worker deletes
    /// what this one could not.
    pub(super) fn remove(
        &mut self,
        engine: &mut Engine,
        now: Instant,
        id: TorrentId,
    ) -> Result<(), String> {
        engine.command(now, Command::Pause(id)).map_err(refused)?;
        if let Some(torrent) = self.torrents.get_mut(id) {
            torrent.delete_at = Some(now + UNDO_WITHIN);
            self.storage
                .mark_removed(torrent.folder.clone(), true, report_failure);
        }
        Ok(())
    }

    /// Restores a removed torrent. Returns whether it was removed.
    pub(super) fn undo(
        &mut self,
        engine: &mut Engine,
        now: Instant,
        id: TorrentId,
    ) -> Result<bool, String> {
        let removed = self.torrents.get_mut(id);
        let Some(torrent) = removed.filter(|torrent| torrent.delete_at.is_some()) else {
            return Ok(false);
        };
        torrent.delete_at = None;
        self.storage
            .mark_removed(torrent.folder.clone(), false, report_failure);
        if !torrent.is_paused() {
            engine.command(now, Command::Resume(id)).map_err(refused)?;
        }
        Ok(true)
    }

    /// Deletes the data of a torrent that is not in the list.
    pub(super) fn delete_data(&self, torrent: &Torrent) {
        let name = torrent.visible_name();
        self.storage
            .delete(torrent.id, torrent.folder.clone(), move |result| {
                if let Err(error) = result {
                    post_error(&storage::not_deleted(name, error));
                }
            });
    }

    /// Adds a torrent under a new number and without data, because the user has cleared them. The
    /// user decides whether to download them again.
    pub(super) fn start_over(
        &mut self,
        engine: &mut Engine,
        now: Instant,
        mut torrent: Torrent,
        (uploaded, downloaded): (u64, u64),
    ) -> Result<TorrentId, String> {
        let id = self.torrents.new_id();
        let resumed = torrent.start_over(id, uploaded, downloaded);
        match admit(engine, now, &torrent, resumed) {
            Ok(()) => {
                self.insert(torrent);
                Ok(id)
            }
            Err(error) => Err(storage::not_restarted(torrent.name(), not_done(&error))),
        }
    }

    /// Stores the records of torrents that have transferred something.
    pub(super) fn save_transferred(&mut self, engine: &Engine) {
        for id in self.torrents.ids() {
            if self.note_transferred(engine, id) {
                self.save(id);
            }
        }
    }

    /// Records the transferred amounts of a torrent for its next record. Returns whether they have
    /// changed.
    fn note_transferred(&mut self, engine: &Engine, id: TorrentId) -> bool {
        let (torrent, snapshot) = (self.torrents.get_mut(id), engine.snapshot_of(id));
        let known = torrent.zip(snapshot).filter(|(t, _)| t.info.is_some());
        known.is_some_and(|(torrent, now)| torrent.set_transferred(now.uploaded, now.downloaded))
    }

    /// Stores a torrent's resume record.
    pub(super) fn save(&self, id: TorrentId) {
        self.save_then(id, report_failure);
    }

    /// Stores a torrent's resume record with these amounts.
    pub(super) fn save_amounts(
        &mut self,
        id: TorrentId,
        amounts: Amounts,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        if let Some(torrent) = self.torrents.get_mut(id) {
            torrent.set_amounts(amounts);
        }
        self.save_then(id, done);
    }

    /// Stores a record, and calls `done`. A torrent that was removed in the meantime has no record.
    fn save_then(&self, id: TorrentId, done: impl FnOnce(Result<(), OpError>) + 'static) {
        match self.torrents.get(id) {
            Some(torrent) => {
                self.storage
                    .save(torrent.folder.clone(), &torrent.record(), done);
            }
            None => spawn_local(async move { done(Ok(())) }),
        }
    }
}

/// Reports to the user if something that must survive a reload could not be stored.
pub(super) fn report_failure(result: Result<(), OpError>) {
    if let Err(error) = result {
        post_error(&storage::change_not_stored(error));
    }
}

/// Adds a torrent to the engine, with its own rate limits.
fn admit(
    engine: &mut Engine,
    now: Instant,
    torrent: &Torrent,
    data: Resumed,
) -> Result<(), CommandError> {
    engine.command(now, torrent.add_command(data))?;
    apply_limits(engine, now, torrent);
    Ok(())
}

/// Sets a torrent's own rate limits in the engine.
fn apply_limits(engine: &mut Engine, now: Instant, torrent: &Torrent) {
    let limits = Command::TorrentLimits {
        torrent: torrent.id,
        download: torrent.options.limits.down,
        upload: torrent.options.limits.up,
    };
    // Refused only for a torrent that is not in the engine.
    drop(engine.command(now, limits));
}

fn check_piece_length(info: &Info) -> Result<(), String> {
    let length = info.lengths.piece_length();
    if length <= MAX_PIECE {
        return Ok(());
    }
    Err(errors::pieces_too_long(
        size(length.into()),
        size(MAX_PIECE.into()),
    ))
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` takes")]
fn refused(error: CommandError) -> String {
    not_done(&error)
}
