//! Carries out the engine's requests, and detects that the user has cleared the site's data while
//! the page is open: writes are then lost, although open files still return them.

use aqueduct_core::types::{RequestId, TorrentId};
use aqueduct_core::{Input, Op};

use super::{Driver, enter};
use crate::browser::clock::now;
use crate::engine::amounts::{needed, outstanding};
use crate::engine::library::report_failure;
use crate::engine::tabs::post_error;
use crate::engine::torrents::Amounts;
use crate::storage::client::Place;
use crate::storage::space::Need;
use crate::texts::creating;

impl Driver {
    pub(super) fn start_request(&mut self, id: RequestId, torrent: TorrentId, op: Op) {
        if let Op::Hash(data) | Op::Write { data, .. } = &op {
            let bytes = data.len() as u64;
            self.network.bridge.request_started(id, bytes);
        }
        match op {
            Op::Hash(data) => self.requests.hash(id, data),
            Op::Flush => self.requests.flush(id, torrent),
            Op::Save {
                have,
                uploaded,
                downloaded,
            } => {
                let amounts = Amounts {
                    have,
                    uploaded,
                    downloaded,
                };
                let done = self.requests.unit_done(id);
                self.library.save_amounts(torrent, amounts, done);
            }
            Op::Write { offset, data } => match self.place(torrent) {
                Some(place) => {
                    let need = self.need(torrent);
                    self.requests.write(id, &place, need, offset, &data);
                }
                None => self.requests.cancel(id),
            },
            Op::Read { offset, length } => match self.place(torrent) {
                Some(place) => self.requests.read(id, &place, offset, length),
                None => self.requests.cancel(id),
            },
            Op::Check(range) => match self.place(torrent) {
                Some(place) => self.requests.check(id, &place, range),
                None => self.requests.cancel(id),
            },
        }
    }

    fn place(&self, torrent: TorrentId) -> Option<Place> {
        self.library.torrents.get(torrent)?.place()
    }

    /// The space that must be available before the first write of a torrent.
    fn need(&mut self, torrent: TorrentId) -> Option<Need> {
        let (check, before) = self.space.ask(torrent)?;
        Some(Need {
            check,
            own: needed(&self.engine, torrent),
            others: self.outstanding_of(&before),
        })
    }

    /// Bytes that these torrents and all creations still have to store.
    pub(super) fn outstanding_of(&self, torrents: &[TorrentId]) -> u64 {
        torrents
            .iter()
            .map(|torrent| outstanding(&self.engine, *torrent))
            .fold(self.creations.outstanding(), u64::saturating_add)
    }

    pub(super) fn handle_results(&mut self) {
        while let Some((id, result)) = self.requests.poll() {
            self.network.bridge.request_finished(id);
            self.engine.handle(now(), Input::Done { id, result });
        }
    }

    /// Checks whether the storage still exists, and deletes what could not be deleted before.
    pub(super) fn check_storage(&self) {
        self.storage.delete_leftovers();
        let is_empty = self.library.torrents.ids().is_empty();
        if is_empty && self.creations.iter().next().is_none() {
            return;
        }
        let me = self.me.clone();
        self.storage.check_present(move |present| {
            if !present {
                enter(&me, Self::handle_storage_cleared);
            }
        });
    }

    /// Handles the loss of all data: each torrent starts over, and waits for the user.
    fn handle_storage_cleared(&mut self) {
        self.storage.reopen(report_failure);
        for name in self.creations.cancel_all() {
            post_error(&creating::cleared(name));
        }
        for torrent in self.library.torrents.ids() {
            self.start_over(torrent);
        }
        self.updates.update_soon(now());
    }

    /// Adds a torrent again under a new number, so that results of running requests are ignored.
    fn start_over(&mut self, id: TorrentId) {
        let before = self.engine.snapshot_of(id);
        let torrent = self.forget(id);
        let Some(torrent) = torrent.filter(|torrent| torrent.delete_at.is_none()) else {
            return;
        };
        let sent = before.map_or((0, 0), |s| (s.uploaded, s.downloaded));
        match self
            .library
            .start_over(&mut self.engine, now(), torrent, sent)
        {
            Ok(new) => self.network.swarms.rename(id, new),
            Err(why) => post_error(&why),
        }
    }
}
